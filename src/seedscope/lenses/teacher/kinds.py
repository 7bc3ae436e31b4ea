"""In which versions the teacher is measured, and how corrections are shuffled for its nulls."""

VERSIONS = ("post", "pre")  # after the ReLU, and before it with the layer's own gate
SHUFFLES = ("none", "all", "class")

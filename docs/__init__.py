"""The measured numbers of README.md: what they are (:mod:`docs.numbers`), and how they come in (:mod:`docs.readme`)."""

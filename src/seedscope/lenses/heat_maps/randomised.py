"""Does a map show what the network has learned? It is held against the map of the same network with shuffled weights.

    similarity[s] = Spearman's rank correlation, over (y, x), of map[s] with that of the randomised network,
                    both signed, for the same class, and added up to at most 32×32 cells

In the randomised network the entries of each tensor stand in other places, so activations keep their range and nothing
that was learned is left. Maps that stay alike show the picture, or the method, and not the network. How alike two maps
are without any reason, since both are smooth and end at the borders, the map of **another picture** says: the null.

Source: Adebayo and others 2018, "Sanity Checks for Saliency Maps". Departures: weights are shuffled within a tensor,
not drawn anew; in all layers at once, not in a cascade from the last; and signed maps are compared. A network that was
trained here needs no such stand-in: it is compared with itself at step 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def shuffled(weights: Mapping[str, np.ndarray], seed: int = 0) -> dict[str, np.ndarray]:
    """Return weights with the entries of each tensor in random places, the same for each seed."""
    # A generator for each name: a network that is cut has the same shuffled weights in what is left.
    return {
        name: np.random.default_rng([seed, *name.encode()]).permuted(values.ravel()).reshape(values.shape)
        for name, values in weights.items()
    }

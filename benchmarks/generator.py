"""How many pictures of squares does one core make in a second?"""

from __future__ import annotations

import numpy as np

from benchmarks import Row, seconds
from seedscope.data.squares import Squares


def measure() -> list[Row]:
    """Draw corners and pictures of a default training set, seven times."""
    source = Squares()

    def draw() -> None:
        corners = source.corners(source.n_train, np.random.default_rng(0))
        source.render(corners, np.random.Generator(np.random.SFC64(1)))

    rates = [source.n_train / seconds(draw) for _ in range(7)]
    return [Row.of("squares: pictures made on one core", rates, "pictures/s", "≥ 80,000")]

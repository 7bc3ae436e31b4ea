"""Named random streams: what a seed varies, and what it leaves alone.

A replica draws from three streams: ``weights`` (initial weights), ``order`` (order of the batches, and whatever
else is random in optimisation, such as dropout) and ``draw`` (which training pictures). A stream that ``vary``
names takes the replica's seed; any other takes seed 0, the same in every replica. Streams of one seed are
independent of each other and of every other seed: each is its own child of ``numpy.random.SeedSequence``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Stream = Literal["weights", "order", "draw"]
_CHILD: dict[str, int] = {"weights": 0, "order": 1, "draw": 2}


@dataclass(frozen=True)
class Streams:
    """The random streams of one replica; ``vary`` names those that its seed changes."""

    seed: int
    vary: tuple[str, ...] = ("weights", "order")

    def seed_of(self, stream: Stream) -> int:
        """Return the seed that the stream takes: the replica's own where it varies, else 0."""
        return self.seed if stream in self.vary else 0

    def number(self, stream: Stream, *index: int) -> int:
        """Return a 63-bit number to seed a generator with; ``index`` (an epoch, say) picks one of many."""
        sequence = np.random.SeedSequence(self.seed_of(stream), spawn_key=(_CHILD[stream], *index))
        return int(sequence.generate_state(1, np.uint64)[0] >> 1)

    def generator(self, stream: Stream, *index: int) -> np.random.Generator:
        """Return a generator of its own for the stream."""
        return np.random.default_rng(self.number(stream, *index))


def known_streams() -> tuple[Stream, ...]:
    """Return the names that ``vary`` may hold."""
    return get_args(Stream)

"""Named random streams: what a seed varies, and what it leaves alone.

A replica draws from four streams: ``weights`` (initial weights), ``order`` (order of the batches, and whatever else is
random in optimisation, such as dropout), ``draw`` (which training pictures) and ``head`` (initial weights of the last
dense layer alone). The seed of a stream is

    a seed of its own            where ``own`` gives it one
    the replica's seed           where ``vary`` names the stream
    that of ``weights``          of ``head``, which otherwise is part of the initial weights like any other layer
    0                            of any other: the same in every replica

Streams of one seed are independent of each other and of every other seed: each is its own child of
``numpy.random.SeedSequence``. Only ``head`` shares the child of ``weights``: the head of seed b is the head of the
network whose initial weights have seed b, so that it can be given to the network of seed a.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

Stream = Literal["weights", "order", "draw", "head"]
_CHILD: dict[str, int] = {"weights": 0, "order": 1, "draw": 2, "head": 0}


@dataclass(frozen=True)
class Streams:
    """The random streams of one replica; ``vary`` names those that its seed changes, ``own`` has seeds by stream."""

    seed: int
    vary: tuple[str, ...] = ("weights", "order")
    own: Mapping[Stream, int] = field(default_factory=dict)

    def seed_of(self, stream: Stream) -> int:
        """Return the seed that the stream takes."""
        if stream in self.own:
            return self.own[stream]
        if stream in self.vary:
            return self.seed
        return self.seed_of("weights") if stream == "head" else 0

    @property
    def splits_the_head(self) -> bool:
        """Return whether the last layer is drawn with another seed than the other initial weights."""
        return self.seed_of("head") != self.seed_of("weights")

    @property
    def draws(self) -> bool:
        """Return whether the replica makes its own training pictures."""
        return "draw" in self.vary or "draw" in self.own

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

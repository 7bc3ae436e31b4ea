"""Transplants between two seeds, both ways, and with what they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seedscope.formulas.nulls import shuffled_within
from seedscope.formulas.transplants import SINGLY, Fit, Host, random_matching, recovered
from seedscope.lenses.transplants.seeds import SeedLayer

_DRAWS, _FEWEST = 60, 6  # of all pairs together, and of each pair, half and direction
MAPS = ("permutation", "rotation", "linear_map")
FIXED = ("intact", "ablated", "class_mean", *MAPS)
DRAWN = ("random", "unmapped", *(f"{name}_within_class" for name in MAPS))
_CLEAR = 0.1  # of the divergence, what must be lost of log p
_SHARES = ("recovered", "restored", "kept")  # of log p, of the divergence, of decisions
_ONE_BY_ONE = ("ablated", "class_mean", "permutation", "random", "permutation_within_class")
"""Ways of which units are also replaced one by one."""


@dataclass(frozen=True)
class Transplanted:
    """What came of transplants between two seeds, sums over halves and directions.

    Attributes:
        sums: by way, (draw, measure), minus what is lost singly and then what is left together, by ``SINGLY`` and
            ``TOGETHER`` of :mod:`seedscope.formulas.transplants`. One draw of what is not drawn.
        scored: how many pictures, each once in each direction.
    """

    sums: Mapping[str, np.ndarray]
    scored: int

    def read(self, way: str) -> dict[str, np.ndarray]:
        """Return what is read from a way, each (draw): NaN where nothing was to be lost.

        Nor has ``recovered`` a value where ablation costs less log p of the true class than a tenth of the divergence
        that it makes. A calibrated network would lose as much as that; so much less is a small difference of gains and
        losses, and shares of it say nothing.
        """
        own, ablated, intact = self.sums[way], self.sums["ablated"], self.sums["intact"]
        gained = recovered(own, ablated, intact)
        lost = intact - ablated
        for log_p, divergence in ((0, 1), (len(SINGLY), len(SINGLY) + 1)):
            unclear = lost[0, log_p] < _CLEAR * lost[0, divergence]
            gained[:, log_p] = np.where(unclear, np.nan, gained[:, log_p])
        names = [f"{name}_singly" for name in _SHARES] + [f"{name}_together" for name in _SHARES]
        shares = dict(zip(names, gained.T[: len(names)], strict=True))
        return {**shares, "agreement": own[:, -2] / self.scored, "accuracy": own[:, -1] / self.scored}


def draws_of(pairs: int) -> int:
    """Return how often nulls are drawn for each of so many pairs: many pairs together have many draws."""
    return max(_FEWEST, -(-_DRAWS // pairs))


def transplant(a: SeedLayer, b: SeedLayer, rng: np.random.Generator, draws: int) -> Transplanted:
    """Replace the units of each seed by those of the other; both have units that take part.

    Nulls are drawn ``draws`` times; of linear maps, which take longest, half as often.
    """
    total: dict[str, np.ndarray] = {}
    for host, donor in ((a, b), (b, a)):
        for side in (0, 1):
            for way, sums in _one_way(host, donor, side, rng, draws).items():
                total[way] = total.get(way, 0.0) + sums
    return Transplanted(total, 2 * len(a.label))


def _one_way(
    host: SeedLayer, donor: SeedLayer, side: int, rng: np.random.Generator, draws: int
) -> dict[str, np.ndarray]:
    """Replace the host's units by the donor's, fitted on ``side`` and scored on the other half."""
    scored, fit = host.host(1 - side), host.fit(donor.activation, side)
    test = donor.activation[host.half != side]
    own, other = fit.a.shape[1], fit.b.shape[1]
    found = {
        "intact": [_sums(scored, scored.activation, "intact")],
        "ablated": [_sums(scored, fit.means(len(test)), "ablated")],
        "class_mean": [_sums(scored, fit.class_means(host.label[host.half == side], scored.label), "class_mean")],
        **{name: [_sums(scored, _mapped(fit, test, name), name)] for name in MAPS},
        **{name: [] for name in DRAWN},
    }
    group = 2 * host.label + host.half
    for draw in range(draws):
        anyone = random_matching(own, other, rng)
        found["random"].append(_sums(scored, fit.by_partners(test, anyone), "random"))
        found["unmapped"].append(_sums(scored, fit.unmapped(test, anyone), "unmapped"))
        shuffled = donor.activation[shuffled_within(group, rng)]
        part, moved = host.fit(shuffled, side), shuffled[host.half != side]
        for name in MAPS if draw % 2 == 0 else MAPS[:-1]:
            way = f"{name}_within_class"
            found[way].append(_sums(scored, _mapped(part, moved, name), way))
    return {way: np.stack(sums) for way, sums in found.items()}


def _mapped(fit: Fit, test: np.ndarray, name: str) -> np.ndarray:
    if name == "permutation":
        return fit.by_partners(test, fit.matching())
    return fit.by_rotation(test) if name == "rotation" else fit.by_linear_map(test)


def _sums(host: Host, stand_in: np.ndarray, way: str) -> np.ndarray:
    singly = np.full(len(SINGLY), np.nan)
    if way == "intact":
        singly = np.zeros(len(SINGLY))
    elif way in _ONE_BY_ONE:
        singly = -host.singly(stand_in).sum(1)
    return np.concatenate([singly, host.together(stand_in)])

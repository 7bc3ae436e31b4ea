"""Units matched by their weights: are these each other's likes, too, and the same ones as by their answers?

Scored on answers, as units matched by answers are. The null pairs the units of the second seed at random; what two
matchings agree on by chance is what random ones do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from seedscope.formulas.alignment import Aligned, Layer, Redrawn, aligned_as
from seedscope.formulas.matching import Matching
from seedscope.formulas.weight_matching import matched_by_weights

_NUMBER = 7

Pair = tuple[int, int]


def by_weights(
    measured: xr.DataTree, layers: Sequence[Layer], pairs: Sequence[Pair], observed: Mapping[Pair, Aligned], draws: int
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """Return r of units matched by weights, and the share that is matched as by answers, beside random partners."""
    chains = [_chain(measured, at) for at in range(len(layers))]
    r, agreement = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
    by_chance = {name: np.full((draws, len(pairs)), np.nan) for name in ("r", "agreement")}
    for number, (a, b) in enumerate(pairs):
        if not (layers[a].values.shape[2] and layers[b].values.shape[2]):
            continue
        rows, columns = matched_by_weights(chains[a], chains[b])[-1]
        own, other, answers = layers[a].prepared, layers[b].prepared, observed[a, b].matching
        r[number] = aligned_as(own, other, (rows, columns)).statistic["r"]
        agreement[number] = _agreement((rows, columns), answers)
        correlations = [Redrawn.of(other).correlations(own, half)[0] for half in (0, 1)]
        for time in range(draws):
            rng = np.random.default_rng([_NUMBER, b, time])
            drawn = rows, rng.permutation(layers[b].values.shape[2])[: len(rows)]
            by_chance["r"][time, number] = float(np.mean([r[drawn].mean() for r in correlations]))
            by_chance["agreement"][time, number] = _agreement(drawn, answers)
    return (
        {"matched_by_weights_r": r, "matched_by_weights_agreement": agreement},
        {f"matched_by_weights_{name}": {"random_partners": of} for name, of in by_chance.items()},
    )


def _chain(measured: xr.DataTree, at: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return a seed's layers, in order, without what other seeds have more of."""
    found = []
    for _, node in sorted(measured["chain"].children.items()):
        weight, bias = node["weight"].values[at], node["bias"].values[at]
        to, into = np.isfinite(bias), np.isfinite(weight).any((0, 2))
        found.append((weight[to][:, into], bias[to]))
    return found


def _agreement(matching: Matching, answers: tuple[Matching, Matching]) -> float:
    """Return the share of the units that have the same partner, mean over both halves that answers were matched on."""
    pairs = set(zip(*(of.tolist() for of in matching), strict=True))
    shared = [len(pairs & set(zip(*(of.tolist() for of in one), strict=True))) for one in answers]
    return float(np.mean(shared)) / len(pairs) if pairs else float("nan")

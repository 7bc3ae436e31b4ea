"""What single and joint removals cost one replica, and what predicts it: see :mod:`seedscope.lenses.ablation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from seedscope.formulas.ablation import (
    KEPT,
    LOST,
    REFERENCES,
    descending,
    of_classes,
    random_orders,
    ranked,
    reference,
    removal_steps,
    shuffled_agreement,
    single_losses,
    under_removal,
)
from seedscope.formulas.halves import halves
from seedscope.formulas.votes import VERSIONS, Votes, dominance
from seedscope.lenses.ablation.curves import NULL_OF, read_curves
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses.replica import Replica

_SHUFFLES, _DRAWS = 1000, 200
_OTHERS = 20
PREDICTORS = ("centred", "mean_subtracted", "other_class", "weight_size", "activation")


def measure(replica: Replica, features: str, head: str) -> xr.Dataset:
    """See :meth:`seedscope.lenses.ablation.Ablation.measure`."""
    import xarray as xr

    votes = of_classes(votes_of(replica, features, head))
    label, n_classes = replica.probe.label.values, len(replica.class_names)
    half = halves(label)
    live, units = votes.live, votes.activation.shape[1]
    group = half * n_classes + label
    losses = [
        single_losses(votes, votes.activation - reference(votes.activation, kind), label, group, 2 * n_classes)
        for kind in REFERENCES
    ]
    lost = np.stack(losses).reshape(len(REFERENCES), len(LOST), 2, n_classes, units)
    chosen = [_Chosen(votes, label, half == side, n_classes) for side in (0, 1)]
    effect = [ranked(one[LOST.index("log_probability"), ::-1][..., live]) for one in lost]  # on the half not chosen on
    found = [one.predictors() for one in chosen]
    predicted = [np.stack([one[name][:, live] for one in found]) for name in PREDICTORS]
    curves, orders = _removals(votes, label, half, chosen), _orders(int(live.sum()))
    steps = removal_steps(units)
    by_reference = ("reference", "predictor")
    return xr.Dataset(
        {
            "lost": (("reference", "measure", "half", "true", "unit"), lost.astype(np.float32)),
            "dominance": (("half", "true", "unit"), np.stack([one.centred for one in chosen])),
            "live": ("unit", live),
            "rho": ((*by_reference, "true"), [[_agreement(one, of) for one in predicted] for of in effect]),
            "rho_null_shuffled": (
                (*by_reference, "shuffle"),
                [[_shuffled(one, of, orders) for one in predicted] for of in effect],
            ),
            "removal": (("order", "kept", "removed"), np.stack([_known_mean(curves[name]) for name in NULL_OF])),
            "removal_null_random": (("draw", "kept", "removed"), curves["random"]),
            "removal_null_random_overall": (("draw", "kept", "removed"), curves["random_overall"]),
        },
        coords={
            "reference": list(REFERENCES),
            "measure": list(LOST),
            "predictor": list(PREDICTORS),
            "order": list(NULL_OF),
            "kept": list(KEPT),
            "removed": steps,
        },
        attrs={
            "experiment": replica.experiment,
            "seed": replica.seed,
            **Units.of(replica, features).attributes(),
            "class_names": list(replica.class_names),
        },
    )


def summarize(measured: xr.Dataset) -> dict[str, float]:
    """Return what single removals cost by each reference, whether dominance foretells it, and the removal curves.

    ``first_<measure>_lost_<reference>``: the mean over classes of what the unit with the largest dominance for the
    class on one half costs on the other.
    """
    live = measured.live.values
    summary = {"live_units": float(live.sum())}
    first = np.where(live & np.isfinite(measured.dominance.values), measured.dominance.values, -np.inf).argmax(-1)
    for kind in REFERENCES:
        for what in ("log_probability", "flips"):
            lost = measured.lost.sel(reference=kind, measure=what).values[::-1].astype(np.float64)
            cost = np.take_along_axis(lost, first[..., None], -1)
            summary[f"first_{what}_lost_{kind}"] = _mean(cost) if live.any() else float("nan")
        for name in ("centred", "mean_subtracted"):
            summary[f"rho_{name}_{kind}"] = _mean(measured.rho.sel(reference=kind, predictor=name).values)
    for name in ("class", "mean_subtracted", "overall"):
        for what, value in read_curves(measured.removal.sel(order=name).values, measured).items():
            summary[f"{what}_{name}"] = float(value)
    return summary


class _Chosen:
    """What one half of the pictures says of the units: predictors, and the orders in which they are removed."""

    def __init__(self, votes: Votes, label: np.ndarray, own: np.ndarray, n_classes: int) -> None:
        part = Votes(votes.activation[own], votes.weight, votes.bias)
        units = votes.activation.shape[1]
        versions = np.full((len(VERSIONS), n_classes, units), np.nan)
        self.activation = np.zeros(units)
        if own.any():
            versions, self.activation = dominance(part, label[own], n_classes), np.abs(part.activation).mean(0)
        self.centred, self.mean_subtracted = (versions[VERSIONS.index(name)] for name in ("centred", "mean_subtracted"))
        self.live = votes.live
        self.weight_size = np.linalg.norm(votes.class_weight(centred=True), axis=0)
        seen = np.flatnonzero(np.isfinite(self.centred).all(1))
        self.others = np.full((min(_OTHERS, max(0, len(seen) - 1)), n_classes), -1)
        for shift in range(len(self.others)):
            self.others[shift, seen] = np.roll(seen, -shift - 1)

    def predictors(self) -> Mapping[str, np.ndarray]:
        """Return the ranks of every predictor, (class, unit) with 0 for dead units."""
        n_classes = len(self.centred)
        others = [self._ranked(np.where(one[:, None] >= 0, self.centred[one], np.nan)) for one in self.others]
        return {
            "centred": self._ranked(self.centred),
            "mean_subtracted": self._ranked(self.mean_subtracted),
            "other_class": np.mean(others, axis=0) if others else np.full(self.centred.shape, np.nan),
            "weight_size": np.tile(self._ranked(self.weight_size[None]), (n_classes, 1)),
            "activation": np.tile(self._ranked(self.activation[None]), (n_classes, 1)),
        }

    def _ranked(self, values: np.ndarray) -> np.ndarray:
        found = np.zeros(values.shape)
        found[:, self.live] = ranked(values[:, self.live])
        return found

    def orders(self) -> Mapping[str, np.ndarray]:
        """Return the orders of removal, (draw, class, live)."""
        n_classes = len(self.centred)
        of_class = descending(np.nan_to_num(self.centred), self.live)
        alike = {
            "overall": np.nansum(np.abs(self.centred), axis=0),
            "weight_size": self.weight_size,
            "activation": self.activation,
        }
        return {
            "class": of_class[None],
            "mean_subtracted": descending(np.nan_to_num(self.mean_subtracted), self.live)[None],
            "other_class": of_class[self.others],
            **{name: np.tile(descending(values, self.live), (1, n_classes, 1)) for name, values in alike.items()},
        }


def _removals(votes: Votes, label: np.ndarray, half: np.ndarray, chosen: list[_Chosen]) -> dict[str, np.ndarray]:
    """Return what is left after each step of each order, (draw, kept, removed), over both halves."""
    steps, n_classes = removal_steps(votes.activation.shape[1]), len(votes.weight)
    gone = votes.activation - reference(votes.activation, "mean")
    units = np.flatnonzero(votes.live)
    rng = np.random.default_rng(0)
    random = random_orders(n_classes, units, rng, _DRAWS)
    alike = np.repeat(random_orders(1, units, rng, _DRAWS), n_classes, axis=1)
    found: dict[str, np.ndarray] = {}
    for side, one in enumerate(chosen):
        scored = half != side
        part = Votes(votes.activation[scored], votes.weight, votes.bias)
        for name, order in {**one.orders(), "random": random, "random_overall": alike}.items():
            total = under_removal(part, gone[scored], label[scored], order, steps) / len(label)
            found[name] = found.get(name, 0.0) + total
    return found


def _agreement(predictor: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Return Spearman's ρ of each class, the mean over halves, of ranks (half, class, live); NaN of nothing live."""
    if not effect.shape[-1]:
        return np.full(effect.shape[1], np.nan)
    return _known_mean((predictor * effect).sum(-1))


def _shuffled(predictor: np.ndarray, effect: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Return the mean over halves and classes with units shuffled, (shuffle); orders are (half, shuffle, live)."""
    return _known_mean(np.stack([shuffled_agreement(*one) for one in zip(predictor, effect, orders, strict=True)]))


def _orders(live: int) -> np.ndarray:
    """Return the shuffles of the live units, (half, shuffle, live): the same for all that is predicted, and by all."""
    rng = np.random.default_rng(0)
    return np.array([[rng.permutation(live) for _ in range(_SHUFFLES)] for _ in range(2)])


def _known_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean along the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0).sum(0), known.sum(0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _mean(values: np.ndarray) -> float:
    return float(_known_mean(values.ravel()))

"""What does step 0 say of the end: what a unit will mean, who will dominate, who will live?

See :mod:`seedscope.lenses.evolution` for the formulas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.formulas.classes import class_means
from seedscope.formulas.correlation import directions
from seedscope.formulas.ranks import auc, shuffled_auc, top_units
from seedscope.formulas.votes import VERSIONS, Votes, centred_dominance, dominance

if TYPE_CHECKING:
    import xarray as xr

PREDICTORS = ("initial_head", "initial_tuning")
"""What of step 0 the final tuning is read from."""

CUES = ("activity", "dominance", "head")
"""What of step 0 survival is read from."""

_SHUFFLES = 2000


def foretold(start: Votes, end: Votes, label: np.ndarray, n_classes: int, top: int, seed: int) -> dict[str, Any]:
    """Return what the first frame says of the last, by the names of the measured variables.

    Args:
        start: the votes of some pictures at the first frame.
        end: the votes of the same pictures at the last.
        label: (sample).
        n_classes: number of classes.
        top: size of the top sets.
        seed: of the shuffles.
    """
    head, seen = start.class_weight(centred=True), np.unique(label)
    return {
        **_tuning(start, end, head[seen], label, n_classes, np.random.default_rng([seed, 1])),
        **_dominance(start, end, head, label, n_classes, top, np.random.default_rng([seed, 2])),
        **_survival(start, end, head, label, n_classes, np.random.default_rng([seed, 3])),
    }


def _tuning(
    start: Votes, end: Votes, head: np.ndarray, label: np.ndarray, n_classes: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Return how well the initial head rows, and the initial tuning, say what each unit is tuned to in the end."""
    seen = np.unique(label)
    tuning = [class_means(votes.activation, label, n_classes)[seen] for votes in (start, end)]
    last = end.class_weight(centred=True)[seen]
    sources = {"initial_head": head, "initial_tuning": tuning[0]}
    each, pooled, drawn = [], [], []
    for source in sources.values():
        own = _agreement(source, tuning[1])
        known = np.isfinite(own) & end.live
        each.append(np.where(known, own, np.nan))
        pooled.append(_pooled(source[:, known], tuning[1][:, known]))
        drawn.append(_shuffled(source[:, known], tuning[1][:, known], rng))
    kept = _agreement(head, last)
    return {
        "tuning_foretold": (("predictor", "unit"), np.stack(each)),
        "tuning_foretold_pooled": ("predictor", pooled),
        "tuning_foretold_null_shuffled": (("predictor", "shuffle"), np.stack(drawn)),
        "head_kept": ("unit", np.where(end.live, kept, np.nan)),
    }


def _agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Pearson's r over classes of each unit's columns of two arrays (class, unit); NaN where one is constant."""
    return np.asarray((directions(a.T, "pearson") * directions(b.T, "pearson")).sum(1))


def _pooled(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's r over all classes and units, each unit centred over classes; NaN where there is no unit."""
    flat = [(values - values.mean(0)).ravel() for values in (a, b)]
    size = np.linalg.norm(flat[0]) * np.linalg.norm(flat[1])
    return float(flat[0] @ flat[1] / size) if size > 0 else float("nan")


def _shuffled(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the mean r over units when the columns of ``a`` (class, unit) are dealt out to the units anew, (time)."""
    units = a.shape[1]
    if not units:
        return np.full(_SHUFFLES, np.nan)
    every = directions(a.T, "pearson") @ directions(b.T, "pearson").T
    order = rng.permuted(np.tile(np.arange(units), (_SHUFFLES, 1)), axis=1)
    return np.asarray(every[order, np.arange(units)].mean(1))


def _dominance(
    start: Votes,
    end: Votes,
    head: np.ndarray,
    label: np.ndarray,
    n_classes: int,
    top: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the AUC with which step 0 ranks the final top units, among those that live on and among all."""
    seen, units = np.unique(label), head.shape[1]
    final = top_units(dominance(end, label, n_classes)[:, seen], end.live, top)  # (version, class, rank)
    member = (final[..., None] == np.arange(units)).any(-2)
    whole = head[seen]
    first = centred_dominance(start, label, n_classes)[seen]
    centred = member[VERSIONS.index("centred")]
    groups = {"": end.live, "_unconditioned": end.live | start.live}
    found: dict[str, Any] = {"units_ever_live": ((), int(groups["_unconditioned"].sum()))}
    for name, group in groups.items():
        found[f"head_auc_null_sign{name}"] = ((), _mean_auc(np.sign(whole), centred, group))
    for name, scores in {"head_auc": whole, "auc": first}.items():
        found |= _held_against(f"{name}_unconditioned", scores, centred, groups["_unconditioned"], rng)
    for version, members in zip(VERSIONS, member, strict=True):
        if version != "centred":
            for name, group in groups.items():
                found |= _held_against(f"head_auc_{version}{name}", whole, members, group, rng)
    return found


def _survival(
    start: Votes, end: Votes, head: np.ndarray, label: np.ndarray, n_classes: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the AUC with which each cue of step 0 says which of the units that live then live in the end."""
    first = centred_dominance(start, label, n_classes)[np.unique(label)]
    cues = {"activity": (start.activation != 0).mean(0), "dominance": first.max(0), "head": head.max(0)}
    found: dict[str, Any] = {}
    for name in CUES:
        found |= _held_against(f"survival_{name}", cues[name][None], end.live[None], start.live, rng)
    return found


def _mean_auc(scores: np.ndarray, member: np.ndarray, group: np.ndarray) -> float:
    """Return the mean AUC over classes among a group of units, of scores and members (class, unit)."""
    return float(auc(scores[:, group], member[:, group]).mean())


def _held_against(
    name: str, scores: np.ndarray, member: np.ndarray, group: np.ndarray, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the mean AUC over classes among a group of units, and what dealing the members out anew gives."""
    return {
        f"{name}_mean": ((), _mean_auc(scores, member, group)),
        f"{name}_null_chance": ((), 0.5),
        f"{name}_null_shuffled_at_start": (
            "shuffle",
            shuffled_auc(scores[:, group], member[:, group], rng, _SHUFFLES),
        ),
    }


def foretold_numbers(root: xr.Dataset, top: int) -> dict[str, float]:
    """Return the scalars of what :func:`foretold` measured of one seed."""
    head, tuning = root["tuning_foretold"].values
    both = np.isfinite(head) & np.isfinite(tuning)
    weight, unconditioned = float(root["head_auc_mean"]), float(root["head_auc_unconditioned_mean"])
    sign, sign_of_all = float(root["head_auc_null_sign"]), float(root["head_auc_null_sign_unconditioned"])
    name = f"top{top}_head_auc_at_start"
    numbers = {
        f"{name}_null_sign": sign,
        f"{name}_gain_sign": weight - sign,
        **{
            f"{name}_{one}{of}": float(root[f"head_auc_{one}{of}_mean"])
            for one in VERSIONS
            if one != "centred"
            for of in ("", "_unconditioned")
        },
        f"{name}_unconditioned": unconditioned,
        f"{name}_unconditioned_null_sign": sign_of_all,
        f"{name}_unconditioned_gain_sign": unconditioned - sign_of_all,
        f"top{top}_auc_at_start_unconditioned": float(root["auc_unconditioned_mean"]),
        "initial_head_kept": mean_known(root["head_kept"].values),
        "tuning_from_initial_head_gain_initial_tuning": mean_known((head - tuning)[both]),
    }
    for at, predictor in enumerate(PREDICTORS):
        numbers[f"tuning_from_{predictor}"] = mean_known(root["tuning_foretold"].values[at])
        numbers[f"tuning_from_{predictor}_pooled"] = float(root["tuning_foretold_pooled"].values[at])
        numbers[f"tuning_from_{predictor}_null_shuffled"] = float(root["tuning_foretold_null_shuffled"][at].mean())
    return numbers | {f"survival_from_initial_{cue}": float(root[f"survival_{cue}_mean"]) for cue in CUES}


def mean_known(values: np.ndarray) -> float:
    """Return the mean of what is no NaN; NaN of nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")

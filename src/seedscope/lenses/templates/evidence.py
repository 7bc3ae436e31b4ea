"""What is asked of a layer: its readings over frames, their nulls, and what the figures show of it.

The readings and nulls are those of :mod:`seedscope.lenses.templates`. The null networks have the live units of the
trained one and choose their own winners: 200 networks of each kind, of wide layers as many as have 6,400 rows. What
that leaves to the draw is their Monte Carlo error: of a mean over networks their deviation / √(number of networks), of
the share of templates half the share of rows whose similarity lies within a standard error of what makes a template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seedscope.data import balanced
from seedscope.formulas.correlation import directions
from seedscope.lenses import Replica
from seedscope.lenses.templates.readings import NULLS, RANDOM, RESEMBLES, ROW_NULLS
from seedscope.lenses.templates.resemblance import MEASURES, Inputs, Readings, mean_of
from seedscope.lenses.templates.winners import Pictures, Rules, State

_NULL_NETWORKS, _NULL_ROWS = 200, 6_400  # of each kind, no more than
_AT_ONCE = 2048  # rows that are put to the inputs together
_NULL_SHOWN = 128  # rows
_PROBE_INPUTS = 128
_SHOWN = 8


@dataclass(frozen=True)
class Evidence:
    """What is asked of a layer that has rows, trained or a null's.

    Attributes:
        reading: (measure, reading).
        shuffled: the same with the winners' numbers shuffled; NaN where that says nothing.
        unit: similarity to the nearest training input, (measure, unit).
        place: that input's position, (measure, unit).
    """

    reading: np.ndarray
    shuffled: np.ndarray
    unit: np.ndarray
    place: np.ndarray

    @classmethod
    def of_all(cls, asked: Sequence[tuple[np.ndarray, State]], inputs: Inputs) -> list[Evidence]:
        """Ask each of rows (unit, input) with who wins: all at once, for all training inputs are gone through."""
        unit, place = inputs.nearest(np.concatenate([rows for rows, _ in asked]))
        ends = np.cumsum([len(rows) for rows, _ in asked])[:-1]
        parts = zip(asked, np.split(unit, ends, axis=1), np.split(place, ends, axis=1), strict=True)
        return [cls._of(rows, state, inputs, of_rows, at) for (rows, state), of_rows, at in parts]

    @classmethod
    def _of(cls, rows: np.ndarray, state: State, inputs: Inputs, unit: np.ndarray, place: np.ndarray) -> Evidence:
        found = Readings.of(rows, state.live, state.winner, inputs)
        none = np.full(len(MEASURES), np.nan)
        near = mean_of(unit[:, state.live], axis=1)
        return cls(
            np.stack([found.winning_input, found.class_mean, near, found.other_class_mean, found.other_class_means], 1),
            np.stack([found.shuffled_input, found.shuffled_mean, none, none, none], 1),
            np.where(state.live, unit, np.nan),
            place,
        )


def look(
    replica: Replica, pictures: Pictures, layer: str, source: str, frames: np.ndarray, *, is_head: bool
) -> dict[str, Any]:
    """Return the variables of one layer."""
    assert replica.frames is not None
    weight = replica.frames[f"{layer}.weight"].values.astype(np.float64)
    bias = np.zeros(weight.shape[:2])
    if f"{layer}.bias" in replica.frames:
        bias = replica.frames[f"{layer}.bias"].values.astype(np.float64)
    rules = Rules(gauge=is_head, rectified=pictures.rectified(layer))
    inputs = pictures.taken(source, int(frames[0]))
    fixed = pictures.are(inputs)
    followed = []
    for at, frame in enumerate(frames):
        if at and not fixed:
            inputs = pictures.taken(source, int(frame))
        state = State.of(weight[frame], bias[frame], inputs, rules)
        asked = [state.projected, state.rows] if at in (0, len(frames) - 1) else [state.projected]
        evidence = Evidence.of_all([(rows, state) for rows in asked], inputs)
        if not at:
            untrained = evidence[0]
        trained, reading = evidence[0], np.full((2, *evidence[0].reading.shape), np.nan)
        reading[: len(evidence)] = [one.reading for one in evidence]
        followed.append(
            {
                "similarity": (("version", "measure", "reading"), reading),
                "outside": ((), state.outside),
                "rank": ((), len(inputs.basis)),
                "agreement": (("by", "chance"), state.agreement(inputs)),
                "products": (("gauge", "part"), state.products(inputs)),
                "silent": ((), state.silent_losers(inputs)),
            }
        )
    over_frames = {
        name: (("frame", *followed[0][name][0]), np.array([one[name][1] for one in followed])) for name in followed[0]
    }
    return {
        **over_frames,
        **_judged(state, inputs, untrained, trained, _generator(replica.trained_from)),
        **_shown(state, inputs, trained, pictures),
    }


def _judged(
    state: State,
    inputs: Inputs,
    untrained: Evidence,
    trained: Evidence,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the nulls, the similarity of each row to its nearest input beside theirs, and which rows are templates."""
    own = state.projected[state.live]
    networks = {"untrained": [untrained], "mixture": [], "turned": []}
    for name, made in (("mixture", inputs.mixtures), ("turned", inputs.turned)):
        draws = max(1, min(_NULL_NETWORKS, _NULL_ROWS // len(own))) if len(own) else 0
        together = max(1, _AT_ONCE // max(1, len(own)))
        for first in range(0, draws, together):
            others = [state.replaced(made(own, rng), inputs) for _ in range(min(together, draws - first))]
            networks[name] += Evidence.of_all([(one.projected, one) for one in others], inputs)
    readings = {name: np.array([one.reading for one in found]) for name, found in networks.items() if found}
    null = {name: mean_of(found, axis=0) for name, found in readings.items()}
    error = {name: _error_of_mean(found) for name, found in readings.items()}
    null["shuffled"] = trained.shuffled
    error["shuffled"] = np.where(np.isfinite(trained.shuffled), 0.0, np.nan)  # over all shuffles
    nothing = np.full_like(trained.reading, np.nan)
    rows_of = [np.concatenate([one.unit for one in networks[name]] or [nothing[:, :0]], axis=1) for name in ROW_NULLS]
    shown = [part[:, : max(_NULL_SHOWN, len(state.rows))] for part in rows_of]
    near = np.full((len(ROW_NULLS), len(MEASURES), max(part.shape[1] for part in shown)), np.nan)
    for at, part in enumerate(shown):
        near[at, :, : part.shape[1]] = part
    pearson = {name: part[MEASURES.index("pearson")] for name, part in zip(ROW_NULLS, rows_of, strict=True)}
    unit = trained.unit[MEASURES.index("pearson")]
    lower, bar, higher = _bars({name: part[np.isfinite(part)] for name, part in pearson.items()})
    return {
        "null_similarity": (("null", "measure", "reading"), np.stack([null.get(name, nothing) for name in NULLS])),
        "null_error": (("null", "measure", "reading"), np.stack([error.get(name, nothing) for name in NULLS])),
        "null_nearest": (("row_null", "measure", "null_row"), near),
        "nearest": (("measure", "unit"), trained.unit),
        "template": (("unit",), np.where(np.isfinite(unit), unit >= bar, np.nan)),
        "template_error": ((), mean_of(np.where(np.isfinite(unit), (unit >= lower) & (unit < higher), np.nan)) / 2),
        "live": (("unit",), state.live),
        "wins": (("unit",), np.bincount(state.winner[state.winner >= 0], minlength=len(state.rows))),
    }


def _bars(near: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return above which similarity a row is a template, and that with the Monte Carlo error taken off and added.

    It is the 95 % quantile of each null's rows, and no less than ``RESEMBLES``. Its Monte Carlo error, one standard
    error, is that of the order of the drawn rows: √(0.95 · 0.05 / rows) of them.
    """
    bars = [np.full(3, RESEMBLES)]
    for name, rows in near.items():
        if len(rows):
            error = np.sqrt(0.95 * 0.05 / len(rows)) if name in RANDOM else 0.0
            bars.append(np.quantile(rows, np.clip([0.95 - error, 0.95, 0.95 + error], 0, 1)))
    return np.max(bars, axis=0)


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _error_of_mean(found: np.ndarray) -> np.ndarray:
    """Return the Monte Carlo error of the mean over networks, (network, …) → (…); one network is not drawn: 0."""
    known = np.isfinite(found).sum(0)
    deviation = np.sqrt(mean_of((found - mean_of(found, axis=0)) ** 2, axis=0))
    return np.divide(
        deviation, np.sqrt(np.maximum(known - 1, 1)), out=np.full(deviation.shape, np.nan), where=known > 0
    )


def _shown(state: State, inputs: Inputs, trained: Evidence, pictures: Pictures) -> dict[str, Any]:
    """Return what the figures show: all rows, one picture of each class, and rows with their nearest input."""
    _, first = np.unique(inputs.probe_label, return_index=True)
    winner = state.winner[first]
    alike = [
        np.einsum("si,si->s", directions(state.rows[winner], one), inputs.probe_directions[one][first])
        for one in MEASURES
    ]
    pearson = trained.unit[MEASURES.index("pearson")]
    best = np.argsort(-pearson, kind="stable")[: min(_SHOWN, int(np.isfinite(pearson).sum()))]
    place = trained.place[MEASURES.index("pearson"), best]
    some = balanced(inputs.probe_label, _PROBE_INPUTS)
    probe_near, _ = inputs.nearest(inputs.in_span(inputs.probe[some].astype(np.float64)))
    shape = pictures.probe.shape[1:] if pictures.are(inputs) else _most_square(state.rows.shape[1])
    return {
        "weight": (("unit", "input"), state.rows.astype(np.float32)),
        "shape": (("axis",), np.array(shape)),
        "exhibit_input": (("exhibit", "input"), inputs.probe[first].astype(np.float32)),
        "exhibit_winner": (("exhibit",), winner),
        "exhibit_similarity": (("measure", "exhibit"), np.where(winner >= 0, alike, np.nan)),
        "best": (("shown",), best),
        "best_input": (("shown", "input"), inputs.training[place]),
        "best_label": (("shown",), inputs.label[place]),
        "probe_nearest": (("measure",), mean_of(probe_near, axis=1)),
        "unwon": ((), (state.winner < 0).sum()),
        "constant": ((), (np.ptp(inputs.probe, axis=1) == 0).sum()),
    }


def _most_square(count: int) -> tuple[int, int]:
    """Return the factors of a number that differ least, the larger first: 128 → (16, 8)."""
    columns = max(side for side in range(1, int(np.sqrt(count)) + 1) if count % side == 0)
    return count // columns, columns

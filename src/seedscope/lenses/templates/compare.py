"""The verdict on each layer, over seeds: see :mod:`seedscope.lenses.templates` for its rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.figures import AGAINST, FOR, NEUTRAL, Axis, Dots, Facts, Grid, Key, Mark, Panel, Rule, Sheet, Spans
from seedscope.figures.over import curves_over_seeds
from seedscope.formulas.intervals import Interval, mean_interval
from seedscope.formulas.verdict import CODE, LEVEL, SEEDS, Finding, Verdict, any_of, find
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.templates.readings import JUDGED, READINGS, RESEMBLES
from seedscope.lenses.templates.words import READING_WORDS, equal_steps

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_SHORT = dict(zip(READINGS, ("winning input", "class mean", "nearest input"), strict=True))


@dataclass(frozen=True)
class _Judged:
    """A layer: what was found of each reading, and the verdict.

    Beside them of each reading the similarity of every seed, and the Monte Carlo error of the mean strongest null.
    """

    findings: Mapping[str, Finding]
    verdict: Verdict
    similarity: Mapping[str, np.ndarray]
    error: Mapping[str, float]

    @classmethod
    def of(cls, own: xr.Dataset) -> _Judged:
        last = own.similarity.isel(frame=-1).sel(JUDGED)
        similarity = {reading: last.sel(reading=reading).values for reading in READINGS}
        nulls, errors = (own[name].sel(measure="pearson") for name in ("null_similarity", "null_error"))
        findings = {
            reading: find(similarity[reading], nulls.sel(reading=reading).values, RESEMBLES) for reading in READINGS
        }
        error = {
            reading: _error(*(values.sel(reading=reading).values for values in (nulls, errors))) for reading in READINGS
        }
        return cls(*any_of(findings), similarity, error)

    @property
    def carried_by(self) -> str:
        """Return the readings that carry the verdict that the claim is supported, in words; "" of any other."""
        return ", ".join(_SHORT[reading] for reading, one in self.findings.items() if one.verdict == "supported")


def compare(measured: xr.DataTree) -> Comparison:
    """Judge every layer by its three readings."""
    judged = {str(layer): _Judged.of(group.to_dataset()) for layer, group in measured.children.items()}
    metrics: dict[str, dict[str, Any]] = {
        f"{layer}_verdict": {
            "mean": CODE[one.verdict],
            "low": None,
            "high": None,
            "n": max(finding.similarity.n for finding in one.findings.values()),
            "verdict": one.verdict,
            "carried_by": one.carried_by,
        }
        for layer, one in judged.items()
    }
    return Comparison(metrics, [_verdicts(Facts.of(measured), judged), _through_training(measured)])


def _verdicts(about: Facts, judged: Mapping[str, _Judged]) -> Sheet:
    """Show similarity and strongest null of every layer and reading over seeds, with the verdicts in words."""
    import pandas as pd

    said = ", ".join(
        f"{layer}: {one.verdict}" + (f" ({one.carried_by})" if one.carried_by else "") for layer, one in judged.items()
    )
    few = f" With fewer than {SEEDS} seeds nothing is decided." if len(about.seeds) < SEEDS else ""
    return Sheet(
        "templates_verdicts",
        about,
        "Do weights become templates?",
        f"The claim that each row comes to resemble an input, {said}. Grey: each seed; blue and orange: means with "
        "95 % t intervals over seeds, of the trained rows and of each seed's strongest null. A reading is supported "
        f"if similarity minus null lies above 0 and the similarity above {RESEMBLES}, with a one-sided p below {LEVEL} "
        "that is corrected for three readings (Holm); not supported if the interval of one of them lies wholly below; "
        "a layer is supported if one of its readings is, which carries the verdict, and not supported if all three are "
        f"not. The Monte Carlo error of the nulls' means is at most {_largest_error(judged):.1g}.{few}",
        Grid(
            [_verdict(layer, one) for layer, one in judged.items()],
            max(1, len(judged)),
            share_y=True,
            key=Key("below", columns=3),
        ),
        pd.DataFrame([row for layer, one in judged.items() for row in _verdict_rows(layer, one)]),
    )


def _error(nulls: np.ndarray, errors: np.ndarray) -> float:
    """Return the Monte Carlo error of the mean over seeds of each seed's strongest null, (seed, null)."""
    known = np.isfinite(nulls).any(1)
    if not known.any():
        return float("nan")
    strongest = np.nanargmax(nulls[known], axis=1)
    return float(np.sqrt((errors[known, :][np.arange(len(strongest)), strongest] ** 2).sum()) / len(strongest))


def _largest_error(judged: Mapping[str, _Judged]) -> float:
    return max((error for one in judged.values() for error in one.error.values() if np.isfinite(error)), default=0.0)


def _verdict(layer: str, judged: _Judged) -> Panel:
    marks: list[Mark] = [Rule(RESEMBLES, NEUTRAL, ":", 1.2, label=f"{RESEMBLES}: resembles")]
    for at, (reading, finding) in enumerate(judged.findings.items()):
        values = judged.similarity[reading]
        marks.append(Dots(np.full(len(values), at - 0.12), values, NEUTRAL, size=3, opacity=0.7))
        marks += _interval(at - 0.12, finding.similarity, FOR, "o", "trained rows")
        marks += _interval(at + 0.12, finding.null, AGAINST, "D", "strongest null")
    names = [f"{_SHORT[reading]}\n{finding.verdict}{_p(finding)}" for reading, finding in judged.findings.items()]
    lowest = min([0.0, *(float(np.nanmin(one)) for one in judged.similarity.values() if np.isfinite(one).any())])
    return Panel(
        marks,
        f"{layer}: {judged.verdict}",
        Axis(ticks=range(len(names)), names=names, low=-0.5, high=len(names) - 0.5),
        Axis("Pearson correlation, rows in the span", low=lowest, high=1.0),
        width=4.2,
        height=2.6,
    )


def _p(finding: Finding) -> str:
    return "" if finding.p is None else f"\np {finding.p:.2g}"


def _interval(at: float, interval: Interval, color: str, shape: str, label: str) -> list[Mark]:
    if interval.mean is None:
        return []
    marks: list[Mark] = [Dots([at], [interval.mean], color, shape, 5, label=label)]
    if interval.low is not None and interval.high is not None:
        marks.append(Spans([at], [interval.low], [interval.high], color, 1.6))
    return marks


def _verdict_rows(layer: str, judged: _Judged) -> list[dict[str, Any]]:
    rows = []
    for reading, finding in judged.findings.items():
        row: dict[str, Any] = {"layer": layer, "reading": reading}
        for name, interval in (
            ("similarity", finding.similarity),
            ("null", finding.null),
            ("gain", finding.excess),
        ):
            row |= {f"{name}_{key}": getattr(interval, key) for key in ("mean", "low", "high")}
        row |= {"similarity_n": finding.similarity.n}
        row |= {"null_monte_carlo_error": judged.error[reading], "p": finding.p}
        rows.append({**row, "verdict": finding.verdict, "verdict_on_layer": judged.verdict})
    return rows


def _through_training(measured: xr.DataTree) -> Sheet:
    """Show the three readings of every layer over frames, each seed and their mean with its interval."""
    step = measured.step.values
    panels, rows = [], []
    for index, (layer, group) in enumerate(measured.children.items()):
        for reading in READINGS:
            curves = group.similarity.sel({**JUDGED, "reading": reading}).values  # (seed, frame)
            panels.append(_curves(str(layer), reading, curves, step, first=index == 0))
            rows += [
                {"layer": layer, "reading": reading, "step": int(at), **mean_interval(column).as_dict()}
                for at, column in zip(step, curves.T, strict=True)
            ]
    return Sheet(
        "templates_through_training",
        Facts.of(measured),
        "Resemblance through training",
        "Similarity of rows, projected on the span of the training inputs, at some steps of the training. Grey: each "
        f"seed; blue: mean with its 95 % t interval over seeds. Dotted: {RESEMBLES}. At step 0 nothing is learned: "
        "the winner is like the input that it wins because it was chosen so.",
        Grid(panels, 3, share_x=True, share_y="row"),
        _table(rows),
    )


def _curves(layer: str, reading: str, curves: np.ndarray, step: np.ndarray, *, first: bool) -> Panel:
    known = curves[np.isfinite(curves)]
    return Panel(
        [Rule(RESEMBLES, NEUTRAL, ":", 1.0), *curves_over_seeds(np.arange(len(step)), curves)],
        READING_WORDS[reading] if first else "",
        equal_steps(step),
        Axis(f"{layer}\nPearson correlation", low=min(0.0, float(known.min(initial=0))), high=1.0),
        width=2.8,
        height=1.9,
        empty="" if len(known) else "no value",
    )


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)

"""Which claims hold of these replicas: ``reports/metrics/<experiment>.findings.json``.

    {"<claim>": {"claim", "verdict", "lens", "conditions": {"<metric>": {"is", "mean", "low", "high", "n", "null", "p",
                 "p_corrected", "draws", "bound", "worth", "verdict"}}}}

The lenses say what they claim, and what would have to be true (:mod:`seedscope.lenses.claims`); here their numbers are
put in, p-values corrected together, and the rule applied (:mod:`seedscope.formulas.finding`). A claim of a number that
there is not, such as places where none are known, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope.formulas.finding import Verdict, all_of
from seedscope.formulas.intervals import holm
from seedscope.lenses.claims import Claim, ClaimingLens, Condition
from seedscope.lenses.lens import Lens

if TYPE_CHECKING:
    import pandas as pd

Metrics = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Numbers over seeds, ``{"<lens>": {"<name>": {"mean", "low", "high", "n", …}}}``."""
Findings = dict[str, dict[str, Any]]


def findings_of(lenses: Mapping[str, Lens], metrics: Metrics) -> Findings:
    """Return the verdict on every claim that these lenses make."""
    claims = [
        (name, _as_far_as_known(claim, metrics.get(name, {})))
        for name, lens in lenses.items()
        if isinstance(lens, ClaimingLens)
        for claim in lens.claims()
        if all(one.where_known or one.metric in metrics.get(name, {}) for one in claim.conditions)
    ]
    corrected = _corrected(claims, metrics)
    return {
        claim.key: _finding(name, claim, metrics[name], {metric: corrected[name, metric] for metric in _tested(claim)})
        for name, claim in claims
    }


def findings_table(findings: Findings) -> pd.DataFrame:
    """Return a row for each condition of each claim."""
    import pandas as pd

    rows = [
        {"claim": key, "sentence": of["claim"], "verdict of the claim": of["verdict"], "metric": metric, **condition}
        for key, of in findings.items()
        for metric, condition in of["conditions"].items()
    ]
    return pd.DataFrame(rows)


def _as_far_as_known(claim: Claim, metrics: Mapping[str, Any]) -> Claim:
    return replace(claim, conditions=tuple(one for one in claim.conditions if one.metric in metrics))


def _tested(claim: Claim) -> list[str]:
    return [condition.metric for condition in claim.conditions if condition.tested]


def _corrected(claims: list[tuple[str, Claim]], metrics: Metrics) -> dict[tuple[str, str], float | None]:
    """Return Holm's p of every number that is tested, by lens and metric: one family, each number once."""
    asked = dict.fromkeys((name, metric) for name, claim in claims for metric in _tested(claim))
    p = {key: metrics[key[0]][key[1]].get("p") for key in asked}
    known = [key for key, value in p.items() if value is not None]
    found = holm(np.array([p[key] for key in known], dtype=np.float64)) if known else np.zeros(0)
    return {**dict.fromkeys(asked, None), **dict(zip(known, map(float, found), strict=True))}


def _finding(
    lens: str, claim: Claim, metrics: Mapping[str, Mapping[str, Any]], corrected: Mapping[str, float | None]
) -> dict[str, Any]:
    judged = {one.metric: _judged(one, metrics[one.metric], corrected.get(one.metric)) for one in claim.conditions}
    verdicts: list[Verdict] = [one["verdict"] for one in judged.values()]
    return {"claim": claim.sentence, "verdict": all_of(verdicts), "lens": lens, "conditions": judged}


def _judged(condition: Condition, number: Mapping[str, Any], corrected: float | None) -> dict[str, Any]:
    low, high = (number["mean"], number["mean"]) if number.get("same") else (number["low"], number["high"])
    verdict: Verdict = "undecided"
    if not condition.tested or corrected is not None:
        verdict = condition.bound.verdict(low, high, corrected if condition.tested else None)
    return {
        "is": condition.words,
        **{name: number.get(name) for name in ("mean", "low", "high", "n", "null", "p", "draws")},
        "p_corrected": corrected,
        "bound": f"{'>' if condition.bound.above else '<'} {condition.bound.at:g}",
        "worth": condition.bound.worth,
        "verdict": verdict,
    }

"""The findings as a table that can be looked at: a claim, its verdict, and the numbers that the verdict rests on."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from seedscope.figures import ABSENT, AGAINST, FOR, NEUTRAL, Axis, Facts, Mark, Panel, Rule, Sheet, Words

_COLOUR = {"holds": FOR, "does not hold": AGAINST, "undecided": NEUTRAL}
_LINE = 0.17  # inches
_WIDTH = 11.5
_COLUMNS = {"is": 0.0, "mean": 0.585, "bound": 0.735, "p": 0.815, "n": 0.885, "verdict": 0.925}
_HEADS = {
    "is": "claim, and what it rests on",
    "mean": "mean, 95 % interval",
    "bound": "bound",
    "p": "p, corr.",
    "n": "n",
    "verdict": "verdict",
}


def findings_sheet(about: Facts, findings: Mapping[str, Mapping[str, Any]]) -> Sheet:
    """Show every claim with its verdict; ``findings`` are those of :func:`seedscope.seeds.findings.findings_of`."""
    rows: list[Mark] = [Words(_COLUMNS[key], 0.0, words, 8.5, "#555555", "left") for key, words in _HEADS.items()]
    line = 1.3
    for of in findings.values():
        rows.append(Rule(line - 0.65, ABSENT, width=0.8))
        rows.append(Words(0.0, line, of["claim"], 10, align="left", bold=True))
        rows.append(_verdict(line, of["verdict"], bold=True))
        line += 1.1
        for condition in of["conditions"].values():
            lines = textwrap.wrap(str(condition["is"]), 92)
            rows += [Words(0.015, line + at, words, 8.5, align="left") for at, words in enumerate(lines)]
            rows += [Words(_COLUMNS[key], line, words, 8.5, align="left") for key, words in _numbers(condition).items()]
            rows.append(_verdict(line, condition["verdict"]))
            line += len(lines)
        line += 0.45
    return Sheet(
        "findings",
        about,
        "Which claims hold?",
        "Each claim with the numbers that it rests on: mean over seeds with its 95 % interval, the bound that all of "
        "it must lie beyond, and the p of its test, corrected for all claims of the experiment. A claim holds "
        "where all its conditions do, does not where one lies short of what would be worth saying, and is undecided "
        "else.",
        Panel(
            rows,
            x=Axis(low=0, high=1),
            y=Axis(low=line - 0.6, high=-0.8),
            width=_WIDTH,
            height=_LINE * (line + 0.2),
            axes=False,
        ),
    )


def _verdict(line: float, verdict: str, *, bold: bool = False) -> Words:
    return Words(_COLUMNS["verdict"], line, verdict, 9 if bold else 8.5, _COLOUR[verdict], "left", bold=bold)


def _numbers(condition: Mapping[str, Any]) -> dict[str, str]:
    mean, low, high, p = (condition[name] for name in ("mean", "low", "high", "p_corrected"))
    interval = "" if low is None or high is None else f" [{_short(low)}, {_short(high)}]"
    return {
        "mean": "–" if mean is None else f"{_short(mean)}{interval}",
        "bound": str(condition["bound"]),
        "p": "" if p is None else f"{p:.2g}",
        "n": str(condition["n"]),
    }


def _short(number: float) -> str:
    return f"{number:.3g}".replace("-", "−")

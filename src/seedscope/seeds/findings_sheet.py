"""The findings as a table that can be looked at: a claim, its verdict, and the numbers that the verdict rests on."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from seedscope.figures import ABSENT, AGAINST, FOR, NEUTRAL, Axis, Facts, Mark, Panel, Rule, Sheet, Words

_COLOUR = {"holds": FOR, "does not hold": AGAINST, "undecided": NEUTRAL}
_LINE = 0.17  # inches
_WIDTH = 12.5
_LONGEST = 94  # letters of a line
_COLUMNS = {"is": 0.0, "mean": 0.505, "asked": 0.665, "p": 0.787, "n": 0.86, "verdict": 0.895}
_HEADS = {
    "is": "claim, and what it rests on",
    "mean": "mean, 95 % interval",
    "asked": "asked",
    "p": "p",
    "n": "seeds",
    "verdict": "verdict",
}


def findings_sheet(about: Facts, findings: Mapping[str, Mapping[str, Any]]) -> Sheet:
    """Show every claim with its verdict; ``findings`` are those of :func:`seedscope.seeds.findings.findings_of`."""
    rows: list[Mark] = [_cell(key, 0.0, words, color="#555555") for key, words in _HEADS.items()]
    line = 1.3
    for of in findings.values():
        rows.append(Rule(line - 0.65, ABSENT, width=0.8))
        rows.append(Words(0.0, line, of["claim"], 10, align="left", bold=True))
        rows.append(_verdict(line, of["verdict"], bold=True))
        if of["p_corrected"] is not None:
            rows.append(_cell("p", line, f"{_p(of['p_corrected'])} corr.", bold=True))
        line += 1.1
        for metric, condition in of["conditions"].items():
            because = of["because"] if metric == of["decided_by"] else ""
            marks, count = _condition(line, condition, because)
            rows += marks
            line += count
        line += 0.45
    return Sheet(
        "findings",
        about,
        "Which claims hold?",
        "Each claim with the numbers that it rests on: mean over seeds with its 95 % interval; what is asked of it: "
        "beyond which bound the whole interval must lie, and what the mean must reach to be worth saying; and, where "
        "it is tested, its p. The claim's p is the largest of these, corrected for all claims of the experiment. A "
        "claim holds where all its conditions do, does not where the whole interval of one lies short of what would be "
        "worth saying, and is undecided else. → says why, below the number that decides. That a gain does not hold "
        "means that it is smaller than would be worth saying, not that it is 0.",
        Panel(
            rows,
            x=Axis(low=0, high=1),
            y=Axis(low=line - 0.6, high=-0.8),
            width=_WIDTH,
            height=_LINE * (line + 0.2),
            axes=False,
        ),
    )


def _condition(line: float, condition: Mapping[str, Any], because: str) -> tuple[list[Mark], int]:
    """Return a condition, what there is to explain below it, and how many lines that takes."""
    said = textwrap.wrap(str(condition["is"]), _LONGEST)
    why = textwrap.wrap(f"→ {because}", _LONGEST) if because else []
    rows: list[Mark] = [Words(0.015, line + at, words, 8.5, align="left") for at, words in enumerate(said)]
    rows += [Words(0.03, line + len(said) + at, words, 8.5, "#555555", "left") for at, words in enumerate(why)]
    rows += [_cell(key, line, words) for key, words in _numbers(condition).items()]
    return [*rows, _verdict(line, condition["verdict"])], len(said) + len(why)


def _cell(column: str, line: float, words: str, *, color: str = "black", bold: bool = False) -> Words:
    return Words(_COLUMNS[column], line, words, 8.5, color, "left", bold=bold)


def _verdict(line: float, verdict: str, *, bold: bool = False) -> Words:
    return Words(_COLUMNS["verdict"], line, verdict, 9 if bold else 8.5, _COLOUR[verdict], "left", bold=bold)


def _numbers(condition: Mapping[str, Any]) -> dict[str, str]:
    return {
        "mean": _mean(condition),
        "asked": condition["asked"].replace("-", "−"),
        "p": "" if condition["p"] is None else _p(condition["p"]),
        "n": str(condition["n"]),
    }


def _mean(condition: Mapping[str, Any]) -> str:
    mean, low, high = (condition[name] for name in ("mean", "low", "high"))
    if mean is None:
        return "no value"
    if condition.get("same"):
        return f"{_short(mean)}, all alike"
    return (
        f"{_short(mean)}, no interval"
        if low is None or high is None
        else f"{_short(mean)} [{_short(low)}, {_short(high)}]"
    )


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else "< 0.0001"


def _short(number: float) -> str:
    return f"{number:.3g}".replace("-", "−")

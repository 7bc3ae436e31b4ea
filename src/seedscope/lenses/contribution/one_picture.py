"""The votes in one picture: for every class, why the winner wins, and how they add up to a logit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seedscope.figures import (
    MARK,
    NEUTRAL,
    Axis,
    Bar,
    Bars,
    Beside,
    Grid,
    Mark,
    Panel,
    Rule,
    Sheet,
    Strokes,
    Words,
    board,
    centred,
    gap,
    heat_map,
    named,
    picture,
    sign_colours,
)
from seedscope.formulas.decisions import strongest_other
from seedscope.lenses.contribution.seen import Exhibit, Seen

_EACH = 20  # units shown from each end
_WIDTH = 6.2  # inches


@dataclass(frozen=True)
class _Decision:
    """The votes in one picture, units by how much they prefer the winner to the runner-up.

    Attributes:
        exhibit: the picture.
        centred: (class, unit), votes of the shown units for every class.
        margin: (unit), of the shown ones, the vote for the winner minus that for the runner-up.
        for_winner: the sum of the positive ones of all margins.
        for_second: the sum of the negative ones.
        names: of the shown units.
        which: words for these.
        scores: (class), the logits; of one logit z, −z/2 and z/2.
        winner: the class with the largest score.
        second: the runner-up.
        cut: whether units in the middle are left out.
    """

    exhibit: Exhibit
    centred: np.ndarray
    margin: np.ndarray
    for_winner: float
    for_second: float
    names: list[str]
    which: str
    scores: np.ndarray
    winner: int
    second: int
    cut: bool

    @classmethod
    def of(cls, seen: Seen, k: int) -> _Decision:
        """Read that of a class's first exhibit."""
        exhibit, votes = seen.exhibits(k)[0], seen.votes
        activation = votes.activation[exhibit.position]
        logit = seen.measured.logit.values[exhibit.position].astype(np.float64)
        winner = int(seen.measured.predicted[exhibit.position])
        second = int(strongest_other(logit[None], np.array([winner]))[0])
        margin = activation * votes.preference(winner, second)
        active = np.flatnonzero(activation)
        order = active[np.argsort(-margin[active], kind="stable")]
        cut, which = len(order) > 2 * _EACH, seen.units.active
        if cut:
            which = f"the {_EACH} highest and {_EACH} lowest of {len(active)} {which}"
            order = np.concatenate([order[:_EACH], order[-_EACH:]])
        return cls(
            exhibit=exhibit,
            centred=(activation * votes.class_weight(centred=True))[:, order],
            margin=margin[order],
            for_winner=float(np.clip(margin, 0, None).sum()),
            for_second=float(np.clip(margin, None, 0).sum()),
            names=seen.units.names(order),
            which=which,
            scores=logit if len(logit) > 1 else np.array([-logit[0], logit[0]]) / 2,
            winner=winner,
            second=second,
            cut=cut,
        )

    @property
    def lead(self) -> float:
        """Return by how much the winner leads."""
        return float(self.scores[self.winner] - self.scores[self.second])

    @property
    def left_out(self) -> list[Mark]:
        """Return the line that stands where units are left out, if they are."""
        return [gap(_EACH - 0.5)] if self.cut else []

    @property
    def units(self) -> Axis:
        """Return the axis of the shown units."""
        return named(self.names, low=-0.5, high=max(len(self.names), 1) - 0.5)


def votes_for_all_classes(seen: Seen, k: int) -> Sheet:
    """Show one picture, its votes for every class, the logits, and why the winner beats the runner-up."""
    one = _Decision.of(seen, k)
    winner, second = one.winner, one.second
    return Sheet(
        f"all_class_contrib_true{k}",
        seen.about,
        f"One picture of {seen.classes[k]}, its votes for all classes: {winner} wins over {second} by {one.lead:.2f}",
        f"One picture of {seen.classes[k]}: centred votes of its {seen.units.active} for every class, the logits that "
        f"raw votes and bias add up to, and by how much each unit prefers {winner} to {second}.",
        Grid(
            [
                picture(one.exhibit.image, one.exhibit.words, side=2.0),
                _table(one),
                _logits(one, len(seen.votes.bias) > 1),
                Panel(width=0.1, height=0.1, axes=False),
                _why(one, f"{one.which}, by this difference{seen.units.key}"),
                _sums(one),
            ],
            3,
        ),
        family="One picture's votes for all classes",
        mark=seen.classes[k],
    )


def _table(one: _Decision) -> Panel:
    classes = Axis("class voted for", range(len(one.scores)), low=len(one.scores) - 0.5, high=-0.5)
    title = "centred votes (blue: for, red: against)"
    if not one.names:
        return Panel(title=title, width=_WIDTH, height=2.5, empty="no unit is active: the biases decide")
    scale = centred(one.centred)
    marks = [heat_map(one.centred, _WIDTH, scale), *one.left_out]
    return Panel(marks, title, one.units, classes, _WIDTH, 2.5, bar=Bar(scale))


def _logits(one: _Decision, several: bool) -> Panel:
    number = np.arange(len(one.scores))
    colours = [MARK if k == one.winner else NEUTRAL for k in number]
    return Panel(
        [Bars(number, one.scores, colours, across=True), Rule(0, "black", width=0.6, across=False)],
        "logit = votes + bias" if several else "± logit / 2",
        y=Axis(ticks=number, low=len(number) - 0.5, high=-0.5),
        width=1.7,
        height=2.5,
    )


def _why(one: _Decision, below: str) -> Panel:
    title = f"why {one.winner} and not {one.second}: vote for {one.winner} minus vote for {one.second}"
    if not one.names:
        return Panel(title=title, width=_WIDTH, height=2.0, empty="no unit votes")
    bars = Bars(np.arange(len(one.margin)), one.margin, sign_colours(one.margin))
    x = replace(one.units, label=below)
    return Panel([bars, Rule(0, "black", width=0.6), *one.left_out], title, x, Axis("logit units"), _WIDTH, 2.0)


def _sums(one: _Decision) -> Panel:
    bias = one.lead - one.for_winner - one.for_second
    rows = [(f"for {one.winner}", one.for_winner), (f"for {one.second}", one.for_second), ("bias", bias)]
    marks: list[Mark] = []
    for row, (what, value) in enumerate([*rows, ("margin", one.lead)]):
        y = 0.2 + 0.22 * row
        marks.append(Words(0.0, y, what, size=9.5, align="left"))
        marks.append(Words(1.5, y, f"{value:+.2f}".replace("-", "−"), size=9.5, align="right"))
    return board(marks, 1.7, 1.1)


def waterfall(seen: Seen, k: int) -> Sheet:
    """Show how bias and raw votes, largest first, add up to the logit of a class."""
    exhibit, votes, units = seen.exhibits(k)[0], seen.votes, seen.units
    one_logit = len(votes.bias) == 1
    vote = votes.activation[exhibit.position] * votes.class_weight(centred=False)[k]
    bias = float(votes.bias[0] if one_logit else votes.bias[k]) * (-1 if one_logit and k == 0 else 1)
    active = np.flatnonzero(vote)
    order = active[np.argsort(-vote[active], kind="stable")]
    steps, names, colours, which = vote[order], units.names(order), sign_colours(vote[order]), units.active
    if len(order) > 2 * _EACH:  # the small votes in the middle stand together
        rest = steps[_EACH : 1 - _EACH].sum()
        names = [*names[:_EACH], "others", *names[1 - _EACH :]]
        steps = np.concatenate([steps[:_EACH], [rest], steps[1 - _EACH :]])
        colours = [*colours[:_EACH], "#bbbbbb", *colours[1 - _EACH :]]
        which = f"{units.active} ({len(order) - 2 * _EACH + 1} others together)"
    panel = _running_sum(
        np.concatenate([[bias], steps]), names, [NEUTRAL, *colours], f"bias, {which} by vote{units.key}, logit"
    )
    return Sheet(
        f"vote_waterfall_class{k}",
        seen.about,
        f"From bias to logit: raw votes for {seen.classes[k]} in one of its pictures",
        f"The bias, then the raw votes of the {units.active} for {seen.classes[k]} from the largest to the most "
        "negative, then the logit that they add up to.",
        Beside([panel, picture(exhibit.image, exhibit.words, side=1.45)]),
        family="From bias to logit",
        mark=seen.classes[k],
    )


def _running_sum(steps: np.ndarray, names: list[str], colours: list[str], below: str) -> Panel:
    ends, positions, last = np.cumsum(steps), np.arange(len(steps)), len(steps)
    marks: list[Mark] = [
        Bars(positions, steps, colours, base=ends - steps),
        Bars([last], ends[-1:], MARK),
        Strokes([np.array([[x, y], [x + 1, y]]) for x, y in zip(positions, ends, strict=True)], "#444444", width=0.6),
        Rule(0, "black", width=0.6),
        Words(last + 0.5, ends[-1], f"{ends[-1]:.2f}".replace("-", "−"), size=9, align="left"),
    ]
    x = named(["bias", *names, "logit"], below, low=-0.7, high=1.07 * last + 0.9)  # with room for the number
    return Panel(marks, x=x, y=Axis("running sum (logit units)"), width=8.3, height=3.1)

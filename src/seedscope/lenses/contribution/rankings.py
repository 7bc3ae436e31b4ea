"""Units by their votes, largest first: for each class, and for single pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import (
    MARK,
    Axis,
    Bars,
    Grid,
    Mark,
    Panel,
    Rule,
    Sheet,
    Spans,
    gap,
    grid_shape,
    named,
    picture,
    sign_colours,
)
from seedscope.formulas.votes import VERSIONS
from seedscope.lenses.contribution.seen import Seen
from seedscope.lenses.units import Units

if TYPE_CHECKING:
    import pandas as pd

_OF_CLASS, _OF_PICTURE = 13, 10  # units shown from each end


def ranking_of_classes(seen: Seen, watch: Sequence[int]) -> Sheet:
    """Show the mean centred votes for each class, largest first."""
    units, live = seen.units, np.flatnonzero(seen.votes.live)
    panels = [_ranking_of_class(seen, k, live, watch) for k in range(len(seen.classes))]
    which = units.live
    if len(live) > 2 * _OF_CLASS:
        which = f"{_OF_CLASS} highest and {_OF_CLASS} lowest of {len(live)} {units.live}"
    return Sheet(
        "contribution_ranking_all_classes",
        seen.about,
        "Who votes for each class? Mean centred votes",
        f"For each class, the mean centred vote of the {units.live} over the class's probe pictures, largest first; "
        "blue votes for the class, orange against it.",
        Grid(
            panels,
            grid_shape(len(panels))[1],
            share_y=True,
            x_label=f"{which} by mean vote{units.key} (line: ± 1 standard deviation)",
        ),
        table=ranking_table(seen),
    )


def _ranking_of_class(seen: Seen, k: int, live: np.ndarray, watch: Sequence[int]) -> Panel:
    own, title = seen.own(k), seen.classes[k]
    if not len(own):
        return Panel(title=title, width=3.7, height=1.65, empty="no probe picture")
    spread = own.std(0) * np.abs(seen.votes.class_weight(centred=True)[k])
    ranked = _Ranked(seen.units, watch, _OF_CLASS)
    return ranked.panel(seen.centred_dominance[k], live, 3.7, 1.65, spread, title)


def ranking_of_pictures(seen: Seen, k: int, watch: Sequence[int]) -> Sheet:
    """Show the ranked centred votes of a class's exhibits, each below its picture."""
    units, votes, exhibits = seen.units, seen.votes, seen.exhibits(k)
    weight = votes.class_weight(centred=True)[k]
    ranked = _Ranked(units, watch, _OF_PICTURE)
    of_picture = [
        ranked.panel(votes.activation[one.position] * weight, np.flatnonzero(votes.activation[one.position]), 2.6, 1.3)
        for one in exhibits
    ]
    pictures = [picture(one.image, one.words, side=1.3) for one in exhibits]
    return Sheet(
        f"contribution_ranking_class{k}_{len(exhibits)}samples",
        seen.about,
        f"Who votes for {seen.classes[k]}? Centred votes of {len(exhibits)} of its pictures",
        f"The centred votes for {seen.classes[k]} in {len(exhibits)} of its pictures, largest first, on one scale.",
        Grid(
            [*pictures, *of_picture],
            len(exhibits),
            share_y=True,
            x_label=f"{units.active}, by vote ({_OF_PICTURE} highest, {_OF_PICTURE} lowest){units.key}",
        ),
        family="Who votes for a class, in its pictures",
        mark=seen.classes[k],
    )


@dataclass(frozen=True)
class _Ranked:
    """Bars of units in descending order: ``each`` from both ends, and those that are watched."""

    units: Units
    watch: Sequence[int]
    each: int

    def panel(
        self,
        values: np.ndarray,
        chosen: np.ndarray,
        width: float,
        height: float,
        spread: np.ndarray | None = None,
        title: str = "",
    ) -> Panel:
        """Show the ``chosen`` units of largest and of smallest value in descending order, with watched ones added.

        A dotted line stands where units in between are left out.
        """
        if not len(chosen):
            return Panel(title=title, width=width, height=height, empty="no unit votes")
        order = chosen[np.argsort(-values[chosen], kind="stable")]
        marks: list[Mark] = []
        if len(order) > 2 * self.each:
            marks.append(gap(self.each - 0.5))
            order = np.concatenate([order[: self.each], order[-self.each :]])
        added = [unit for unit in self.watch if unit not in order]
        order = np.concatenate([order, np.array(added, dtype=int)])
        positions = np.arange(len(order))
        marks.append(Bars(positions, values[order], sign_colours(values[order])))
        if spread is not None:
            marks.append(Spans(positions, values[order] - spread[order], values[order] + spread[order], "#444444"))
        marks.append(Rule(0, "black", width=0.6))
        watched = {index: MARK for index, unit in enumerate(order) if unit in self.watch}
        x = named(self.units.names(order), low=-1, high=len(order), coloured=watched)
        return Panel(marks, title, x, Axis("centred vote\n(logit units)"), width=width, height=height)


def ranking_table(seen: Seen) -> pd.DataFrame:
    """Return every live unit's dominance by class and version, largest centred vote first."""
    import pandas as pd

    live = np.flatnonzero(seen.measured.live.values)
    ranked = seen.measured.dominance.sel(version=list(VERSIONS)).values[:, :, live]
    frame = pd.DataFrame(
        {
            "class": np.repeat(np.arange(ranked.shape[1]), len(live)),
            "unit": np.tile(live, ranked.shape[1]),
            "name": np.tile(np.array(seen.units.names(live), dtype=object), ranked.shape[1]),
            **{version: values.ravel() for version, values in zip(VERSIONS, ranked, strict=True)},
        }
    )
    return frame.sort_values(["class", "centred", "unit"], ascending=[True, False, True], ignore_index=True)

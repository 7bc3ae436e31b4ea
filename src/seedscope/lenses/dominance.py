"""How few units do the work?

For class k, g[k, i] = mean over the class's samples of |contribution[s, k, i]|, over the L live units; of g the Gini
coefficient, the participation ratio, the cumulative share and how many units reach 80 % (see
:mod:`seedscope.formulas.concentration`), both for raw and for class-centred contributions (see
:mod:`seedscope.formulas.votes` on the gauge). Dead units, active for no probe picture, are counted and left
out; with them every network would look sparse. The null of the share of the live units that reach 80 % is a stick
broken at random into L pieces. Where the features are the picture itself (see
:mod:`seedscope.lenses.units`) these are the pixels that are never on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seedscope.figures import (
    ABSENT,
    AGAINST,
    FOR,
    NEUTRAL,
    SEQUENTIAL,
    Axis,
    Bar,
    Bars,
    Dots,
    Facts,
    Grid,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Scale,
    Sheet,
    heat_map,
    named,
    of_member,
    shared_cells,
)
from seedscope.formulas.classes import class_means
from seedscope.formulas.concentration import (
    cumulative_share,
    gini,
    participation_ratio,
    reaching,
    share_by_broken_stick,
)
from seedscope.lenses import Network, Replica, require_dense_head
from seedscope.lenses.claims import Claim, loss
from seedscope.lenses.comparison import Headline
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_NAMED = 80  # more units than that are not named one by one
_WIDTH = 8.0  # of a panel of all units, inches


@dataclass(frozen=True)
class Dominance:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
    """

    features: str
    head: str

    shares: ClassVar[tuple[str, ...]] = ("gini_*", "median_active_share", "share_for_80_percent_*")

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features."""
        require_dense_head(network, self.features, self.head)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the mean |contribution| by class, its concentration, and how often each unit is active."""
        import xarray as xr

        votes = votes_of(replica, self.features, self.head)
        label = replica.probe.label.values
        size = np.abs(votes.activation)
        n_classes = len(replica.class_names)
        mean_size = class_means(size, label, n_classes)
        work = np.stack([mean_size * np.abs(votes.class_weight(centred=centred)) for centred in (False, True)])
        share = cumulative_share(work[..., votes.live])
        return xr.Dataset(
            {
                "work": (("gauge", "true", "unit"), work),
                "live": ("unit", votes.live),
                "active_share": ("unit", (votes.activation != 0).mean(0)),
                "gini": (("gauge", "true"), gini(work[..., votes.live])),
                "participation_ratio": (("gauge", "true"), participation_ratio(work[..., votes.live])),
                "cumulative_share": (("gauge", "true", "count"), share),
                "units_for_80_percent": (("gauge", "true"), reaching(share, 0.8)),
            },
            coords={"gauge": ["raw", "centred"], "count": np.arange(1, share.shape[-1] + 1)},
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                **Units.of(replica, self.features).attributes(),
                "class_names": list(replica.class_names),
            },
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return dead units (pixels: never on) and the concentration, averaged over classes."""
        active = measured.active_share.values[measured.live.values]
        summary = {
            "dead_units": float((~measured.live).sum()),
            "live_units": float(measured.live.sum()),
            "median_active_share": float(np.median(active)) if len(active) else float("nan"),
        }
        chance = share_by_broken_stick(int(summary["live_units"]), 0.8)
        summary["share_for_80_percent_null_broken_stick"] = chance
        for gauge in ("raw", "centred"):
            for name in ("gini", "participation_ratio", "units_for_80_percent"):
                summary[f"{name}_{gauge}"] = float(measured[name].sel(gauge=gauge).mean())
            units = summary[f"units_for_80_percent_{gauge}"]
            share = units / live if (live := summary["live_units"]) else float("nan")
            summary[f"share_for_80_percent_{gauge}"] = share
            summary[f"share_for_80_percent_{gauge}_gain_broken_stick"] = share - chance
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the cumulative curves, the work of each unit by class, and how often each unit is active."""
        measured = measured.load()
        yield _cumulative(measured)
        yield _work(measured)
        yield _activity(measured)

    def claims(self) -> tuple[Claim, ...]:
        """Return that few units hold most votes: fewer than where these are the pieces of a stick broken at random.

        Each replica is held against a stick broken into as many pieces as it has live units. That these units decide
        it does not say: what a decision loses without them is in :mod:`seedscope.lenses.ablation`.
        """
        words = "share of the live units that hold 80 % of a class's votes, less that of a stick broken at random"
        return (
            Claim(
                "few_units_decide",
                "A few of the live units hold most of the votes for a class",
                tuple(
                    loss(f"share_for_80_percent_{gauge}_gain_broken_stick", 0.05, f"{words}, {gauge}")
                    for gauge in ("raw", "centred")
                ),
            ),
        )

    def headlines(self) -> tuple[Headline, ...]:
        """Return how many units are dead, and how concentrated the votes of the others are."""
        return (
            Headline("dead_units", "dead units", whole=("dead_units", "live_units")),
            Headline("gini_centred", "Gini, centred votes"),
            Headline("units_for_80_percent_centred", "units for 80 % of a class's votes"),
        )


def _cumulative(measured: xr.Dataset) -> Sheet:
    live, units = int(measured.live.sum()), Units.measured(measured)
    return Sheet(
        "dominance_cumulative",
        Facts.of(measured),
        "How few units do the work?",
        f"The share of a class's votes, by size, that the largest 1, 2, … of the {live} {units.live} hold; the dotted "
        "line is what equal ones would give, the grey line 80 %.",
        Grid([_curves(measured.sel(gauge=gauge), units) for gauge in ("raw", "centred")], 2, share_y=True),
        table=_share_table(measured),
    )


def _curves(part: xr.Dataset, units: Units) -> Panel:
    """Show the cumulative share of each class in one gauge."""
    live, gauge = int(part.live.sum()), str(part.gauge.values)
    counts = np.concatenate([[0], part["count"].values])
    marks: list[Mark] = [
        Line(counts, np.concatenate([[0], curve]), of_member(k), width=1.2, label=str(k))
        for k, curve in enumerate(part.cumulative_share.values)
    ]
    marks += [Line([0, live], [0, 1], NEUTRAL, ":", 1.0, label="all alike"), Rule(0.8, NEUTRAL, width=0.6)]
    mean = {name: float(part[name].mean()) for name in ("gini", "participation_ratio")}
    found = (
        f": Gini {mean['gini']:.2f}, participation ratio {mean['participation_ratio']:.1f} of {live}" if live else ""
    )
    return Panel(
        marks,
        f"{gauge} votes{found}",
        Axis(f"number of {units.words}, largest first", whole=True),
        Axis("share of Σ mean |contribution|", low=0, high=1.02),
        width=4.1,
        height=3.2,
        empty="" if live else "nothing is ever active",
        key=Key("lower right", "class", columns=2) if gauge == "centred" else None,
    )


def _share_table(measured: xr.Dataset) -> pd.DataFrame:
    share = measured.cumulative_share.assign_coords(true=np.arange(measured.sizes["true"]))
    return share.to_series().rename("share").reset_index().rename(columns={"true": "class"})


def _work(measured: xr.Dataset) -> Sheet:
    live, called = np.flatnonzero(measured.live.values), Units.measured(measured)
    work = measured.work.sel(gauge="centred").values[:, live]
    order = np.argsort(-np.nansum(work, axis=0), kind="stable")
    few = len(live) <= _NAMED
    below = f"{called.live}, by their sum over classes{called.key if few else ''}"
    end = max(len(live), 1) - 0.5
    scale = Scale(0.0, float(np.nanmax(work, initial=0.0)) or 1.0, SEQUENTIAL, ABSENT)  # absent: no pictures
    panel = Panel(
        [heat_map(work[:, order], _WIDTH, scale)] if len(live) else [],
        x=named(called.names(live[order]), below, low=-0.5, high=end)
        if few
        else Axis(below, whole=True, low=-0.5, high=end),
        y=Axis("class", range(len(work)), low=len(work) - 0.5, high=-0.5),
        width=_WIDTH,
        height=3.0,
        empty="" if len(live) else "nothing is ever active",
        bar=Bar(scale, "mean |centred vote| (logit units)"),
    )
    return Sheet(
        "dominance_units",
        Facts.of(measured),
        f"Mean |centred vote| of the {called.live} for each class",
        f"How much each of the {called.live} moves each class, whether for or against, averaged over the class's probe "
        "pictures." + shared_cells(max(1, len(live)), _WIDTH),
        panel,
    )


def _activity(measured: xr.Dataset) -> Sheet:
    share, live, units = measured.active_share.values, measured.live.values, Units.measured(measured)
    order = np.argsort(-share, kind="stable")
    few = len(order) <= _NAMED
    below = f"{units.words}, most often active first{units.key if few else ''}"
    dead = np.flatnonzero(~live[order])
    asked = (
        "How often is each pixel on?" if units.kind == "pixel" else f"How often is each unit of {units.layer} active?"
    )
    panel = Panel(
        [
            Bars(np.arange(len(order)), share[order], FOR, width=0.8 if few else 1.0),
            Dots(dead, np.zeros(len(dead)), AGAINST, "x", label=units.silent if len(dead) else ""),
        ],
        x=named(units.names(order), below, low=-1, high=len(order))
        if few
        else Axis(below, whole=True, low=-1, high=len(order)),
        y=Axis("share of probe pictures", low=-0.02, high=1.02),
        width=9.0,
        height=2.2,
        key=Key("upper right"),
    )
    return Sheet(
        "unit_activity",
        Facts.of(measured),
        f"{asked} {int((~live).sum())} of {len(live)} never",
        f"The share of probe pictures for which each of the {units.words} is not zero; a cross: {units.silent}.",
        panel,
    )

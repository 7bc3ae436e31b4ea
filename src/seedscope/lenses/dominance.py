"""How few units do the work?

For class k, g[k, i] = mean over the class's samples of |contribution[s, k, i]|, over the L live units; of g the Gini
coefficient, the participation ratio, the cumulative share and how many units reach 80 % (see
:mod:`seedscope.formulas.concentration`), both for raw and for class-centred contributions (see
:mod:`seedscope.formulas.votes` on the gauge). Dead units, active for no probe picture, are counted and left
out; with them every network would look sparse. Where the features are the picture itself (see
:mod:`seedscope.lenses.units`) these are the pixels that are never on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.files.names import in_a_sentence
from seedscope.formulas.classes import class_means
from seedscope.formulas.concentration import cumulative_share, gini, participation_ratio, reaching
from seedscope.lenses import Network, Replica, require_dense_head
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import xarray as xr


_NAMED = 80  # more units than that are not named one by one


@dataclass(frozen=True)
class Dominance:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
    """

    features: str
    head: str

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
        for gauge in ("raw", "centred"):
            for name in ("gini", "participation_ratio", "units_for_80_percent"):
                summary[f"{name}_{gauge}"] = float(measured[name].sel(gauge=gauge).mean())
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the cumulative curves, the work of each unit by class, and how often each unit is active."""
        measured = measured.load()
        yield _cumulative(measured)
        yield _work(measured)
        yield _activity(measured)


def _title(what: str, measured: xr.Dataset) -> str:
    return f"{what} ({measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])})"


def _cumulative(measured: xr.Dataset) -> Drawing:
    live = int(measured.live.sum())
    figure = figures.canvas(_title("How few units do the work?", measured), 9.5, 4.6)
    axes = figures.panels(figure, 1, 2, share_y=True, top=0.8, wspace=0.08)
    for ax, gauge in zip(axes, ("raw", "centred"), strict=True):
        part = measured.sel(gauge=gauge)
        if not live:
            figures.say(ax, "nothing is ever active")
            ax.set_title(f"{gauge} votes", fontsize=9.5)
            continue
        counts = np.concatenate([[0], part["count"].values])
        for k in range(part.sizes["true"]):
            curve = np.concatenate([[0], part.cumulative_share.values[k]])
            ax.plot(counts, curve, color=figures.PALETTE[k % 10], linewidth=1.2, label=str(k))
        ax.plot([0, live], [0, 1], ":", color=figures.NEUTRAL, linewidth=1, label="all alike")
        ax.axhline(0.8, color=figures.NEUTRAL, linewidth=0.6)
        ax.set_title(
            f"{gauge} votes: Gini {float(part.gini.mean()):.2f}, participation ratio "
            f"{float(part.participation_ratio.mean()):.1f} of {live}",
            fontsize=9.5,
        )
        ax.set_xlabel(f"number of {Units.measured(measured).words}, largest first", fontsize=9)
        figures.count_axis(ax)
    axes[0].set_ylabel("share of Σ mean |contribution|", fontsize=9)
    axes[0].set_ylim(0, 1.02)
    if live:
        axes[1].legend(title="class", fontsize=8, title_fontsize=8, frameon=False, loc="lower right", ncols=2)
    table = (
        measured.cumulative_share.assign_coords(true=np.arange(measured.sizes["true"]))
        .to_series()
        .rename("share")
        .reset_index()
        .rename(columns={"true": "class"})
    )
    return Drawing(
        "dominance_cumulative",
        figure,
        f"The share of a class's votes, by size, that the largest 1, 2, … of the {live} "
        f"{Units.measured(measured).live} hold; the dotted line is what equal ones would give, the grey line 80 %.",
        table,
    )


def _work(measured: xr.Dataset) -> Drawing:
    from matplotlib.colors import Normalize

    units = np.flatnonzero(measured.live.values)
    work = measured.work.sel(gauge="centred").values[:, units]
    called = Units.measured(measured)
    named = len(units) <= _NAMED
    room = called.room if named else 0.0
    figure = figures.canvas(
        _title(f"Mean |centred vote| of the {called.live} for each class", measured), 10, 4.2 + room
    )
    (ax,) = figures.panels(figure, 1, 1, right=1.3, bottom=0.65 + room)
    order = np.argsort(-np.nansum(work, axis=0), kind="stable")
    if len(units):
        ax.set_facecolor("#d9d9d9")  # classes without pictures
        reach = float(np.nanmax(work)) or 1.0
        image = figures.heat_map(ax, work[:, order], Normalize(0, reach), figures.SEQUENTIAL)
        figures.color_bar(figure, image, (0.9, 0.16, 0.015, 0.7), "mean |centred vote| (logit units)")
    else:
        figures.say(ax, "nothing is ever active")
        ax.set_ylim(len(work) - 0.5, -0.5)
    ax.set_yticks(range(len(work)))
    ax.set_ylabel("class", fontsize=9)
    if named:
        figures.label_units(ax, called.names(units[order]))
    ax.set_xlabel(f"{called.live}, by their sum over classes{called.key if named else ''}", fontsize=9)
    return Drawing(
        "dominance_units",
        figure,
        f"How much each of the {called.live} moves each class, whether for or against, averaged over the class's probe "
        "pictures." + figures.shared_cells(ax, len(units)),
    )


def _activity(measured: xr.Dataset) -> Drawing:
    share, live = measured.active_share.values, measured.live.values
    order = np.argsort(-share, kind="stable")
    units = Units.measured(measured)
    named = len(order) <= _NAMED
    room = units.room if named else 0.0
    asked = (
        "How often is each pixel on?" if units.kind == "pixel" else f"How often is each unit of {units.layer} active?"
    )
    title = _title(f"{asked} {int((~live).sum())} of {len(live)} never", measured)
    figure = figures.canvas(title, 10, 3.4 + room)
    (ax,) = figures.panels(figure, 1, 1, bottom=0.65 + room)
    positions = np.arange(len(order))
    figures.bars(ax, positions, share[order], figures.FOR, width=0.8 if named else 1.0)
    dead = positions[~live[order]]
    ax.plot(dead, np.zeros(len(dead)), "x", color=figures.AGAINST, markersize=4, label=units.silent)
    if named:
        figures.label_units(ax, units.names(order))
    ax.set_xlim(-1, len(order))
    ax.set_ylim(-0.02, 1.02)
    ax.set_ylabel("share of probe pictures", fontsize=9)
    ax.set_xlabel(f"{units.words}, most often active first{units.key if named else ''}", fontsize=9)
    if len(dead):
        ax.legend(fontsize=8, frameon=False)
    return Drawing(
        "unit_activity",
        figure,
        f"The share of probe pictures for which each of the {units.words} is not zero; a cross: {units.silent}.",
    )

"""Which units vote for a class?

The votes, their gauge and the four versions of dominance stand in :mod:`seedscope.formulas.votes`. ``centred`` ranks
the units. Dead units, active for no probe picture, are counted, never ranked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.places import Places, places_figure
from seedscope.files.errors import SettingError
from seedscope.files.names import in_a_sentence
from seedscope.formulas.classes import class_means
from seedscope.formulas.decisions import predicted_class, strongest_other
from seedscope.formulas.overlap import top_overlap, top_overlap_by_chance
from seedscope.formulas.ranks import top_units
from seedscope.formulas.votes import VERSIONS, dominance, largest_vote_class, positive_share
from seedscope.lenses import Network, Replica, require_dense_head
from seedscope.lenses.units import Units
from seedscope.lenses.votes import measured_votes, votes_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

    from seedscope.lenses.comparison import Comparison

_READABLE = 150  # more units than that are drawn without gaps


@dataclass(frozen=True)
class Contribution:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
        top: how many units count as dominant.
        watch: units that rankings always name, also where they are not among the top.
    """

    features: str
    head: str
    top: Annotated[int, Ge(1)] = 5
    watch: Sequence[Annotated[int, Ge(0)]] = ()

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features, and units that it does not have."""
        require_dense_head(network, self.features, self.head)
        units = network.weights[f"{self.head}.weight"][1]
        if self.top > units:
            raise SettingError("top", f"{self.top} is out of range: {self.features!r} has {units} units")
        for unit in self.watch:
            if unit >= units:
                raise SettingError(
                    "watch", f"unit {unit} is out of range: {self.features!r} has units 0 to {units - 1}"
                )

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the factors of every vote and what follows from them; ``true`` is the class of a sample."""
        import xarray as xr

        votes = votes_of(replica, self.features, self.head)
        label = replica.probe.label.values
        network_logit = replica.activations["logit"].values.astype(np.float64)
        n_classes = len(replica.class_names)
        ranked = dominance(votes, label, n_classes)
        sample = replica.probe.sample.values
        shown = _exhibit_table(replica.exhibits, sample, label, n_classes)
        own_mean = class_means(votes.activation, label, n_classes)
        return xr.Dataset(
            {
                "activation": (("sample", "unit"), votes.activation.astype(np.float32)),
                "weight": (("target", "unit"), votes.weight.astype(np.float32)),
                "bias": ("target", votes.bias.astype(np.float32)),
                "logit": (("sample", "target"), network_logit.astype(np.float32)),
                "label": ("sample", label),
                "predicted": ("sample", predicted_class(network_logit)),
                "completeness_error": ("sample", np.abs(votes.logit() - network_logit).max(1)),
                "live": ("unit", votes.live),
                "mean_vote": (("true", "target", "unit"), own_mean[:, None, :] * votes.weight),
                "dominance": (("version", "true", "unit"), ranked),
                "top": (("version", "true", "rank"), top_units(ranked, votes.live, self.top)),
                "positive_share": (
                    ("gauge", "sample"),
                    [positive_share(votes, label, centred=centred) for centred in (False, True)],
                ),
                "largest_vote_class": (
                    ("gauge", "sample"),
                    [largest_vote_class(votes, centred=centred) for centred in (False, True)],
                ),
                "exhibit": (("true", "shown"), shown),
                "exhibit_image": (
                    ("true", "shown", "channel", "y", "x"),
                    _exhibit_images(replica, shown),
                ),
            },
            coords={
                "sample": sample,
                "version": list(VERSIONS),
                "gauge": ["raw", "centred"],
            },
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                **Units.of(replica, self.features).attributes(),
                "head": self.head,
                "class_names": list(replica.class_names),
            },
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return completeness, how votes are shared out, and whether the versions of dominance agree.

        Pictures that no unit votes on and classes without pictures do not count. Two random sets of t of L live units
        share t²/L by chance.
        """
        voted = (measured.activation != 0).any("unit")
        loses = (measured.largest_vote_class != measured.predicted).astype(np.float64).where(voted)
        share = measured.positive_share.mean("sample")
        summary = {"completeness_error": float(measured.completeness_error.max())}
        for gauge in ("raw", "centred"):
            summary[f"positive_share_{gauge}"] = float(share.sel(gauge=gauge))
            summary[f"largest_vote_loses_{gauge}"] = float(loses.sel(gauge=gauge).mean())
        live = int(measured.live.sum())
        seen = np.isin(np.arange(measured.sizes["true"]), measured.label) & (live > 0)
        reference = measured.top.sel(version="centred").values[seen]
        for version in VERSIONS:
            if version != "centred":
                other = measured.top.sel(version=version).values[seen]
                both = top_overlap(reference, other)
                summary[f"top{self.top}_shared_with_{version}"] = float(both.mean()) if len(both) else float("nan")
        summary[f"top{self.top}_shared_by_chance"] = top_overlap_by_chance(self.top, live)
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the figures of the module; those of one class only where the class has exhibits."""
        measured = measured.load()
        units = Units.measured(measured)
        if units.kind == "dense":
            yield _unit_outputs(measured)
        else:
            yield _outputs_by_place(measured, units)
            yield _votes_by_place(measured, units)
        yield _head_weights(measured)
        yield _ranking_of_classes(measured, self.watch)
        for k in range(measured.sizes["true"]):
            if measured.exhibit.values[k, 0] >= 0:
                yield _ranking_of_samples(measured, k, self.watch)
                yield _votes_for_all_classes(measured, k)
                yield _waterfall(measured, k)

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Compare which units dominate; units are matched by their number (see ``compare.py``)."""
        from seedscope.lenses.contribution.compare import compare_dominance

        return compare_dominance(measured, self.top)


def ranking_table(measured: xr.Dataset) -> pd.DataFrame:
    """Return every live unit's dominance by class and version, largest centred vote first."""
    import pandas as pd

    live = np.flatnonzero(measured.live.values)
    ranked = measured.dominance.sel(version=list(VERSIONS)).values[:, :, live]
    frame = pd.DataFrame(
        {
            "class": np.repeat(np.arange(ranked.shape[1]), len(live)),
            "unit": np.tile(live, ranked.shape[1]),
            "name": np.tile(np.array(Units.measured(measured).names(live), dtype=object), ranked.shape[1]),
            **{version: values.ravel() for version, values in zip(VERSIONS, ranked, strict=True)},
        }
    )
    return frame.sort_values(["class", "centred", "unit"], ascending=[True, False, True], ignore_index=True)


def _exhibit_table(exhibits: np.ndarray, sample: np.ndarray, label: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the exhibits' positions by class, (true, shown); −1 where a class has fewer."""
    position = np.searchsorted(sample, exhibits)
    rows = [position[label[position] == k] for k in range(n_classes)]
    table = np.full((n_classes, max(len(row) for row in rows)), -1)
    for k, row in enumerate(rows):
        table[k, : len(row)] = row
    return table


def _exhibit_images(replica: Replica, shown: np.ndarray) -> np.ndarray:
    images = np.full((*shown.shape, *replica.probe.image.shape[1:]), np.nan, dtype=np.float32)
    for place in np.argwhere(shown >= 0):
        k, column = place
        images[k, column] = replica.probe.image.isel(sample=int(shown[k, column])).values
    return images


def _of(measured: xr.Dataset) -> str:
    return f"{measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])}"


def _class(measured: xr.Dataset, k: int) -> str:
    name = list(np.atleast_1d(measured.attrs["class_names"]))[k]
    return f"class {k}" if name == str(k) else f"class {k} ({name})"


def _verdict(measured: xr.Dataset, position: int) -> str:
    label, predicted = int(measured.label[position]), int(measured.predicted[position])
    return "decided correctly" if label == predicted else f"wrongly decided as {predicted}"


def _unit_outputs(measured: xr.Dataset) -> Drawing:
    """Draw the outputs of all units by class: one sample, mean and spread."""
    activation, label = measured.activation.values, measured.label.values
    units = np.arange(measured.sizes["unit"])
    n_classes, dead = measured.sizes["true"], ~measured.live.values
    rows, columns = figures.grid_shape(n_classes)
    dead_words = f"{int(dead.sum())} of {len(units)} units dead"
    title = f"Outputs of {measured.attrs['features']} by class ({_of(measured)}; {dead_words})"
    figure = figures.canvas(title, 3.6 * columns, 2.1 * rows + 0.9)
    axes = figures.panels(
        figure, rows, columns, n_classes, share_x=True, share_y=True, top=0.75, hspace=0.3, wspace=0.08
    )
    many = len(units) > _READABLE  # then bars touch, and lines and dots would hide them
    low = high = 0.0
    for k, ax in enumerate(axes):
        own = activation[label == k]
        ax.set_title(_class(measured, k), fontsize=9)
        if not len(own):
            figures.say(ax, "no probe picture")
            continue
        mean, deviation = own.mean(0), own.std(0)
        below, above = mean - deviation, mean + deviation
        if (activation >= 0).all():
            below = np.maximum(below, 0)
        position = measured.exhibit.values[k, 0]
        figures.bars(ax, units, mean, figures.FOR, width=1.0 if many else 0.8)
        spread = {"colors": "#bbbbbb", "zorder": 0.9} if many else {"colors": "#444444"}
        figures.spans(ax, units[~dead], below[~dead], above[~dead], **spread)
        dot = 1.5 if many else 4
        ax.plot(units[~dead], activation[position][~dead], ".", color=figures.AGAINST, markersize=dot)
        ax.plot(units[dead], np.zeros(int(dead.sum())), "|", color=figures.NEUTRAL, markersize=4)
        low = min(low, float(below.min()), float(activation[position].min()))
        high = max(high, float(above.max()), float(activation[position].max()))
    reach = (high - low) or 1.0
    axes[0].set_ylim(low - 0.03 * reach, low + 1.05 * reach)
    axes[0].set_xlim(-1, len(units))
    figures.count_axis(axes[0])
    figure.supxlabel(f"unit of {measured.attrs['features']}", fontsize=9)
    figure.supylabel("activation", fontsize=9, x=0.005)
    figure.text(
        0.5,
        1 - 0.42 / figure.get_figheight(),
        "bar: mean over the class   line: ± 1 standard deviation   orange dot: one sample   grey tick: dead unit",
        ha="center",
        fontsize=8.5,
    )
    return Drawing(
        f"{measured.attrs['features']}_all_classes",
        figure,
        f"The {len(units)} outputs of {measured.attrs['features']} for each class's probe pictures: mean (bar), one "
        "standard deviation (line) and one exhibit (dot). Dead units are active for no probe picture.",
    )


def _outputs_by_place(measured: xr.Dataset, units: Units) -> Drawing:
    """Draw the outputs of a map or of the picture by class: means over places, and means over channels."""
    activation, label = measured.activation.values, measured.label.values
    classes = range(measured.sizes["true"])
    folded = units.folded(activation)
    of_channel, of_place = folded.mean(-1), folded.mean(-2)
    shown = Places(
        class_means(of_channel, label, len(classes)),
        np.stack([_deviation(of_channel[label == k]) for k in classes]),
        class_means(of_place, label, len(classes)).reshape(-1, *units.shape[1:]),
        _off(measured, units),
    )
    silent = f"{int((~measured.live.values).sum())} of {units.count} {units.silent}"
    what = "brightness" if units.kind == "pixel" else "activation"
    below = "colour: mean of the class's pictures"
    if units.channels > 1:
        below = f"bar: channel, mean over places, ± 1 standard deviation   {below}, mean over channels"
    figure = places_figure(
        f"Outputs of {units.layer} by class ({_of(measured)}; {silent})",
        below,
        [_class(measured, k) for k in classes],
        shown,
        what,
    )
    return Drawing(
        f"{units.layer}_all_classes",
        figure,
        f"The {units.count} outputs of {units.layer} for each class's probe pictures, by channel and place: {below}. "
        f"Grey places are {units.silent}.",
    )


def _votes_by_place(measured: xr.Dataset, units: Units) -> Drawing:
    """Draw the mean centred votes of a map or of the picture: sums over places, and sums over channels."""
    votes = measured_votes(measured)
    label, weight = measured.label.values, votes.class_weight(centred=True)
    classes = range(measured.sizes["true"])
    ranked = units.folded(measured.dominance.sel(version="centred").values)
    of_channel = [units.folded(votes.activation[label == k] * weight[k]).sum(-1) for k in classes]
    shown = Places(
        ranked.sum(-1),
        np.stack([_deviation(values) for values in of_channel]),
        ranked.sum(-2).reshape(-1, *units.shape[1:]),
        _off(measured, units),
    )
    below, sums = "colour: votes of a place", ""
    if units.channels > 1:
        below = "bar: votes of a channel, ± 1 standard deviation   colour: votes of a place, all channels together"
        sums = " Bars, and colours, add up to the same total."
    figure = places_figure(
        f"Where do the votes for each class come from? Mean centred votes of {units.layer} ({_of(measured)})",
        below,
        [_class(measured, k) for k in classes],
        shown,
        "centred vote (logit units)",
    )
    return Drawing(
        "contribution_by_place",
        figure,
        f"The mean centred votes for each class in the class's own probe pictures, by channel and place: {below}. Blue "
        f"votes for the class, red or orange against it.{sums} Grey places are {units.silent}.",
    )


def _deviation(values: np.ndarray) -> np.ndarray:
    return values.std(0) if len(values) else np.full(values.shape[1], np.nan)


def _off(measured: xr.Dataset, units: Units) -> np.ndarray:
    """Return the places (y, x) at which no unit is ever active."""
    return np.asarray(~units.folded(measured.live.values).any(axis=0).reshape(units.shape[1:]))


def _head_weights(measured: xr.Dataset) -> Drawing:
    """Draw the head's weights as they are and centred over classes, on one scale."""
    votes = measured_votes(measured)
    raw, centred = votes.class_weight(centred=False), votes.class_weight(centred=True)
    scale = figures.centred(raw)
    figure = figures.canvas(f"Weights of {measured.attrs['head']} ({_of(measured)})", 11, 5.6)
    axes = figures.panels(figure, 2, 1, right=1.2, hspace=0.45, bottom=0.6)
    dead, units = np.flatnonzero(~measured.live.values), Units.measured(measured)
    for ax, weight, words in zip(axes, (raw, centred), ("as trained", "centred over classes"), strict=True):
        image = figures.heat_map(ax, weight, scale)
        ax.set_title(f"{words} (× : {units.silent})", fontsize=10)
        ax.set_ylabel("class voted for", fontsize=9)
        ax.set_yticks(range(len(weight)))
        below = np.full(len(dead), -0.03)  # of the panel's height, under its lower edge
        ax.plot(
            dead,
            below,
            "x",
            color=figures.NEUTRAL,
            markersize=4,
            clip_on=False,
            transform=ax.get_xaxis_transform(),
        )
        figures.count_axis(ax)
        ax.tick_params(axis="x", pad=8)
    axes[1].set_xlabel(f"number of the {units.words}", fontsize=9)
    figures.color_bar(figure, image, (0.92, 0.12, 0.015, 0.74), "weight")
    return Drawing(
        f"{measured.attrs['head']}_weights",
        figure,
        f"Weights of {measured.attrs['head']}, one row per class and one column per unit. The lower panel takes away "
        "what a unit gives to all classes alike, which changes no decision."
        + figures.shared_cells(axes[0], measured.sizes["unit"]),
    )


def _ranked_bars(
    ax: Axes,
    values: np.ndarray,
    units: np.ndarray,
    shown: int,
    watch: Sequence[int],
    called: Units,
    spread: np.ndarray | None = None,
) -> None:
    """Draw the ``shown`` units of largest and of smallest value in descending order, with watched ones added.

    A dotted line stands where units in between are left out.
    """
    if not len(units):
        figures.say(ax, "no unit votes")
        return
    order = units[np.argsort(-values[units], kind="stable")]
    if len(order) > 2 * shown:
        figures.gap(ax, shown - 0.5)
        order = np.concatenate([order[:shown], order[-shown:]])
    added = [unit for unit in watch if unit not in order]
    order = np.concatenate([order, np.array(added, dtype=int)])
    positions = np.arange(len(order))
    figures.bars(ax, positions, values[order], figures.sign_colors(values[order]))
    if spread is not None:
        figures.spans(ax, positions, values[order] - spread[order], values[order] + spread[order], colors="#444444")
    ax.axhline(0, color="black", linewidth=0.6)
    figures.label_units(ax, called.names(order))
    for tick, unit in zip(ax.get_xticklabels(), order, strict=True):
        if unit in watch:
            tick.set_color(figures.MARK)
            tick.set_fontweight("bold")
    ax.set_xlim(-1, max(len(order), 1))


def _ranking_of_classes(measured: xr.Dataset, watch: Sequence[int]) -> Drawing:
    """Draw the mean centred votes for each class, largest first."""
    votes = measured_votes(measured)
    label, live = measured.label.values, np.flatnonzero(votes.live)
    weight = votes.class_weight(centred=True)
    ranked = measured.dominance.sel(version="centred").values
    n_classes = measured.sizes["true"]
    rows, columns = figures.grid_shape(n_classes)
    title = f"Who votes for each class? Mean centred votes ({_of(measured)})"
    units = Units.measured(measured)
    figure = figures.canvas(title, 4.2 * columns, (2.3 + units.room) * rows + 0.9)
    axes = figures.panels(
        figure,
        rows,
        columns,
        n_classes,
        share_y=True,
        top=0.65,
        bottom=0.55 + units.room,
        hspace=0.5 + 0.75 * units.room,
        wspace=0.06,
    )
    for k, ax in enumerate(axes):
        ax.set_title(_class(measured, k), fontsize=9)
        own = label == k
        if own.any():
            spread = votes.activation[own].std(0) * np.abs(weight[k])
            _ranked_bars(ax, ranked[k], live, 13, watch, units, spread)
        else:
            figures.say(ax, "no probe picture")
    which = units.live if len(live) <= 26 else f"13 highest and 13 lowest of {len(live)} {units.live}"
    figure.supxlabel(
        f"{which} by mean vote{units.key} (line: ± 1 standard deviation)",
        fontsize=9,
    )
    figure.supylabel("centred vote (logit units)", fontsize=9, x=0.005)
    return Drawing(
        "contribution_ranking_all_classes",
        figure,
        f"For each class, the mean centred vote of the {units.live} over the class's probe pictures, largest first; "
        "blue votes for the class, orange against it.",
        ranking_table(measured),
    )


def _ranking_of_samples(measured: xr.Dataset, k: int, watch: Sequence[int]) -> Drawing:
    """Draw the ranked centred votes of a class's exhibits, each below its picture."""
    votes = measured_votes(measured)
    weight = votes.class_weight(centred=True)[k]
    live = np.flatnonzero(votes.live)
    shown = [position for position in measured.exhibit.values[k] if position >= 0]
    title = f"Who votes for {_class(measured, k)}? Centred votes of {len(shown)} of its pictures ({_of(measured)})"
    units = Units.measured(measured)
    figure = figures.canvas(title, 2.9 * max(len(shown), 3) + 0.8, 4.4 + units.room)
    axes = figures.panels(figure, 2, len(shown), hspace=0.28, wspace=0.08, top=0.75, bottom=0.7 + units.room)
    for column, position in enumerate(shown):
        figures.show_picture(axes[column], measured.exhibit_image.values[k, column])
        sample = int(measured.sample[position])
        axes[column].set_title(f"sample {sample}\n{_verdict(measured, position)}", fontsize=8.5)
        ax = axes[len(shown) + column]
        if column:
            ax.sharey(axes[len(shown)])
            ax.tick_params(labelleft=False)
        vote = votes.activation[position] * weight
        active = live[votes.activation[position][live] != 0]
        _ranked_bars(ax, vote, active, 10, watch, units)
    axes[len(shown)].set_ylabel("centred vote (logit units)", fontsize=9)
    figure.supxlabel(f"{units.active}, by vote (10 highest, 10 lowest){units.key}", fontsize=9)
    return Drawing(
        f"contribution_ranking_class{k}_{len(shown)}samples",
        figure,
        f"The centred votes for {_class(measured, k)} in {len(shown)} of its pictures, largest first, on one scale.",
    )


def _votes_for_all_classes(measured: xr.Dataset, k: int) -> Drawing:
    """Draw one sample, its votes for every class, the logits, and why the winner beats the runner-up."""
    votes = measured_votes(measured)
    position = int(measured.exhibit.values[k, 0])
    activation = votes.activation[position]
    centred = activation * votes.class_weight(centred=True)
    active = np.flatnonzero(activation)
    logit = measured.logit.values[position].astype(np.float64)
    scores = logit if len(logit) > 1 else np.array([-logit[0], logit[0]]) / 2
    winner = int(measured.predicted[position])
    second = int(strongest_other(logit[None], np.array([winner]))[0])
    margin = activation * votes.preference(winner, second)
    order = active[np.argsort(-margin[active], kind="stable")]
    cut = len(order) > 40
    if cut:
        order = np.concatenate([order[:20], order[-20:]])
    lead = scores[winner] - scores[second]
    units = Units.measured(measured)
    names = units.names(order)
    figure = figures.canvas(
        f"One picture of {_class(measured, k)}, its votes for all classes ({_of(measured)}): "
        f"{winner} wins over {second} by {lead:.2f}",
        12,
        6.6 + 2 * units.room,
    )
    grid = figure.add_gridspec(
        2,
        3,
        width_ratios=[1.5, 4.6, 1.3],
        height_ratios=[1.25, 1],
        left=0.02,
        right=0.985,
        top=0.88,
        bottom=(0.6 + units.room) / (6.6 + 2 * units.room),
        wspace=0.24,
        hspace=0.3 + 0.4 * units.room,
    )
    picture = figure.add_subplot(grid[0, 0])
    figures.show_picture(picture, measured.exhibit_image.values[k, 0])
    picture.set_title(f"sample {int(measured.sample[position])}\n{_verdict(measured, position)}", fontsize=9)
    table = figure.add_subplot(grid[0, 1])
    table.set_yticks(range(len(scores)))
    table.set_ylabel("class voted for", fontsize=9)
    table.set_title("centred votes (blue: for, red: against)", fontsize=9)
    if len(order):
        image = figures.heat_map(table, centred[:, order], figures.centred(centred))
        box = table.get_position()
        figures.color_bar(figure, image, (box.x1 + 0.008, box.y0, 0.008, box.height), "")
    else:
        figures.say(table, "no unit is active: the biases decide")
        table.set_ylim(len(scores) - 0.5, -0.5)
    figures.label_units(table, names)
    sums = figure.add_subplot(grid[0, 2])
    colors = [figures.MARK if c == winner else figures.NEUTRAL for c in range(len(scores))]
    sums.barh(range(len(scores)), scores, color=colors)
    sums.set_ylim(len(scores) - 0.5, -0.5)
    sums.set_yticks(range(len(scores)))
    sums.axvline(0, color="black", linewidth=0.6)
    sums.set_title("logit = votes + bias" if len(logit) > 1 else "± logit / 2", fontsize=9)
    why = figure.add_subplot(grid[1, 1])
    positions = np.arange(len(order))
    figures.bars(why, positions, margin[order], figures.sign_colors(margin[order]))
    why.axhline(0, color="black", linewidth=0.6)
    why.set_xlim(-0.5, max(len(order), 1) - 0.5)
    figures.label_units(why, names)
    if cut:
        figures.gap(table, 19.5)
        figures.gap(why, 19.5)
    why.set_title(f"why {winner} and not {second}: vote for {winner} minus vote for {second}", fontsize=9)
    which = f"the 20 highest and 20 lowest of {len(active)} {units.active}" if cut else units.active
    why.set_xlabel(f"{which}, by this difference{units.key}", fontsize=9)
    why.set_ylabel("logit units", fontsize=9)
    bias = lead - margin.sum()
    words = figure.add_subplot(grid[1, 2])
    words.set_axis_off()
    words.text(
        0,
        0.95,
        f"for {winner}: {np.clip(margin, 0, None).sum():+.2f}\nfor {second}: {np.clip(margin, None, 0).sum():+.2f}\n"
        f"bias: {bias:+.2f}\nmargin: {lead:+.2f}",
        va="top",
        fontsize=10,
        family="monospace",
    )
    for ax in (sums, why, table):
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(axis="y", labelsize=8)
    sums.tick_params(labelsize=8)
    return Drawing(
        f"all_class_contrib_true{k}",
        figure,
        f"One picture of {_class(measured, k)}: centred votes of its {units.active} for every class, the logits that "
        f"raw votes and bias add up to, and by how much each unit prefers {winner} to {second}.",
    )


def _waterfall(measured: xr.Dataset, k: int) -> Drawing:
    """Draw how bias and raw votes, largest first, add up to the logit of a class."""
    votes = measured_votes(measured)
    position = int(measured.exhibit.values[k, 0])
    one_logit = len(votes.bias) == 1
    vote = votes.activation[position] * votes.class_weight(centred=False)[k]
    bias = float(votes.bias[0] if one_logit else votes.bias[k]) * (-1 if one_logit and k == 0 else 1)
    active = np.flatnonzero(vote)
    order = active[np.argsort(-vote[active], kind="stable")]
    units = Units.measured(measured)
    names = units.names(order)
    steps = vote[order]
    colors = figures.sign_colors(steps)
    which = units.active
    if len(order) > 40:  # the small votes in the middle stand together
        rest = steps[20:-19].sum()
        names = [*names[:20], "others", *names[-19:]]
        steps = np.concatenate([steps[:20], [rest], steps[-19:]])
        colors = [*colors[:20], "#bbbbbb", *colors[-19:]]
        which = f"{units.active} ({len(order) - 39} others together)"
    steps = np.concatenate([[bias], steps])
    ends = np.cumsum(steps)
    positions = np.arange(len(steps))
    figure = figures.canvas(
        f"From bias to logit: raw votes for {_class(measured, k)} in one of its pictures ({_of(measured)})",
        11.4,
        4.4 + units.room,
    )
    (ax,) = figures.panels(figure, 1, 1, bottom=0.75 + units.room, right=2.3, left=0.85)
    figures.bars(ax, positions, steps, [figures.NEUTRAL, *colors], base=ends - steps)
    figures.bars(ax, np.array([len(steps)]), ends[-1:], [figures.MARK])
    ax.hlines(ends, positions, positions + 1, color="#444444", linewidth=0.6)
    ax.axhline(0, color="black", linewidth=0.6)
    figures.label_units(ax, ["bias", *names, "logit"])
    ax.set_xlim(-0.7, len(steps) + 0.7)
    ax.set_xlabel(f"bias, {which} by vote{units.key}, logit", fontsize=9)
    ax.set_ylabel("running sum (logit units)", fontsize=9)
    ax.annotate(
        f"{ends[-1]:.2f}",
        (len(steps) + 0.5, ends[-1]),
        ha="left",
        va="center",
        fontsize=9,
        annotation_clip=False,
    )
    inset = figure.add_axes((0.865, 0.38, 0.127, 0.34))
    figures.show_picture(inset, measured.exhibit_image.values[k, 0])
    inset.set_title(f"sample {int(measured.sample[position])}\n{_verdict(measured, position)}", fontsize=8)
    return Drawing(
        f"vote_waterfall_class{k}",
        figure,
        f"The bias, then the raw votes of the {units.active} for {_class(measured, k)} from the largest to the most "
        "negative, then the logit that they add up to.",
    )

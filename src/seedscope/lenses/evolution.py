"""How does the decision form during training?

At every frame f of the training (see :mod:`seedscope.replicas.frames`), on the same few hundred probe pictures:

    dominance[f, k, i]  mean centred vote of unit i for class k (see :mod:`seedscope.formulas.votes`)
    top[f, k]           the t units of largest dominance at f, among the L units that are live at the last frame
    overlap[f, k]       |top[f, k] ∩ top[last, k]|
    auc[f, k]           probability that at f a unit of top[last, k] stands above one that is not in it (ties: ½);
                        see :mod:`seedscope.formulas.ranks`
    settled[k]          the first frame from which on top[·, k] = top[last, k]
    margin[f, s]        logit of the true class minus the strongest other

Did the order at step 0 say which units would dominate? The null repeats the whole procedure: the final dominance is
given to the live units in a shuffled order (one shuffle for all classes, which keeps what they share), the top sets are
chosen again, which gives the old sets under new labels, and compared with every frame again. p is the share of shuffles
that reach at least the observed mean over classes (over seeds: the mean over classes and seeds, each seed shuffled for
itself). Chance is t²/L for the overlap and ½ for the AUC. At the last
frame both are full by definition.

``head_auc`` is the AUC of the centred weights of the head at step 0 in place of the dominance, with the same null: did
these alone say it, whatever the units answer to?

A unit is live at a frame where one of these pictures makes it active; one that only other probe pictures make active
counts as dead here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge

from seedscope import drawing as figures
from seedscope.drawing import Animation, Drawing
from seedscope.drawing.mosaic import MapGrid, maps_figure, shown
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.files.names import in_a_sentence
from seedscope.formulas.classes import class_means
from seedscope.formulas.decisions import predicted_class, true_margin
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.overlap import top_overlap_by_chance
from seedscope.formulas.ranks import comeback, settled, top_units
from seedscope.formulas.votes import Votes, dominance
from seedscope.lenses import Network, Replica, require_dense_head, require_training
from seedscope.lenses.feature_maps import require_maps

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from seedscope.lenses.comparison import Comparison

_SHUFFLES = 2000
_LONGEST = 60  # frames of a film; of more, evenly chosen ones are shown
_LONG = 20  # letters of a class's name beside an axis
_MANY = 60  # rows that still can be named one by one


@dataclass(frozen=True)
class Evolution:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
        layers: layers whose maps are filmed; empty for a network that has none.
        top: how many units count as dominant.
    """

    features: str
    head: str
    layers: Sequence[str] = ()
    top: Annotated[int, Ge(1)] = 5

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features, or without these maps."""
        require_dense_head(network, self.features, self.head)
        require_training(network)
        if len(network.layers[self.features]) != 1:
            raise SettingError("features", f"layer {self.features!r} has maps: frames keep only their means over space")
        units = network.layers[self.features][0]
        if self.top > units:
            raise SettingError("top", f"{self.top} is out of range: {self.features!r} has {units} units")
        require_maps(network, self.layers)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return what the module's formulas name, by ``frame``; ``true`` is the class of a picture."""
        import xarray as xr

        if replica.frames is None:
            raise SeedscopeError(
                f"{in_a_sentence(replica.seed)} has no frames of its training: run `dvc repro` to make them"
            )
        activation = replica.activations[f"{self.features}_frames"].load()
        logit = replica.activations["logit_frames"].values.astype(np.float64)
        sample = activation.sample.values
        label = replica.probe.label.sel(sample=sample).values
        n_classes = len(replica.class_names)
        weight = replica.frames[f"{self.head}.weight"].values
        bias = f"{self.head}.bias"
        biases = replica.frames[bias].values if bias in replica.frames else np.zeros(weight.shape[:2])
        votes = [
            Votes(*(part.astype(np.float64) for part in parts)).adding_up(answer, self.features, self.head)
            for *parts, answer in zip(activation.values, weight, biases, logit, strict=True)
        ]
        ranked = np.stack([dominance(of_frame, label, n_classes)[1] for of_frame in votes])
        live = np.stack([of_frame.live for of_frame in votes])
        exhibit = _first_of_each_class(replica)
        return xr.Dataset(
            {
                "label": ("sample", label),
                "margin": (("frame", "sample"), np.stack([true_margin(answer, label) for answer in logit])),
                "accuracy": ("frame", [float((predicted_class(answer) == label).mean()) for answer in logit]),
                "mean_logit": (
                    ("frame", "true", "target"),
                    np.stack([class_means(answer, label, n_classes) for answer in logit]),
                ),
                "live": (("frame", "unit"), live),
                "dominance": (("frame", "true", "unit"), ranked),
                "exhibit_label": ("exhibit", replica.probe.label.sel(sample=exhibit).values),
                "exhibit_activation": (("frame", "exhibit", "unit"), activation.sel(sample=exhibit).values),
                **self._formation(
                    ranked, votes[0].class_weight(centred=True), live[-1], np.random.default_rng(replica.trained_from)
                ),
                **self._maps(replica, int(exhibit[0])),
            },
            coords={
                "frame": activation.frame.values,
                "step": ("frame", activation.step.values),
                "epoch": ("frame", activation.epoch.values),
                "sample": sample,
                "exhibit": exhibit,
            },
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "features": self.features,
                "class_names": list(replica.class_names),
            },
        )

    def _formation(
        self, ranked: np.ndarray, head: np.ndarray, live: np.ndarray, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Return how the final top units came to be, by the names of the measured variables."""
        n_frames, n_classes, _ = ranked.shape
        seen = np.flatnonzero(~np.isnan(ranked[-1]).all(-1))
        top = top_units(ranked[-1], live, self.top)
        rank = np.full(ranked.shape, np.nan)
        overlap, auc = np.full((n_frames, n_classes), np.nan), np.full((n_frames, n_classes), np.nan)
        at = np.full(n_classes, np.nan)
        null = {name: np.full((n_frames, _SHUFFLES), np.nan) for name in ("overlap", "auc")}
        head_auc, head_null = np.full(n_classes, np.nan), np.full(_SHUFFLES, np.nan)
        if live.any() and len(seen):
            units_left = np.flatnonzero(live)
            back = comeback(ranked[:, seen][..., units_left], self.top, rng, _SHUFFLES)
            rank[:, seen[:, None], units_left] = back.rank
            overlap[:, seen], auc[:, seen], at[seen] = back.overlap, back.auc, settled(back.overlap)
            null |= back.null
            by_head = comeback(np.stack([head, ranked[-1]])[:, seen][..., units_left], self.top, rng, _SHUFFLES)
            head_auc[seen], head_null = by_head.auc[0], by_head.null["auc"][0]
        variables: dict[str, Any] = {
            "top": (("true", "place"), top),
            "rank": (("frame", "true", "unit"), rank),
            "settled": ("true", at),
            "head_auc": ("true", head_auc),
            "head_auc_mean": ((), head_auc[seen].mean() if len(seen) else np.nan),
            "head_auc_chance": ((), 0.5),
            "head_auc_null_at_start": ("shuffle", head_null),
        }
        count = int(live.sum())
        chance = top_overlap_by_chance(self.top, count)
        for name, observed, expected in (("overlap", overlap, chance), ("auc", auc, 0.5)):
            mean = observed[:, seen].mean(1) if len(seen) else np.full(n_frames, np.nan)
            drawn = null[name]
            p = [permutation_p(value, of_frame) for value, of_frame in zip(mean, drawn, strict=True)]
            variables |= {
                name: (("frame", "true"), observed),
                f"{name}_mean": ("frame", mean),
                f"{name}_null": (("frame", "end"), np.quantile(drawn, (0.025, 0.975), axis=1).T),
                f"{name}_chance": ((), expected),
                f"{name}_p": ("frame", p),
                f"{name}_null_at_start": ("shuffle", drawn[0]),
            }
        return variables

    def _maps(self, replica: Replica, sample: int) -> dict[str, Any]:
        """Return the maps of one picture by layer, and which channels are silent on it at every frame."""
        if not self.layers:
            return {}
        variables: dict[str, Any] = {
            "image": (("image_channel", "image_y", "image_x"), replica.probe.image.sel(sample=sample).values)
        }
        for layer in self.layers:
            maps = replica.activations[f"{layer}_exhibit_frames"].sel(sample=sample).values
            variables[layer] = (("frame", *(f"{layer}_{name}" for name in ("channel", "y", "x"))), maps)
        return variables

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return when the top set settled, and what the order at step 0 said of it; NaN where training has no step."""
        first = measured.isel(frame=0)
        several = measured.sizes["frame"] > 1
        settled_at = measured.settled.values[~np.isnan(measured.settled.values)].astype(int)
        top = f"top{self.top}"
        summary = {
            f"{top}_settled_epoch": float(measured.epoch.values[settled_at].mean()) if len(settled_at) else np.nan,
            f"{top}_overlap_at_start": float(first.overlap_mean),
            f"{top}_overlap_by_chance": float(measured.overlap_chance),
            f"{top}_auc_at_start": float(first.auc_mean),
            f"{top}_head_auc_at_start": float(measured.head_auc_mean),
        }
        return {
            **{name: value if several else float("nan") for name, value in summary.items()},
            "live_units_at_start": float(first.live.sum()),
            "live_units_at_end": float(measured.live.isel(frame=-1).sum()),
            "median_margin": float(measured.margin.isel(frame=-1).median()),
        }

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the films, then the stills."""
        measured = measured.load()
        count = measured.sizes["frame"]
        filmed = measured.isel(frame=np.unique(np.linspace(0, count - 1, min(count, _LONGEST)).round().astype(int)))
        for layer in self.layers:
            yield _film_of_maps(filmed, layer)
        yield _film_of_outputs(filmed)
        yield _film_of_logits(filmed)
        yield _film_of_votes(filmed)
        yield _dominance_evolution(measured, self.top)
        yield _logit_margin(measured)

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Compare how early the final top units dominate in each seed, with what chance gives."""
        from seedscope.formulas.intervals import mean_interval
        from seedscope.lenses.comparison import Comparison

        metrics = {}
        trained = [of_seed for of_seed in measured.values() if of_seed.sizes["frame"] > 1]
        for name in ("overlap", "auc", "head_auc"):
            start = np.array([float(of_seed[f"{name}_mean"].values.flat[0]) for of_seed in trained])
            chance = np.array([float(of_seed[f"{name}_chance"]) for of_seed in trained])
            null = np.reshape([of_seed[f"{name}_null_at_start"].values for of_seed in trained], (len(start), -1))
            known = ~np.isnan(start)
            beside: dict[str, float | None] = {"chance": None, "p": None}
            if known.any():
                beside["chance"] = float(chance[known].mean())
                beside["p"] = permutation_p(start[known].mean(), null[known].mean(0))
            metrics[f"top{self.top}_{name}_at_start"] = {**mean_interval(start).as_dict(), **beside}
        return Comparison(metrics=metrics, drawings=[_seeds_figure(measured, self.top)])


def _first_of_each_class(replica: Replica) -> np.ndarray:
    """Return the samples of the first exhibit of each class that has one."""
    label = replica.probe.label.sel(sample=replica.exhibits).values
    _, first = np.unique(label, return_index=True)
    return replica.exhibits[first]


def _of(measured: xr.Dataset) -> str:
    return f"{measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])}"


def _names(measured: xr.Dataset) -> list[str]:
    names = list(np.atleast_1d(measured.attrs["class_names"]))
    whole = [str(k) if name == str(k) else f"{k} {name}" for k, name in enumerate(names)]
    return [name if len(name) <= _LONG else f"{name[: _LONG - 1]}…" for name in whole]


def _caption(measured: xr.Dataset, frame: int) -> str:
    step, epoch, accuracy = (measured[name].values[frame] for name in ("step", "epoch", "accuracy"))
    return f"step {step} (epoch {epoch:.3g}): accuracy {accuracy:.3f} on {measured.sizes['sample']} probe pictures"


def _under_title(figure: Figure) -> Text:
    return figure.text(0.5, 1 - 0.42 / figure.get_figheight(), "", ha="center", va="top", fontsize=10)


def _film_of_maps(measured: xr.Dataset, layer: str) -> Animation:
    """Film the maps of one picture."""
    maps = measured[layer].values
    low, high = float(min(maps.min(), 0)), float(max(maps.max(), 0))
    norm, _ = figures.scale_of(low, high)
    silent = ~(maps != 0).any((2, 3))  # (frame, channel)
    grid = MapGrid(*maps.shape[1:])
    sample = int(measured.exhibit[0])
    figure, image = maps_figure(
        f"Maps of {layer} for one picture during training ({_of(measured)})",
        measured.image.values,
        f"sample {sample}: class {int(measured.exhibit_label[0])}",
        grid,
        shown(maps[0], silent[0], norm),
        low,
        high,
    )
    caption = _under_title(figure)

    def show(frame: int) -> None:
        image.set_data(grid.tile(shown(maps[frame], silent[frame], norm)))
        words = f"; {int(silent[frame].sum())} of {grid.count} channels all 0 (grey)"
        caption.set_text(_caption(measured, frame) + words)

    return Animation(
        name=f"{layer}_fmap_evolution",
        figure=figure,
        description=f"The output of each channel of {layer} for sample {sample} at each frame of the training, on one "
        f"scale; a channel that is 0 all over is grey.{grid.shared_words()}",
        frames=measured.sizes["frame"],
        show=show,
        moving=(image, caption),
    )


def _film_of_matrix(
    measured: xr.Dataset,
    name: str,
    title: str,
    values: np.ndarray,
    rows: Sequence[str],
    labels: tuple[str, str, str],
    description: str,
    marks: np.ndarray | None = None,
) -> Animation:
    """Film a matrix (frame, row, column) on one scale; NaN is grey.

    Args:
        measured: whose frames they are.
        name: of the file.
        title: of the figure.
        values: the matrices.
        rows: their names.
        labels: what rows, columns and values are.
        description: how to read it.
        marks: (row, column) of cells marked with a dot in every frame.
    """
    n_frames, n_rows, n_columns = values.shape
    left = 0.6 + 0.07 * max(map(len, rows))
    width = max(left + float(np.clip(0.16 * n_columns, 4.0, 10)) + 1.2, 7.5)  # room for title and caption
    height = float(np.clip(0.27 * n_rows, 1.5, 9)) + 1.6
    figure = figures.canvas(f"{title} ({_of(measured)})", width, height)
    (ax,) = figures.panels(figure, 1, 1, top=0.85, left=left, right=1.2, bottom=0.6)
    ax.set_facecolor(figures.SILENT)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min(initial=0)), float(finite.max(initial=0)))
    norm, colours = figures.scale_of(low, high)
    image = figures.heat_map(ax, values[0], norm, colours)
    shown_rows = range(0, n_rows, -(-n_rows // _MANY))
    ax.set_yticks(shown_rows, [rows[row] for row in shown_rows])
    ax.set_ylabel(labels[0], fontsize=9)
    ax.set_xlabel(labels[1], fontsize=9)
    figures.count_axis(ax)
    figures.color_bar(figure, image, (1 - 1.05 / width, 0.6 / height, 0.14 / width, 1 - 1.45 / height), labels[2])
    caption = _under_title(figure)
    moving: list[Any] = [image, caption]
    if marks is not None and len(marks):
        moving += ax.plot(marks[:, 1], marks[:, 0], "o", color="black", markersize=2.5, markeredgewidth=0)

    def show(frame: int) -> None:
        image.set_data(figures.heat_cells(ax, values[frame]))
        caption.set_text(_caption(measured, frame))

    return Animation(
        name=name,
        figure=figure,
        description=description + figures.shared_cells(ax, n_columns),
        frames=n_frames,
        show=show,
        moving=moving,
    )


def _film_of_outputs(measured: xr.Dataset) -> Animation:
    features = measured.attrs["features"]
    live = measured.live.values
    names = _names(measured)
    return _film_of_matrix(
        measured,
        f"{features}_fmap_evolution",
        f"Outputs of {features} for one picture of each class during training",
        np.where(live[:, None], measured.exhibit_activation.values, np.nan),
        [names[k] for k in measured.exhibit_label.values],
        ("class of the picture", f"unit of {features} (grey: dead at this frame)", "activation"),
        f"The output of each live unit of {features} for the first exhibit of each class at each frame of the "
        "training, on one scale. A unit is grey where none of the followed pictures makes it active.",
    )


def _film_of_logits(measured: xr.Dataset) -> Animation:
    one = measured.sizes["target"] == 1
    film = _film_of_matrix(
        measured,
        "logits_evolution",
        "Mean logits by class during training",
        measured.mean_logit.values,
        _names(measured),
        ("class of the pictures", "the only logit: for class 1" if one else "class of the logit", "mean logit"),
        "The mean logits over the followed pictures of each class at each frame of the training, on one scale: the "
        "decision is formed "
        + ("where the sign is that of the class." if one else "where the diagonal is largest in its row."),
    )
    if one:
        film.figure.axes[0].set_xticks([])
    return film


def _film_of_votes(measured: xr.Dataset) -> Animation:
    features = measured.attrs["features"]
    live, top = measured.live.values, measured.top.values
    k, place = np.nonzero(top >= 0)
    return _film_of_matrix(
        measured,
        "contribution_evolution",
        "Mean centred votes for each class during training",
        np.where(live[:, None], measured.dominance.values, np.nan),
        _names(measured),
        ("class of the pictures", f"unit of {features} (grey: dead at this frame)", "centred vote (logit units)"),
        f"The mean centred vote of each live unit of {features} for a class over its followed pictures, at each frame "
        f"of the training, on one scale. Dots: the {top.shape[1]} units that vote most for the class in the end.",
        np.stack([k, top[k, place]], 1),
    )


def _frame_axis(ax: Axes, measured: xr.Dataset) -> None:
    """Label the frames on the x axis by their steps, and mark where the first epoch ends."""
    step, epoch = measured.step.values, measured.epoch.values
    every = -(-len(step) // 30)
    ax.set_xticks(range(0, len(step), every), [str(s) for s in step[::every]], rotation=90, fontsize=7)
    if 0 < np.searchsorted(epoch, 1) < len(epoch) - 1:
        ax.axvline(float(np.searchsorted(epoch, 1)), color=figures.NEUTRAL, linestyle=":", linewidth=1)


def _dominance_evolution(measured: xr.Dataset, top: int) -> Drawing:
    """Draw the rank of each final top unit over frames, and overlap and AUC against their nulls."""
    members = [(k, unit) for k, units in enumerate(measured.top.values) for unit in units if unit >= 0]
    live, n_frames = int(measured.live.values[-1].sum()), measured.sizes["frame"]
    height = float(np.clip(0.13 * len(members), 4.6, 12)) + 1.6
    figure = figures.canvas(
        f"When did the final top {top} of each class become its top {top}? ({_of(measured)}; {live} live units)",
        12.5,
        height,
    )
    grid = figure.add_gridspec(
        2,
        2,
        width_ratios=[1.35, 1],
        left=0.14,
        right=0.985,
        top=1 - 0.95 / height,
        bottom=0.75 / height,
        wspace=0.42,
        hspace=0.32,
    )
    ranks = figure.add_subplot(grid[:, 0])
    overlap = figure.add_subplot(grid[0, 1])
    auc = figure.add_subplot(grid[1, 1], sharex=overlap)
    if members:
        _draw_ranks(figure, ranks, measured, members, live, top)
    else:
        figures.say(ranks, "no live unit")
        ranks.set_axis_off()
    for ax, name, words in (
        (overlap, "overlap", f"units shared with the final top {top}"),
        (auc, "auc", "AUC: final top above the others"),
    ):
        mean, drawn = measured[f"{name}_mean"].values, measured[f"{name}_null"].values
        expected = float(measured[f"{name}_chance"])
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
        ax.set_ylabel(words, fontsize=9)
        ax.set_xlim(-0.5, n_frames - 0.5)
        _frame_axis(ax, measured)
        if np.isnan(mean).all():
            figures.say(ax, "no live unit" if not members else f"the {live} live units are all in the top {top}")
            ax.set_yticks([])
            continue
        x = np.arange(n_frames)
        ax.fill_between(x, drawn[:, 0], drawn[:, 1], color="#cccccc", linewidth=0, label="95 % of shuffles")
        ax.axhline(expected, color="black", linewidth=1, label="chance")
        ax.plot(x, measured[name].values, color=figures.FOR, linewidth=0.5, alpha=0.45)
        ax.plot(x, mean, ".-", color=figures.AGAINST, linewidth=1.8, label="mean over classes (blue: each class)")
        p, start = float(measured[f"{name}_p"][0]), mean[0]
        head = f" (head alone: {float(measured.head_auc_mean):.2f})" if name == "auc" else ""
        untrained = f"at step 0: {start:.2f}{head}, chance {expected:.2f}, p = {p:.2g}"
        ax.set_title(untrained if n_frames > 1 else "one frame: compared with itself", fontsize=8.5)
    figure.legend(
        *overlap.get_legend_handles_labels(),
        fontsize=7.5,
        frameon=False,
        ncols=3,
        loc="upper right",
        bbox_to_anchor=(0.99, 1 - 0.4 / height),
    )
    overlap.tick_params(labelbottom=False)
    auc.set_xlabel("step of the optimiser (dotted: end of epoch 1)", fontsize=9)
    return Drawing(
        "dominance_evolution",
        figure,
        f"Left: the rank, by mean centred vote among the {live} units that are live in the end, of each unit that is "
        f"in the top {top} of a class in the end; a dot where it is in the top {top}. Right: how many of them are in "
        f"the top {top} at each frame, and the probability that one of them stands above another live unit; grey: the "
        "same with shuffled unit labels. Head alone: by its centred weights at step 0.",
        _formation_table(measured),
    )


def _draw_ranks(
    figure: Figure, ax: Axes, measured: xr.Dataset, members: list[tuple[int, int]], live: int, top: int
) -> None:
    from matplotlib.colors import Normalize

    rank = np.stack([measured["rank"].values[:, k, unit] for k, unit in members])
    image = figures.heat_map(ax, rank, Normalize(1, max(live, 2)), f"{figures.SEQUENTIAL}_r")
    row, frame = np.nonzero(rank <= top)
    ax.plot(frame, row, "o", color="black", markersize=min(2.2, 250 / rank.shape[1]), markeredgewidth=0)
    classes = np.array([k for k, _ in members])
    borders = np.flatnonzero(np.diff(classes)) + 0.5
    ax.hlines(borders, -0.5, rank.shape[1] - 0.5, color="white", linewidth=2.5)
    names = _names(measured)
    if len(members) <= _MANY:
        ax.set_yticks(range(len(members)), [str(unit) for _, unit in members], fontsize=6.5)
        for k in np.unique(classes):
            centre = float(np.flatnonzero(classes == k).mean())
            ax.annotate(
                names[k].replace(" ", "\n", 1),
                (0, centre),
                xycoords=("axes fraction", "data"),
                xytext=(-24, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=7.5,
            )
    else:
        first = [int(np.flatnonzero(classes == k)[0]) for k in np.unique(classes)]
        every = -(-len(first) // 40)
        ax.set_yticks(first[::every], [f"class {classes[row]}" for row in first[::every]], fontsize=6.5)
    ax.set_xlabel("step of the optimiser", fontsize=9)
    ax.set_title(f"rank of each final top unit (dot: in the top {top})", fontsize=9)
    _frame_axis(ax, measured)
    box = ax.get_position()
    figures.color_bar(figure, image, (box.x1 + 0.01, box.y0, 0.01, box.height), "rank (1: largest vote)")


def _formation_table(measured: xr.Dataset) -> pd.DataFrame:
    """Return, by frame, overlap and AUC."""
    import pandas as pd

    columns = [f"{name}{part}" for name in ("overlap", "auc") for part in ("_mean", "_p")]
    return pd.DataFrame(
        {
            "frame": measured.frame.values,
            "step": measured.step.values,
            "epoch": measured.epoch.values,
            "accuracy": measured.accuracy.values,
            "live_units": measured.live.values.sum(1),
            "overlap_by_chance": float(measured.overlap_chance),
            **{column: measured[column].values for column in columns},
        }
    )


def _logit_margin(measured: xr.Dataset) -> Drawing:
    """Draw the margin's quartiles and the accuracy over frames."""
    import pandas as pd

    margin, label = measured.margin.values, measured.label.values
    low, median, high = np.quantile(margin, (0.25, 0.5, 0.75), axis=1)
    x = np.arange(measured.sizes["frame"])
    n = measured.sizes["sample"]
    figure = figures.canvas(f"Margin of the true class during training ({_of(measured)})", 11, 4.3)
    left, right = figures.panels(figure, 1, 2, wspace=0.2, top=0.75, bottom=0.75)
    left.fill_between(x, low, high, color=figures.FOR, alpha=0.25, linewidth=0, label="quartiles")
    for index, k in enumerate(np.unique(label)):
        of_class = np.median(margin[:, label == k], axis=1)
        words = "median of each class" if index == 0 else None
        left.plot(x, of_class, color=figures.NEUTRAL, linewidth=0.6, label=words)
    left.plot(x, median, ".-", color=figures.FOR, linewidth=1.8, label=f"median of {n} pictures")
    left.axhline(0, color="black", linewidth=0.6)
    left.set_ylabel("logit of the true class − strongest other", fontsize=9)
    left.legend(fontsize=8, frameon=False, loc="upper left")
    right.plot(x, measured.accuracy.values, ".-", color=figures.AGAINST, linewidth=1.8)
    chance = 1 / len(_names(measured))
    right.axhline(chance, color=figures.NEUTRAL, linestyle="--", linewidth=0.8)
    words = f"1 of {len(_names(measured))} classes"
    right.text(1, chance, words, transform=right.get_yaxis_transform(), va="bottom", ha="right", fontsize=8)
    right.set_ylabel(f"accuracy on {n} probe pictures", fontsize=9)
    right.set_ylim(0, 1.02)
    for ax in (left, right):
        ax.set_xlim(-0.5, len(x) - 0.5)
        _frame_axis(ax, measured)
    figure.supxlabel("step of the optimiser, at each frame (dotted: end of epoch 1)", fontsize=9)
    return Drawing(
        "logit_margin_evolution",
        figure,
        "Left: the logit of the true class minus the strongest other at each frame of the training, median and "
        "quartiles over the followed pictures; below 0 the decision is wrong. Right: their accuracy.",
        pd.DataFrame(
            {
                "step": measured.step.values,
                "epoch": measured.epoch.values,
                "margin_low_quartile": low,
                "margin_median": median,
                "margin_high_quartile": high,
                "accuracy": measured.accuracy.values,
            }
        ),
    )


def _seeds_figure(measured: Mapping[int, xr.Dataset], top: int) -> Drawing:
    """Draw overlap and AUC over frames, one line per seed."""
    import pandas as pd

    seeds = sorted(measured)
    first = measured[seeds[0]]
    figure = figures.canvas(
        f"When does the final top {top} of each class become its top {top}? One line per seed "
        f"({first.attrs['experiment']}, n = {len(seeds)} seeds)",
        11.5,
        4.3,
    )
    axes = figures.panels(figure, 1, 2, wspace=0.2, top=0.75, bottom=0.75, right=1.0)
    rows = []
    for ax, name, words in (
        (axes[0], "overlap", f"units shared with the final top {top}"),
        (axes[1], "auc", "AUC: final top above the others"),
    ):
        for index, seed in enumerate(seeds):
            of_seed = measured[seed]
            color = figures.PALETTE[index % len(figures.PALETTE)]
            x = np.arange(of_seed.sizes["frame"])
            ax.plot(x, of_seed[f"{name}_mean"].values, ".-", color=color, linewidth=1.3, label=str(seed))
            ax.axhline(float(of_seed[f"{name}_chance"]), linestyle="--", color=color, linewidth=0.8)
            if name == "overlap":
                rows.append(_formation_table(of_seed).assign(seed=seed))
        ax.set_ylabel(words, fontsize=9)
        _frame_axis(ax, first)
        if all(np.isnan(measured[seed][f"{name}_mean"].values).all() for seed in seeds):
            figures.say(ax, "no seed has live units outside its top set")
            ax.set_yticks([])
    if len(seeds) <= 12:
        axes[1].legend(
            title="seed", fontsize=8, title_fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1)
        )
    figure.supxlabel("step of the optimiser, at each frame (dotted: end of epoch 1; dashed: chance)", fontsize=9)
    table = pd.concat(rows, ignore_index=True)
    return Drawing(
        "evolution_of_top_units",
        figure,
        f"How many of a class's final top {top} are in its top {top} at each frame of the training, and the "
        "probability that one of them stands above another live unit: means over classes, one line per "
        "seed; dashed: chance.",
        table[["seed", *(column for column in table.columns if column != "seed")]],
    )

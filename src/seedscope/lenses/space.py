"""Where does a layer place the pictures? Its L live units are the axes of a space; a picture is a point in it.

    principal components, and how many there are by parallel analysis      :mod:`seedscope.formulas.components`
    effective dimension   (Σ λ)² / Σ λ² of their variances λ                1: a line, L: a ball
    class separation      between classes, as a share of the variance       :mod:`seedscope.formulas.classes`
    nearest centroid      share of pictures whose class has the nearest mean
    reading the place     R² by cross-validated ridge regression            :mod:`seedscope.formulas.ridge`

Units are centred and not scaled: distances are those that the next layer sees. Parallel analysis is strict with later
components; the effective dimension is not.

Separation and nearest centroid are followed through training, over the pictures of ``<features>_frames`` (a feature
map's channels are averaged over space there, so its maps are computed anew with the network of each frame), with labels
shuffled as their null. A layer that training cannot change, such as the picture itself, has one value of each.

The class alone tells much of the place. So the place is also read *within* classes: a ridge regression for each
class, held against the class's mean of the training folds. The null permutes the places within each class and
repeats all of it, the choice of the penalty by leave-one-out errors (Allen 1974) on the training folds included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.files.names import in_a_sentence
from seedscope.formulas.classes import class_separation, nearest_centroid_accuracy
from seedscope.formulas.components import components_above, permuted_spectra, principal_components
from seedscope.formulas.concentration import participation_ratio
from seedscope.formulas.nulls import shuffled_within
from seedscope.formulas.ridge import explained, readout
from seedscope.lenses import Network, Replica, require_kept, require_labels, require_training
from seedscope.lenses.units import Units

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from seedscope.lenses.comparison import Comparison

_AXES = 3  # components whose scores are kept
_PERMUTATIONS = 20
_FOLLOWED = 512  # pictures of a layer that training cannot change
_CORNERS = ("#0072B2", "#CC79A7", "#009E73", "#E69F00")  # of the map of places: top left, top right, bottom …


@dataclass(frozen=True)
class Space:
    """The lens.

    Attributes:
        features: the layer that is looked at.
    """

    features: str

    def check(self, network: Network) -> None:
        """Refuse a layer that there is not, or that is not dumped for all probe pictures."""
        require_kept(network, self.features)
        require_labels(network)
        require_training(network)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the principal components, how classes part in training, and how well the place can be read."""
        import xarray as xr

        values = replica.activations[self.features].values
        values = values.reshape(len(values), -1).astype(np.float64)
        live = (values != 0).any(0)
        label = replica.probe.label.values
        rng = np.random.default_rng(0)
        scores, loadings, variance = principal_components(values[:, live], _AXES)
        null = np.zeros((_PERMUTATIONS, 0))
        if live.any():
            null = permuted_spectra(values[:, live], rng, _PERMUTATIONS)
        whole = np.zeros((_AXES, len(live)))
        whole[:, live] = loadings
        known = [name for name in ("square_y", "square_x") if name in replica.probe]
        measured = xr.Dataset(
            {
                "score": (("sample", "axis"), scores.astype(np.float32)),
                "loading": (("axis", "unit"), whole),
                "variance": ("component", variance),
                "null_variance": (("permutation", "component"), null),
                "live": ("unit", live),
                "label": ("sample", label),
                **{name: ("sample", replica.probe[name].values) for name in known},
            },
            coords={"sample": replica.probe.sample.values},
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                **Units.of(replica, self.features).attributes(),
                "class_names": list(replica.class_names),
                "trained": int(_is_trained(replica, self.features)),
            },
        )
        measured = measured.merge(_through_training(replica, self.features, rng))
        if len(known) == 2:
            place = np.stack([replica.probe[name].values for name in known], 1).astype(np.float64)
            measured = measured.merge(_place(values[:, live], place, label, rng))
        return measured

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return dimensions, class separation at the end of training, and how well the place can be read."""
        variance = measured.variance.values
        summary = {
            "components_above_chance": float(_above(measured)),
            "effective_dimension": float(participation_ratio(variance)),
            "variance_of_3_components": float(_shares(variance)[:_AXES].sum()) if variance.sum() > 0 else float("nan"),
        }
        for name in ("class_separation", "nearest_centroid_accuracy"):
            summary[name] = float(measured[name].values[-1])
        if "place_left" in measured:
            for name, values in _readings(measured).items():
                summary[name] = float(values[0])
                summary[f"{name}_by_chance"] = float(values[1:].mean())
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the points, the spectrum, the separation through training and, where it is known, the place."""
        measured = measured.load()
        yield _points(measured)
        yield _spectrum(measured)
        if measured.attrs["trained"]:
            yield _separation(measured)
        if "place_left" in measured:
            yield _place_figure(measured)

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Put the seeds' spectra and their curves through training together, with intervals over seeds."""
        from seedscope.lenses.comparison import Comparison

        return Comparison(metrics={}, drawings=[_across_seeds([measured[seed] for seed in sorted(measured)])])


def _is_trained(replica: Replica, features: str) -> bool:
    """Return whether training can change this layer: only then are there frames of it."""
    return f"{features}_frames" in replica.activations


def _at_frames(replica: Replica, features: str) -> tuple[xr.Dataset, Iterator[np.ndarray]]:
    """Return which steps, epochs and samples they are, and frame by frame the layer's values (sample, unit)."""
    import torch
    import xarray as xr

    from seedscope.activations.capture import activations
    from seedscope.data import balanced

    if not _is_trained(replica, features):
        chosen = balanced(replica.probe.label.values, _FOLLOWED)
        kept = replica.activations[features].isel(sample=chosen)
        last = {"step": 0, "epoch": 0.0} if replica.frames is None else replica.frames.isel(frame=-1)
        about = {name: ("frame", [float(last[name])]) for name in ("step", "epoch")}
        return xr.Dataset(coords={**about, "sample": replica.probe.sample.values[chosen]}), iter(
            [kept.values.reshape(len(kept), -1).astype(np.float64)]
        )
    followed = replica.activations[f"{features}_frames"]
    about_frames = followed.coords.to_dataset()
    if replica.activations[features].ndim == 2:
        return about_frames, (values.astype(np.float64) for values in followed.values)
    image = torch.from_numpy(replica.probe.image.sel(sample=followed.sample.values).values)
    batches = [image[start : start + 256] for start in range(0, len(image), 256)]

    def maps() -> Iterator[np.ndarray]:
        for frame in range(followed.sizes["frame"]):
            with replica.network(frame) as model:
                outputs = [of[features].flatten(1).numpy() for of in activations(model, [features], batches)]
            yield np.concatenate(outputs).astype(np.float64)

    return about_frames, maps()


def _through_training(replica: Replica, features: str, rng: np.random.Generator) -> xr.Dataset:
    """Return separation, nearest-centroid accuracy and effective dimension at each frame, and with shuffled labels."""
    import xarray as xr

    about, frames = _at_frames(replica, features)
    label = replica.probe.label.sel(sample=about.sample.values).values
    shuffled = [rng.permutation(label) for _ in range(_PERMUTATIONS)]
    names = {"class_separation": class_separation, "nearest_centroid_accuracy": nearest_centroid_accuracy}
    found: dict[str, list[float]] = {name: [] for name in (*names, "effective_dimension")}
    null: dict[str, list[list[float]]] = {f"{name}_shuffled": [] for name in names}
    for values in frames:
        for name, measure in names.items():
            found[name].append(measure(values, label))
            null[f"{name}_shuffled"].append([measure(values, one) for one in shuffled])
        found["effective_dimension"].append(float(participation_ratio(principal_components(values, 0)[2])))
    return xr.Dataset(
        {
            **{name: ("frame", values) for name, values in found.items()},
            **{name: (("frame", "permutation"), values) for name, values in null.items()},
        },
        coords={name: ("frame", about[name].values) for name in ("step", "epoch")},
    )


def _place(values: np.ndarray, place: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> xr.Dataset:
    """Return the sums of squares behind R² of the place and, with places permuted within classes, of its null."""
    import xarray as xr

    drawn = [place]
    drawn += [place[shuffled_within(label, rng)] for _ in range(_PERMUTATIONS)]
    left, total, within = readout(values, np.concatenate(drawn, 1), label)
    shape = (len(drawn), 2)
    return xr.Dataset(
        {
            "place_left": (("draw", "along"), left.reshape(shape)),
            "place_total": (("draw", "along"), total.reshape(shape)),
            "within_left": (("present", "draw", "along"), within[:, 0].reshape(-1, *shape)),
            "within_total": (("present", "draw", "along"), within[:, 1].reshape(-1, *shape)),
        },
        coords={"along": ["y", "x"], "present": np.unique(label)},
    )


def _readings(measured: xr.Dataset) -> dict[str, np.ndarray]:
    """Return R² of the place over both coordinates, and within classes: first as it is, then of each permutation."""
    left, total = (measured[f"place_{part}"].values.sum(1) for part in ("left", "total"))
    within_left, within_total = (measured[f"within_{part}"].values.sum((0, 2)) for part in ("left", "total"))
    return {"place_r2": explained(left, total), "place_r2_within_class": explained(within_left, within_total)}


def _above(measured: xr.Dataset) -> int:
    if not measured.sizes["component"]:
        return 0
    return components_above(measured.variance.values, measured.null_variance.values)


def _shares(variance: np.ndarray) -> np.ndarray:
    total = variance.sum(-1, keepdims=True)
    return np.divide(variance, total, out=np.zeros_like(variance), where=total > 0)


def _title(what: str, measured: xr.Dataset) -> str:
    return f"{what} ({measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])})"


def _place_colors(y: np.ndarray, x: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the colour of each place, blended between the colours of the four corners, (…, 3)."""
    from matplotlib.colors import to_rgb

    top_left, top_right, bottom_left, bottom_right = (np.array(to_rgb(color)) for color in _CORNERS)
    down, right = (y / max(1, rows - 1))[..., None], (x / max(1, columns - 1))[..., None]
    top, bottom = top_left + right * (top_right - top_left), bottom_left + right * (bottom_right - bottom_left)
    return np.asarray(top + down * (bottom - top))


def _points(measured: xr.Dataset) -> Drawing:
    score, label = measured.score.values, measured.label.values
    share = _shares(measured.variance.values)
    share = np.concatenate([share, np.zeros(_AXES)])[:_AXES]
    by_place = "square_y" in measured and "square_x" in measured
    by_class = np.array(figures.PALETTE)[label % len(figures.PALETTE)]
    views: list[tuple[int, int, str]] = [(0, 1, "class"), (0, 2, "class")]
    if by_place:
        views.append((0, 1, "place"))
    live, units = int(measured.live.sum()), Units.measured(measured)
    figure = figures.canvas(
        _title(
            f"The {len(label)} probe pictures in the space of {live} {units.live}",
            measured,
        ),
        4.1 * len(views) + (1.0 if by_place else 0.4),
        4.6,
    )
    axes = figures.panels(figure, 1, len(views), top=0.8, right=1.35 if by_place else 0.2, wspace=0.24)
    for ax, (across, up, what) in zip(axes, views, strict=True):
        ax.set_title(f"by {what}", fontsize=9.5)
        ax.set_xlabel(f"PC {across + 1} ({share[across]:.1%} of the variance)", fontsize=9)
        ax.set_ylabel(f"PC {up + 1} ({share[up]:.1%})", fontsize=9, labelpad=1)
        if not live:
            figures.say(ax, "nothing is ever active")
            ax.set_yticks([])
            continue
        if what == "class":
            colors = by_class
        else:
            y, x = measured.square_y.values.astype(float), measured.square_x.values.astype(float)
            colors = _place_colors(y - y.min(), x - x.min(), int(np.ptp(y)) + 1, int(np.ptp(x)) + 1)
        ax.scatter(score[:, across], score[:, up], c=colors, s=5, linewidths=0, alpha=0.75)
        if what == "class":
            for k in np.unique(label):
                _name(ax, score[label == k][:, [across, up]].mean(0), str(k))
    if by_place and live:
        _place_key(figure, measured)
    words = "Colours and numbers: classes, a number at each class's mean."
    if by_place:
        words += " Right: the same points by the place of the square, in the colours of the key."
    return Drawing(
        "space_pca",
        figure,
        f"Each point is a probe picture, along the first three principal components of the {units.live} "
        f"(centred, not scaled). {words}",
    )


def _name(ax: Axes, at: np.ndarray, words: str) -> None:
    from matplotlib.patheffects import withStroke

    ax.text(
        float(at[0]),
        float(at[1]),
        words,
        fontsize=10,
        fontweight="bold",
        ha="center",
        va="center",
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )


def _place_key(figure: Figure, measured: xr.Dataset) -> None:
    y, x = measured.square_y.values.astype(int), measured.square_x.values.astype(int)
    rows, columns = int(np.ptp(y)) + 1, int(np.ptp(x)) + 1
    width, height = figure.get_size_inches()
    ax = figure.add_axes((1 - 1.0 / width, 0.5 - 0.4 / height, 0.8 / width, 0.8 / height))
    down, right = np.mgrid[0:rows, 0:columns].astype(float)
    extent = (x.min() - 0.5, x.max() + 0.5, y.max() + 0.5, y.min() - 0.5)
    ax.imshow(_place_colors(down, right, rows, columns), extent=extent, aspect="auto", interpolation="nearest")
    ax.set_title("place of\nthe square", fontsize=8)
    ax.set_xlabel("left edge, pixel", fontsize=7, labelpad=1)
    ax.set_ylabel("top edge, pixel", fontsize=7, labelpad=1)
    ax.set_xticks(sorted({int(x.min()), int(x.max())}))
    ax.set_yticks(sorted({int(y.min()), int(y.max())}))
    ax.tick_params(labelsize=7)


def _worth_seeing(share: np.ndarray, above: int) -> int:
    """Return how many components a figure shows: those that hold 98 %, those above chance, 20 at least."""
    holding = int((share.cumsum() < 0.98).sum()) + 1
    return min(len(share), max(20, holding, above + 3))


def _spectrum(measured: xr.Dataset) -> Drawing:
    import pandas as pd

    variance = measured.variance.values
    above, dimension = _above(measured), float(participation_ratio(variance))
    figure = figures.canvas(
        _title(f"How many dimensions do the pictures take in {measured.attrs['features']}?", measured), 10, 4.2
    )
    left, right = figures.panels(figure, 1, 2, top=0.8, wspace=0.24)
    number = np.arange(1, len(variance) + 1)
    share = _shares(variance)
    shown = _worth_seeing(share, above)
    table = pd.DataFrame({"component": number, "variance": variance, "share": share})
    if variance.sum() > 0:
        null = measured.null_variance.values / variance.sum()
        low, high = np.quantile(null, (0.05, 0.95), axis=0)
        colors = [figures.FOR if n <= above else figures.NEUTRAL for n in number[:shown]]
        figures.bars(left, number[:shown], share[:shown], colors, width=0.85)
        left.plot(
            number[:shown],
            high[:shown],
            ".-",
            color=figures.AGAINST,
            linewidth=1.2,
            markersize=4,
            label="units permuted, 95 %",
        )
        left.legend(fontsize=8, frameon=False)
        left.set_title(f"{above} of {len(number)} components above units permuted by themselves", fontsize=9.5)
        right.plot([0, *number], [0, *np.cumsum(share)], "o-", color=figures.FOR, markersize=3, label="the layer")
        permuted = _shares(measured.null_variance.values).mean(0).cumsum()
        right.plot([0, *number], [0, *permuted], "--", color=figures.AGAINST, linewidth=1.2, label="units permuted")
        right.set_title(
            f"effective dimension {dimension:.1f}; units permuted: "
            f"{participation_ratio(measured.null_variance.values).mean():.1f}",
            fontsize=9.5,
        )
        right.legend(fontsize=8, frameon=False, loc="lower right")
        right.set_ylim(0, 1.03)
        table["null_low"], table["null_high"] = low, high
        for ax in (left, right):
            figures.count_axis(ax)
            ax.set_xlim(0, shown + 0.8)
    else:
        for ax in (left, right):
            figures.say(
                ax, "nothing is ever active" if not measured.live.any() else "every picture is at the same point"
            )
            ax.set_yticks([])
    left.set_ylabel("share of the variance", fontsize=9)
    right.set_ylabel("share of the variance, summed", fontsize=9)
    for ax in (left, right):
        ax.set_xlabel("principal component", fontsize=9)
    return Drawing(
        "space_spectrum",
        figure,
        "Left: the share of the variance along each principal component; orange: what 95 % of permutations stay below "
        "when each unit's values are permuted over the pictures by themselves, which leaves the units' variances and "
        "breaks what ties them. Right: the shares summed, and the effective dimension (Σ λ)² / Σ λ²."
        + ("" if shown == len(number) else f" The first {shown} of {len(number)} components are shown."),
        table,
    )


_TRACKED = {
    "class_separation": "between-class share\nof the variance",
    "nearest_centroid_accuracy": "nearest-centroid accuracy",
    "effective_dimension": "effective dimension",
}


def _by_step(ax: Axes, step: np.ndarray) -> None:
    """Give the axis of optimiser steps a logarithmic scale that has room for step 0."""
    ax.set_xscale("symlog", linthresh=1, linscale=0.35)
    powers = [10**power for power in range(1 + int(np.log10(max(1, step.max()))))]
    ax.set_xticks([0, *powers], ["0", *(f"{power:,}" for power in powers)])
    ax.minorticks_off()
    ax.set_xlim(-0.15, max(1.5, step.max() * 1.25))
    ax.set_xlabel("optimiser step", fontsize=9)


def _separation(measured: xr.Dataset) -> Drawing:
    step = measured.step.values
    title = _title(f"How the classes part in {measured.attrs['features']} as training goes on", measured)
    figure = figures.canvas(title, 12, 3.9)
    axes = figures.panels(figure, 1, 3, top=0.65, left=0.8, wspace=0.27)
    for ax, (name, words) in zip(axes, _TRACKED.items(), strict=True):
        values = measured[name].values
        known = np.isfinite(values)
        if known.any():
            ax.plot(
                step[known], values[known], "o-", color=figures.FOR, markersize=3.5, linewidth=1.3, label="the layer"
            )
        else:
            figures.say(
                ax, "one class only" if len(np.unique(measured.label)) < 2 else "every picture is at the same point"
            )
        if f"{name}_shuffled" in measured and known.any():
            null = measured[f"{name}_shuffled"].values[known]
            low, high = np.quantile(null, (0.025, 0.975), axis=1)
            if known.sum() > 1:
                ax.fill_between(step[known], low, high, color=figures.AGAINST, alpha=0.25, linewidth=0)
            else:
                figures.spans(ax, step[known].astype(float), low, high, colors=figures.AGAINST, linewidths=1.2)
            ax.plot(
                step[known],
                null.mean(1),
                "--" if known.sum() > 1 else "_",
                color=figures.AGAINST,
                linewidth=1.1,
                label="labels shuffled",
            )
            ax.legend(fontsize=8, frameon=False, loc="upper left")
            ax.set_ylim(-0.02, 1.02)
        else:
            ax.set_ylim(0, max(1.0, 1.08 * float(values[known].max())) if known.any() else 1.0)
        if known.any():
            _by_step(ax, step)
        else:
            ax.set_yticks([])
            ax.set_xlabel("optimiser step", fontsize=9)
        ax.set_ylabel(words, fontsize=9)
    names = ["frame", "step", "epoch", *_TRACKED]
    return Drawing(
        "space_separation",
        figure,
        "Over the pictures that are followed through training: the share of the layer's variance that lies between "
        "classes, the share of pictures nearest to the mean of their class (each left out of its own), and the "
        "effective dimension. Orange: the same with labels shuffled, mean and 95 % of the shuffles.",
        measured[[*_TRACKED]].to_dataframe().reset_index()[names],
    )


def _place_figure(measured: xr.Dataset) -> Drawing:
    import pandas as pd

    rows = []
    for at, axis in enumerate(("y", "x")):
        parts = {"all": (measured.place_left.values[:, at], measured.place_total.values[:, at])}
        within_left, within_total = (measured[f"within_{one}"].values[..., at] for one in ("left", "total"))
        parts["within classes"] = (within_left.sum(0), within_total.sum(0))
        parts |= {str(k): (within_left[row], within_total[row]) for row, k in enumerate(measured.present.values)}
        for what, (left, total) in parts.items():
            values = explained(left, total)
            null = values[1:]
            low, high = np.quantile(null, (0.025, 0.975))
            rows.append({"read": what, "along": axis, "r2": values[0], "null": null.mean(), "low": low, "high": high})
    table = pd.DataFrame(rows)
    names = list(dict.fromkeys(table["read"]))
    figure = figures.canvas(
        _title(f"How well can the place of the square be read from {measured.attrs['features']}?", measured), 10, 4.2
    )
    (ax,) = figures.panels(figure, 1, 1, top=0.6, right=1.75, bottom=0.75)
    positions = np.array([0.0, 1.2, *(2.8 + np.arange(len(names) - 2))])
    for offset, axis, color in ((-0.13, "y", figures.FOR), (0.13, "x", figures.MARK)):
        part = table[table["along"] == axis]
        known = np.isfinite(part["r2"].to_numpy())
        where = positions[known] + offset
        words = {"y": "row (top edge)", "x": "column (left edge)"}[axis]
        ax.plot(where, part["r2"].to_numpy()[known], "o", color=color, markersize=5, label=words)
        low, high = (part[end].to_numpy()[known] for end in ("low", "high"))
        figures.spans(ax, where, low, high, colors=figures.AGAINST, linewidths=2)
        ax.plot(
            where,
            part["null"].to_numpy()[known],
            "_",
            color=figures.AGAINST,
            markersize=8,
            label="places permuted\nwithin classes" if axis == "x" else None,
        )
    if not np.isfinite(table["r2"].to_numpy()).any():
        figures.say(ax, "too few pictures, or one place only")
    ax.axhline(0, color=figures.NEUTRAL, linewidth=0.6)
    ax.set_xlim(-0.6, positions[-1] + 0.6)
    ax.set_ylim(min(-0.1, ax.get_ylim()[0]), 1.02)
    every = -(-(len(names) - 2) // 15)
    kept = [index for index in range(len(names)) if index < 2 or (index - 2) % every == 0]
    shown = {"all": "all\npictures", "within classes": "within\nclasses"}
    ax.set_xticks(positions[kept], [shown.get(names[index], names[index]) for index in kept], fontsize=8)
    ax.set_xlabel("within each class", fontsize=9, x=0.62)
    ax.set_ylabel("cross-validated R²", fontsize=9)
    ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return Drawing(
        "space_place",
        figure,
        "Cross-validated R² of the square's place, read by ridge regression: by one regression for all pictures, and "
        "by one for each class against the class's mean place. Orange: the same with places permuted within classes "
        "(mean and 95 %): what the class alone tells.",
        table,
    )


def _across_seeds(measured: list[xr.Dataset]) -> Drawing:
    import pandas as pd

    from seedscope.formulas.intervals import mean_interval

    first = measured[0]
    tracked = _TRACKED if first.attrs["trained"] else {}
    columns = 1 + len(tracked)
    figure = figures.canvas(
        f"The space of {first.attrs['features']} ({first.attrs['experiment']}, n = {len(measured)} seeds)",
        max(3.2 * columns + 0.7, 6.5),
        4.0,
    )
    axes = figures.panels(figure, 1, columns, top=0.65, left=0.7, wspace=0.32)
    length = max(one.sizes["component"] for one in measured)
    spectra = np.full((len(measured), length + 1), 1.0)
    for row, one in enumerate(measured):
        spectra[row, 0] = 0
        share = _shares(one.variance.values)
        spectra[row, 1 : len(share) + 1] = np.cumsum(share) if share.sum() > 0 else np.nan
        if not share.sum() > 0:
            spectra[row] = np.nan
    curves = {"spectrum": (np.arange(length + 1), spectra)}
    for name in tracked:
        curves[name] = (first.step.values, np.stack([one[name].values for one in measured]))
    rows = []
    for ax, (name, (position, values)) in zip(axes, curves.items(), strict=True):
        intervals = [mean_interval(column) for column in values.T]
        for at, interval in zip(position, intervals, strict=True):
            rows.append({"curve": name, "at": int(at), **interval.as_dict()})
        for of_seed in values:
            ax.plot(position, of_seed, color=figures.NEUTRAL, linewidth=0.7, alpha=0.7)
        mean = np.array([np.nan if one.mean is None else one.mean for one in intervals])
        known = np.array([one.low is not None for one in intervals])
        if np.isfinite(mean).any():
            ax.plot(position, mean, "o-", color=figures.FOR, markersize=3, linewidth=1.3)
            low = np.array([one.low for one in intervals if one.low is not None], dtype=float)
            high = np.array([one.high for one in intervals if one.high is not None], dtype=float)
            figures.spans(ax, position[known].astype(float), low, high, colors=figures.FOR, linewidths=1.2)
        else:
            figures.say(ax, "no value")
            ax.set_yticks([])
        if name == "spectrum":
            figures.count_axis(ax)
            ax.set_xlim(-0.5, max(_worth_seeing(_shares(one.variance.values), _above(one)) for one in measured) + 0.5)
            ax.set_xlabel("principal components", fontsize=9)
            ax.set_ylabel("share of the variance, summed", fontsize=9)
        else:
            ax.set_ylabel(_TRACKED[name], fontsize=9)
            if np.isfinite(mean).any():
                _by_step(ax, first.step.values)
            if f"{name}_shuffled" in first and np.isfinite(mean).any():
                null = np.stack([one[f"{name}_shuffled"].values.mean(1) for one in measured])
                seen = np.isfinite(null).any(0)
                ax.plot(position[seen], np.nanmean(null[:, seen], axis=0), "--", color=figures.AGAINST, linewidth=1.1)
        if np.isfinite(mean).any():
            ax.set_ylim(*((0, None) if name == "effective_dimension" else (-0.02, 1.04)))
    return Drawing(
        "space_across_seeds",
        figure,
        "The variance that the leading principal components hold together"
        + (
            ", and through training: the between-class share of the variance, nearest-centroid accuracy and effective "
            "dimension; dashed: with labels shuffled"
            if tracked
            else "; training cannot change this layer"
        )
        + ". Grey: each seed; blue: mean with its 95 % t interval over seeds.",
        pd.DataFrame(rows),
    )

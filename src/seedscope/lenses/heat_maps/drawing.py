"""Heat maps on their pictures, and how well they find the object: for one replica, and over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedscope import figures
from seedscope.figures import Drawing
from seedscope.lenses.heat_maps.localization import MEASURES, enlarged, normalised

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

    from seedscope.across import Comparison

_SIDE, _GAP, _LINE = 1.4, 0.08, 0.24  # of a panel, between panels, of the words above a row; inches
_METHODS = {"grad_cam": "Grad-CAM", "occlusion": "occlusion", "integrated_gradients": "integrated gradients"}
_MEASURED = {
    "pointing": "pointing game:\nhottest pixel inside",
    "mass": "share of the heat\ninside",
    "rank": "share of the hottest\npixels inside",
    "iou": "IoU of the\nhottest cells",
}
_PRIORS = {"centre_prior": "middle of the picture", "brightest_window": "brightest window"}
_SOURCES = (
    ("trained", "this network", "o", figures.FOR),
    ("untrained", "before training", "s", figures.NEUTRAL),
    ("same_class", "map of another picture, same class", "x", figures.AGAINST),
)


def title_of(name: str) -> str:
    """Return what a map is called in a figure: its method and, below it, its layer."""
    method = next(method for method in _METHODS if name.startswith(method))
    layer = name[len(method) + 1 :]
    return f"{_METHODS[method]}\n{layer}" if layer else _METHODS[method].replace(" ", "\n")


def overlays(measured: xr.Dataset, opacity: float) -> Drawing:
    """Draw each picture and its heat maps, a row for each class asked for."""
    import matplotlib
    from matplotlib.colors import Normalize

    names = [str(name) for name in measured["map"].values]
    rows = [(e, r) for e in range(measured.sizes["exhibit"]) for r in range(measured.sizes["rank"])]
    tall = measured.sizes["y"] / measured.sizes["x"]
    left, top, bottom, right = 0.3, 0.95, 0.15, 0.95
    high = _SIDE * tall
    width = max(7.5, left + (len(names) + 1) * (_SIDE + _GAP) + right)
    height = top + len(rows) * (high + _LINE + _GAP) + bottom
    experiment, seed = measured.attrs["experiment"], measured.attrs["seed"]
    figure = figures.canvas(
        f"Where the network sees a class, by {len(names)} heat maps ({experiment}, seed {seed})", width, height
    )
    colours = matplotlib.colormaps[figures.SEQUENTIAL]
    constant_maps = 0

    def axes_at(row: int, column: int) -> Axes:
        x = left + column * (_SIDE + _GAP)
        y = height - top - row * (high + _LINE + _GAP) - _LINE - high
        ax = figure.add_axes((x / width, y / height, _SIDE / width, high / height))
        ax.set_axis_off()
        return ax

    for row, (e, r) in enumerate(rows):
        picture = _grey_or_rgb(measured.image.values[e])
        figure.text(
            left / width,
            1 - (top + row * (high + _LINE + _GAP) + 0.6 * _LINE) / height,
            _asked(measured, e, r),
            fontsize=8.5,
            va="center",
        )
        for column, name in enumerate(["picture", *names]):
            ax = axes_at(row, column)
            shown = picture
            if column:
                heat = np.maximum(measured[name].values[e, r], 0)
                scaled, constant = normalised(heat[None])
                if constant[0]:
                    constant_maps += 1
                    words = "no heat" if heat.max() == 0 else "everywhere alike"
                    ax.text(
                        0.5,
                        0.5,
                        words,
                        transform=ax.transAxes,
                        ha="center",
                        va="center",
                        fontsize=8.5,
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                    )
                else:
                    heat = enlarged(scaled, picture.shape[:2])[0]
                    shown = (1 - opacity) * picture + opacity * colours(heat)[..., :3]
            ax.imshow(shown, vmin=0, vmax=1, aspect="auto")
            if "box" in measured:
                _outline(ax, measured.box.values[e])
            if row == 0:
                above = 1 - (top - 0.06) / height
                x = (left + column * (_SIDE + _GAP) + _SIDE / 2) / width
                figure.text(x, above, name if column == 0 else title_of(name), fontsize=9, ha="center", va="bottom")
    image = matplotlib.cm.ScalarMappable(Normalize(0, 1), colours)
    tall_bar = min(2.5, height - top - bottom - 0.3)
    box = (1 - (right - 0.15) / width, 1 - (top + _LINE + tall_bar) / height, 0.12 / width, tall_bar / height)
    figures.color_bar(figure, image, box, "heat ÷ the map's largest")
    outlined = " The frame is where the object is." if "box" in measured else ""
    constant_words = (
        f" {constant_maps} maps are constant: they say nothing, and the picture is shown without heat."
        if constant_maps
        else ""
    )
    return Drawing(
        "heat_maps",
        figure,
        "Each row is a picture and one class; the line above it says which, with the score that is explained. Heat "
        "marks what speaks for the class by each method, on the scale of its own map: how hot two maps are cannot be "
        f"compared, only where.{outlined}{constant_words}{_closed_words(measured, names)}",
    )


def _closed_words(measured: xr.Dataset, names: Sequence[str]) -> str:
    linear = [name.removeprefix("grad_cam_") for name in names if "closed_form_error" in measured[name].attrs]
    if not linear:
        return ""
    return (
        f" From {' and '.join(linear)} on the network is linear: Grad-CAM's channel weights there are means of the head's "
        "own weights, the same for every picture."
    )


def _asked(measured: xr.Dataset, exhibit: int, rank: int) -> str:
    names = list(np.atleast_1d(measured.attrs["class_names"]))
    asked, label = int(measured.target[exhibit, rank]), int(measured.label[exhibit])
    called = [f"class {k}" if names[k] == str(k) else str(names[k]) for k in (asked, label)]
    words = f"{called[0]}: score {measured.score.values[exhibit, rank]:.2f}, p {measured.probability.values[exhibit, rank]:.2f}"
    return f"{words}  (sample {int(measured.exhibit[exhibit])}{'' if asked == label else f', in truth {called[1]}'})"


def _grey_or_rgb(picture: np.ndarray) -> np.ndarray:
    """Return a picture (channel, y, x) as (y, x, colour) in [0, 1]; other than 3 channels become their mean."""
    shown = picture if len(picture) == 3 else np.repeat(picture.mean(0, keepdims=True), 3, axis=0)
    return np.clip(np.moveaxis(shown, 0, -1), 0, 1)


def _outline(ax: Axes, box: np.ndarray) -> None:
    from matplotlib.patches import Rectangle

    top, left, height, width = (float(side) for side in box)
    for color, thick in (("black", 2.2), ("white", 1.0)):
        ax.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=color, linewidth=thick))


def localization_figure(measured: xr.Dataset) -> Drawing:
    """Draw how well each map finds the object in one replica, beside what it has to beat."""
    table = _table(measured)
    where = f"{measured.attrs['experiment']}, seed {measured.attrs['seed']}"
    return Drawing(
        "localization",
        _dots(f"Does the heat lie on the object? ({where})", table, _counts(measured)),
        _DESCRIPTION + _constant_words([measured]),
        table,
    )


def localization_across_seeds(parts: Sequence[xr.Dataset]) -> Comparison:
    """Return how well each map finds the object over seeds: figure, table and metrics of what it has to beat."""
    import pandas as pd

    from seedscope.across import Comparison
    from seedscope.across.statistics import mean_interval

    tables = pd.concat([_table(part).assign(seed=part.attrs["seed"]) for part in parts])
    rows, metrics = [], {}
    for (name, source, measure), group in tables.groupby(["map", "source", "measure"], sort=False):
        interval = mean_interval(group.value.to_numpy()).as_dict()
        rows.append({"map": name, "source": source, "measure": measure, "value": interval["mean"], **interval})
        if source in ("untrained", "same_class"):
            metrics[f"{name}_{measure}_{source}"] = interval
    table = pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})
    figure = _dots(
        f"Does the heat lie on the object? ({parts[0].attrs['experiment']}, mean and 95 % interval over {len(parts)} seeds)",
        table,
        _counts(parts[0]),
    )
    drawing = Drawing("localization", figure, _DESCRIPTION + _constant_words(parts))
    return Comparison(metrics=metrics, drawings=[drawing], tables={"localization": table.drop(columns="value")})


_DESCRIPTION = (
    "How well the heat maps of the probe pictures find the object, by four measures, larger is better. Filled: this "
    "network. Squares: the same network before training, asked for the same class. Crosses: the map of another picture "
    "of the same class, which shows what merely knowing the class gives. The grey tick is chance, a constant map; the black "
    "tick is the best that a map with so few cells can reach. The rows below are maps made without any network."
)


def _constant_words(parts: Sequence[xr.Dataset]) -> str:
    share = np.mean([part.constant_share.sel(source="trained").values for part in parts], axis=0)
    worst = int(np.argmax(share))
    if share[worst] == 0:
        return " No map is constant."
    return f" Constant maps count as chance; most are among those of {parts[0]['map'].values[worst]}: {100 * share[worst]:.2g} %."


def _counts(measured: xr.Dataset) -> dict[str, int]:
    counts = {
        str(name): int(count) for name, count in zip(measured["map"].values, measured["count"].values, strict=True)
    }
    return counts | {str(prior): measured.sizes["sample"] for prior in measured.prior.values}


def _table(measured: xr.Dataset) -> pd.DataFrame:
    """Return the means as a tidy table: map, source, measure, value."""
    import pandas as pd

    mean = measured.inside.mean("sample")
    rows = []
    for name in measured["map"].values:
        for measure in MEASURES:
            own = {
                str(source): float(mean.sel(map=name, measure=measure, source=source)) for source in mean.source.values
            }
            own["chance"] = float(measured.chance.sel(map=name, measure=measure))
            if measure == "iou":
                own["ceiling"] = float(measured.ceiling.sel(map=name))
            rows += [{"map": str(name), "source": s, "measure": measure, "value": v} for s, v in own.items()]
    for prior in measured.prior.values:
        for measure in MEASURES:
            value = float(measured.baseline.sel(prior=prior, measure=measure))
            rows.append({"map": str(prior), "source": "baseline", "measure": measure, "value": value})
    return pd.DataFrame(rows)


def _dots(title: str, table: pd.DataFrame, counts: Mapping[str, int]) -> Any:
    """Draw a panel for each measure and a row for each map."""
    names = list(dict.fromkeys(table["map"]))
    figure = figures.canvas(title, 10.5, 0.42 * len(names) + 2.0)
    axes = figures.panels(figure, 1, 4, left=2.15, top=1.05, bottom=0.85, wspace=0.12, share_y=True)
    called = [
        f"{_PRIORS[name] if name in _PRIORS else title_of(name).replace(chr(10), ' ')} (n = {counts[name]})"
        for name in names
    ]
    style = {source: (words, marker, color) for source, words, marker, color in _SOURCES}
    style |= {
        "baseline": ("without a network", "D", figures.MARK),
        "chance": ("chance", "|", "#9a9a9a"),
        "ceiling": ("ceiling at this map size", "|", "black"),
    }
    for ax, measure in zip(axes, MEASURES, strict=True):
        for source, (words, marker, color) in style.items():
            part = table[(table.measure == measure) & (table.source == source)].dropna(subset=["value"])
            y = np.array([names.index(name) for name in part["map"]], dtype=float)
            size = 13 if marker == "|" else 6
            ax.plot(
                part.value, y, marker, color=color, markersize=size, markeredgewidth=1.6, label=words, clip_on=False
            )
            if "low" in part:
                known = part.low.notna().to_numpy()
                ax.hlines(y[known], part.low[known], part.high[known], color=color, linewidth=1.4)
        ax.set_xlim(-0.02, 1.02)
        ax.set_xticks([0, 0.5, 1])
        ax.set_title(_MEASURED[measure], fontsize=9.5)
        ax.grid(axis="x", color="#e5e5e5", linewidth=0.8)
        ax.set_axisbelow(True)
    axes[0].set_yticks(range(len(names)), called, fontsize=8.5)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    handles = {
        text: handle
        for ax in axes
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)
        if len(handle.get_xdata())
    }
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="lower center",
        ncols=len(handles),
        fontsize=8,
        frameon=False,
        columnspacing=1.2,
    )
    figure.text(0.5, 0.42 / figure.get_figheight(), "share, mean over pictures", ha="center", fontsize=9)
    return figure

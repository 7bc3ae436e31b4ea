"""Heat maps on their pictures, and how well they find the object: for one replica, and over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope import figures
from seedscope.figures import Drawing
from seedscope.figures.dots import dot_rows
from seedscope.figures.rows import PictureRows, grey_or_rgb
from seedscope.lenses.heat_maps.localization import MEASURES, enlarged, normalised
from seedscope.replica_name import in_a_sentence

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from seedscope.across import Comparison

_METHODS = {"grad_cam": "Grad-CAM", "occlusion": "occlusion", "integrated_gradients": "integrated gradients"}
_MEASURED = {
    "pointing": "pointing game:\nhottest pixel inside",
    "mass": "share of the heat\ninside",
    "rank": "share of the hottest\npixels inside",
    "iou": "IoU of the\nhottest cells",
}
_EXPLAINED = {"logit": "logit", "centred": "centred logit"}
_PRIORS = {"centre_prior": "middle of the picture", "brightest_window": "brightest window"}
_MARKS = {
    "trained": ("this network", "o", figures.FOR),
    "untrained": ("before training", "s", figures.NEUTRAL),
    "same_class": ("map of another picture, same class", "x", figures.AGAINST),
    "baseline": ("without a network", "D", figures.MARK),
    "chance": ("chance", "|", "#9a9a9a"),
    "ceiling": ("the object itself at this map size", "|", "black"),
}


def title_of(name: str) -> str:
    """Return what a map is called in a figure: its method and, below it, its layer."""
    method = next(method for method in _METHODS if name.startswith(method))
    layer = name[len(method) + 1 :]
    return f"{_METHODS[method]}\n{layer}" if layer else _METHODS[method].replace(" ", "\n")


def overlays(measured: xr.Dataset, opacity: float) -> Drawing:
    """Draw each picture and its heat maps, a row for each class asked for."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    names = [str(name) for name in measured["map"].values]
    asked = [(e, r) for e in range(measured.sizes["exhibit"]) for r in range(measured.sizes["rank"])]
    where = f"{measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])}"
    rows = PictureRows(
        f"Where the network sees a class, by {len(names)} heat maps ({where})",
        ["picture", *map(title_of, names)],
        [_asked(measured, *which) for which in asked],
        (measured.sizes["y"], measured.sizes["x"]),
    )
    colours = colormaps[figures.SEQUENTIAL]
    constant_maps = 0
    for row, (e, r) in enumerate(asked):
        picture = grey_or_rgb(measured.image.values[e])
        rows.show(row, 0, picture)
        for column, name in enumerate(names, start=1):
            heat = np.maximum(measured[name].values[e, r], 0)
            scaled, constant = normalised(heat[None])
            if constant[0]:
                constant_maps += 1
                rows.show(row, column, picture)
                rows.say(row, column, "no heat" if heat.max() == 0 else "everywhere alike")
            else:
                shown = colours(enlarged(scaled, (picture.shape[0], picture.shape[1]))[0])[..., :3]
                rows.show(row, column, (1 - opacity) * picture + opacity * shown)
        for column in range(len(names) + 1) if "box" in measured else ():
            rows.outline(row, column, measured.box.values[e])
    rows.color_bar(ScalarMappable(Normalize(0, 1), colours), "heat ÷ the map's largest")
    framed = " The frame is where the object is." if "box" in measured else ""
    silent = ""
    if constant_maps:
        silent = f" {constant_maps} maps are constant: they say nothing, and their picture is shown without heat."
    return Drawing(
        "heat_maps",
        rows.figure,
        "Each row is a picture and one class; the line above it says which, with the score that is explained. Heat "
        "marks what speaks for the class by each method, on the scale of its own map: how hot two maps are cannot be "
        f"compared, only where.{framed}{silent}{_closed_words(measured, names)}",
    )


def _closed_words(measured: xr.Dataset, names: Sequence[str]) -> str:
    linear = [name.removeprefix("grad_cam_") for name in names if "closed_form_error" in measured[name].attrs]
    if not linear:
        return ""
    return (
        f" From {' and '.join(linear)} on the network is linear: Grad-CAM's channel weights there are means of the "
        "head's own weights, the same for every picture."
    )


def _asked(measured: xr.Dataset, exhibit: int, rank: int) -> str:
    names = list(np.atleast_1d(measured.attrs["class_names"]))
    asked, label = int(measured.target[exhibit, rank]), int(measured.label[exhibit])
    called = [f"class {k}" if names[k] == str(k) else str(names[k]) for k in (asked, label)]
    score, chance = (float(values[exhibit, rank]) for values in (measured.score, measured.probability))
    words = f"{called[0]}: {_EXPLAINED[measured.attrs['score']]} {score:.2f}, p {chance:.2f}"
    truth = "" if label in (asked, -1) else f", in truth {called[1]}"  # −1: nobody has said what it is
    return f"{words}  (sample {int(measured.exhibit[exhibit])}{truth})"


def localization_figure(measured: xr.Dataset) -> Drawing:
    """Draw how well each map finds the object in one replica, beside what it has to beat."""
    table = _table(measured)
    where = f"{measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])}"
    return Drawing(
        "localization",
        _dots(f"Does the heat lie on the object? ({where})", table, _called(measured)),
        _DESCRIPTION + _constant_words([measured]),
        table,
    )


def localization_across_seeds(parts: Sequence[xr.Dataset]) -> Comparison:
    """Return how well each map finds the object over seeds: figure, table and metrics of what it has to beat."""
    from seedscope.across import Comparison
    from seedscope.across.beside_nulls import beside_nulls

    table, metrics = beside_nulls([_table(part) for part in parts], "trained", ["untrained", "same_class"])
    experiment = parts[0].attrs["experiment"]
    figure = _dots(
        f"Does the heat lie on the object? (mean and 95 % interval over {len(parts)} seeds of {experiment})",
        table,
        _called(parts[0]),
    )
    drawing = Drawing("localization", figure, _DESCRIPTION + _constant_words(parts))
    return Comparison(metrics=metrics, drawings=[drawing], tables={"localization": table.drop(columns="value")})


_DESCRIPTION = (
    "How well the heat maps of the probe pictures find the object, by four measures, larger is better. Filled: this "
    "network. Squares: the same network before training, asked for the same class. Crosses: the map of another picture "
    "of the same class, which shows what merely knowing the class gives. The grey tick is chance, a constant map; the "
    "black tick is what the object itself gives as heat in cells of the map's size, for the IoU the best that can be. "
    "The rows below are maps made without any network, pixel by pixel."
)


def _constant_words(parts: Sequence[xr.Dataset]) -> str:
    share = np.mean([part.constant_share.sel(source="trained").values for part in parts], axis=0)
    worst = int(np.argmax(share))
    if share[worst] == 0:
        return " No map is constant."
    name = title_of(str(parts[0]["map"].values[worst])).replace("\n", " ")
    return f" Constant maps count as chance; most are among those of {name}: {100 * share[worst]:.2g} %."


def _called(measured: xr.Dataset) -> dict[str, str]:
    """Return what the rows are called: the maps, then what is made without a network, with their pictures."""
    counts = zip(measured["map"].values, measured["count"].values, strict=True)
    called = {str(name): f"{title_of(str(name))} (n = {count})".replace("\n", " ") for name, count in counts}
    return called | {str(p): f"{_PRIORS[str(p)]} (n = {measured.sizes['sample']})" for p in measured.prior.values}


def _table(measured: xr.Dataset) -> pd.DataFrame:
    """Return the means as a tidy table: map, source, measure, value."""
    import pandas as pd

    mean = measured.inside.mean("sample")
    rows = []
    for name in measured["map"].values:
        for measure in MEASURES:
            own = {str(s): float(mean.sel(map=name, measure=measure, source=s)) for s in mean.source.values}
            for bound in ("chance", "ceiling"):
                own[bound] = float(measured[bound].sel(map=name, measure=measure))
            rows += [{"map": str(name), "source": s, "measure": measure, "value": v} for s, v in own.items()]
    for prior in measured.prior.values:
        for measure in MEASURES:
            value = float(measured.baseline.sel(prior=prior, measure=measure))
            rows.append({"map": str(prior), "source": "baseline", "measure": measure, "value": value})
    return pd.DataFrame(rows)


def _dots(title: str, table: pd.DataFrame, called: Mapping[str, str]) -> Figure:
    label = "share, mean over pictures"
    return dot_rows(title, table, _MEASURED, called, _MARKS, low=0, label=label, ticks=[0, 0.5, 1])

"""Heat maps on their pictures, and how well they find the object: for one replica, and over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.drawing.dots import dot_rows
from seedscope.drawing.rows import PictureRows, grey_or_rgb
from seedscope.files.names import imagenet_name, in_a_sentence
from seedscope.formulas.localization import MEASURES, added_up, normalised
from seedscope.lenses.heat_maps.localization import enlarged

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from seedscope.lenses.comparison import Comparison

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


def overlays(measured: xr.Dataset, opacity: float) -> Iterator[Drawing]:
    """Draw each picture and its heat maps, a row for each class asked for; with several ranks a figure per picture."""
    names = [str(name) for name in measured["map"].values]
    ranks = measured.sizes["rank"]
    if ranks == 1:
        yield _overlay(
            "heat_maps",
            f"Where the network sees a class, by {len(names)} heat maps ({_where(measured)})",
            measured,
            [(e, 0) for e in range(measured.sizes["exhibit"])],
            opacity,
        )
        return
    for e, sample in enumerate(measured.exhibit.values):
        title = f"What speaks for the {ranks} likeliest classes of {_called_picture(measured, e)} ({_where(measured)})"
        yield _overlay(f"heat_maps_sample{sample}", title, measured, [(e, r) for r in range(ranks)], opacity)


def _overlay(name: str, title: str, measured: xr.Dataset, asked: Sequence[tuple[int, int]], opacity: float) -> Drawing:
    names = [str(map_name) for map_name in measured["map"].values]
    sheet = _Sheet(title, measured, [_asked(measured, *which) for which in asked], opacity)
    for row, (e, r) in enumerate(asked):
        sheet.fill(row, e, [measured[map_name].values[e, r] for map_name in names])
    sheet.color_bar()
    framed = " The frame is where the object is." if "box" in measured else ""
    return Drawing(
        name,
        sheet.figure,
        "Each row is a picture and one class; the line above it says which, with the score that is explained. Heat "
        "marks what speaks for the class by each method, on the scale of its own map: how hot two maps are cannot be "
        f"compared, only where.{_coarse_words(measured, names)}{framed}{sheet.constant_words()}"
        f"{_closed_words(measured, names)}",
    )


def randomised_figure(measured: xr.Dataset, opacity: float) -> Drawing:
    """Draw each picture's maps above those of the network with shuffled weights, and say how alike they are."""
    import pandas as pd

    names = [str(name) for name in measured["map"].values]
    words = []
    for e in range(measured.sizes["exhibit"]):
        alike = measured.similarity.sel(other="randomised").values[:, e]
        words += [_asked(measured, e, 0), f"the same with shuffled weights: rank correlation {_listed_numbers(alike)}"]
    sheet = _Sheet(f"Does a map show what was learned? ({_where(measured)})", measured, words, opacity)
    for e in range(measured.sizes["exhibit"]):
        sheet.fill(2 * e, e, [measured[name].values[e, 0] for name in names])
        sheet.fill(2 * e + 1, e, [measured[f"{name}_randomised"].values[e] for name in names])
    sheet.color_bar()
    n = measured.sizes["exhibit"]
    mean = measured.similarity.mean("exhibit")
    by_map = "; ".join(
        f"{title_of(name)} {_number(float(mean.sel(map=name, other='randomised')))} "
        f"({_number(float(mean.sel(map=name, other='another_picture')))})".replace("\n", " ")
        for name in names
    )
    table = measured.similarity.to_series().rename("rank_correlation").reset_index()
    return Drawing(
        "randomised",
        sheet.figure,
        "Above: the maps of this network. Below: those of the same network with the entries of each weight tensor "
        "shuffled, so that nothing learned is left, for the same class. A map that hardly changes shows the picture "
        "and not the network. The numbers are Spearman's rank correlation of the two signed maps, in the order of the "
        f"columns. Mean over {n} picture{'s' if n != 1 else ''}, in brackets that of this network's maps of two "
        f"different pictures, which is what no reason at all gives: {by_map}.{sheet.constant_words()}",
        pd.DataFrame(table),
    )


class _Sheet:
    """Rows of a picture and its heat maps."""

    def __init__(self, title: str, measured: xr.Dataset, words: Sequence[str], opacity: float) -> None:
        from matplotlib import colormaps

        self._measured, self._opacity = measured, opacity
        self._colours = colormaps[figures.SEQUENTIAL]
        self._constant = 0
        columns = ["picture", *(title_of(str(name)) for name in measured["map"].values)]
        self._rows = PictureRows(title, columns, words, (measured.sizes["y"], measured.sizes["x"]))

    @property
    def figure(self) -> Figure:
        return self._rows.figure

    def fill(self, row: int, exhibit: int, maps: Sequence[np.ndarray]) -> None:
        """Put a picture into a row, and its maps (y, x) over it; say of a constant map that it is one."""
        picture = grey_or_rgb(self._measured.image.values[exhibit])
        self._rows.show(row, 0, picture)
        for column, signed in enumerate(maps, start=1):
            heat = np.maximum(added_up(signed[None])[0], 0)
            scaled, constant = normalised(heat[None])
            if constant[0]:
                self._constant += 1
                self._rows.show(row, column, picture)
                self._rows.say(row, column, "no heat" if heat.max() == 0 else "everywhere alike")
            else:
                shown = self._colours(enlarged(scaled, (picture.shape[0], picture.shape[1]))[0])[..., :3]
                self._rows.show(row, column, (1 - self._opacity) * picture + self._opacity * shown)
        if "box" in self._measured:
            for column in range(len(maps) + 1):
                self._rows.outline(row, column, self._measured.box.values[exhibit])

    def color_bar(self) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        self._rows.color_bar(ScalarMappable(Normalize(0, 1), self._colours), "heat ÷ the map's largest")

    def constant_words(self) -> str:
        if not self._constant:
            return ""
        count = "1 map is" if self._constant == 1 else f"{self._constant} maps are"
        return f" {count} constant: the picture is shown there without heat, for it says nothing."


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # + 0.0: there is no −0


def _listed_numbers(values: np.ndarray) -> str:
    return ", ".join(_number(float(value)) for value in values)


def _where(measured: xr.Dataset) -> str:
    return f"{measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])}"


def _called_picture(measured: xr.Dataset, exhibit: int) -> str:
    """Return the name of a picture's file, or else its number."""
    return str(measured.file.values[exhibit]) if "file" in measured else f"sample {int(measured.exhibit[exhibit])}"


def _coarse_words(measured: xr.Dataset, names: Sequence[str]) -> str:
    if all(added_up(measured[name].values[:, 0]).shape == measured[name].values[:, 0].shape for name in names):
        return ""
    return " Finer maps are added up over 32 × 32 cells: single pixels could not be seen."


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
    called = [
        f"class {k}" if names[k] == str(k) else " ".join(imagenet_name(str(names[k]))).strip() for k in (asked, label)
    ]
    score, chance = (float(values[exhibit, rank]) for values in (measured.score, measured.probability))
    words = f"{called[0]}: {_EXPLAINED[measured.attrs['score']]} {_number(score)}, p {chance:.2f}"
    truth = "" if label in (asked, -1) else f", in truth {called[1]}"  # −1: nobody has said what it is
    return f"{words}  ({_called_picture(measured, exhibit)}{truth})"


def localization_figure(measured: xr.Dataset) -> Drawing:
    """Draw how well each map finds the object in one replica, beside what it has to beat."""
    table = _table(measured)
    return Drawing(
        "localization",
        _dots(f"Does the heat lie on the object? ({_where(measured)})", table, _called(measured)),
        _DESCRIPTION + _constant_words([measured]),
        table,
    )


def localization_across_seeds(parts: Sequence[xr.Dataset]) -> Comparison:
    """Return how well each map finds the object over seeds: figure, table and metrics of what it has to beat."""
    from seedscope.lenses.beside_nulls import beside_nulls
    from seedscope.lenses.comparison import Comparison

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
    found = []
    for source, words in (("trained", "this network"), ("untrained", "the network before training")):
        if source in parts[0].source and np.isfinite(parts[0].constant_share.sel(source=source)).all():
            share = np.mean([part.constant_share.sel(source=source).values for part in parts], axis=0)
            worst = int(np.argmax(share))
            name = title_of(str(parts[0]["map"].values[worst])).replace("\n", " ")
            if share[worst] > 0:
                found.append(f"of {words} among those of {name} ({100 * share[worst]:.2g} %)")
    return f" Constant maps count as chance; most are {', '.join(found)}." if found else " No map is constant."


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

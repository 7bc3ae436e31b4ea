"""Heat maps on their pictures, above those of the network with shuffled weights, and how well they find the object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedscope.figures import Bar, Facts, Panel, Scale, Sheet, grey_or_rgb
from seedscope.figures.rows import PictureRows
from seedscope.files.names import class_in_a_sentence
from seedscope.formulas.localization import added_up, normalised
from seedscope.lenses.attribution import PICTURE
from seedscope.lenses.heat_maps.found import DESCRIPTION, METHODS, constant_words, dots, in_a_line, table
from seedscope.lenses.heat_maps.localization import enlarged
from seedscope.lenses.heat_maps.maps import Map

if TYPE_CHECKING:
    import xarray as xr

_EXPLAINED = {"logit": "logit", "centred": "centred logit"}
_HEAT = Scale(0.0, 1.0)


def sheets(measured: xr.DataTree, maps: Sequence[Map], opacity: float) -> Iterator[Sheet]:
    """Yield each picture and its heat maps, a row for each class asked for; with several ranks a sheet per picture."""
    measured = measured.load()
    count, ranks = measured.sizes["shown_sample"], measured.sizes["rank"]
    if ranks == 1:
        title = f"Where the network sees a class, by {len(maps)} heat maps"
        yield _overlays("heat_maps", title, measured, maps, [(e, 0) for e in range(count)], opacity)
    for e, sample in enumerate(measured.shown_sample.values) if ranks > 1 else ():
        title = f"What speaks for the {ranks} likeliest classes of {_called(measured, e)}"
        asked = [(e, rank) for rank in range(ranks)]
        yield _overlays(f"heat_maps_sample{sample}", title, measured, maps, asked, opacity)
    if any("similarity" in measured.children[one.layer].dataset for one in maps):
        yield _randomised(measured, maps, opacity)
    if "baseline" in measured.dataset:
        yield _localization(measured, maps)


def _overlays(
    name: str,
    title: str,
    measured: xr.DataTree,
    maps: Sequence[Map],
    asked: Sequence[tuple[int, int]],
    opacity: float,
) -> Sheet:
    """Show a row for each (picture, rank)."""
    rows = _Rows(measured, maps, [_asked(measured, *which) for which in asked], opacity)
    for row, (e, rank) in enumerate(asked):
        rows.fill(row, e, [one.of(measured, "attribution").values[e, rank] for one in maps])
    framed = " The frame is where the object is." if "box" in measured.dataset else ""
    one_picture = measured.sizes["rank"] > 1
    return Sheet(
        name,
        Facts.of(measured),
        title,
        "Each row is a picture and one class; the line above it says which, with the score that is explained. Heat "
        "marks what speaks for the class by each method, on the scale of its own map: how hot two maps are cannot be "
        f"compared, only where.{_coarse_words(measured, maps)}{framed}{rows.constant_words()}"
        f"{_closed_words(measured, maps)}",
        rows.panel(),
        family="What speaks for the likeliest classes" if one_picture else "",
        mark=_called(measured, asked[0][0]) if one_picture else "",
    )


def _randomised(measured: xr.DataTree, maps: Sequence[Map], opacity: float) -> Sheet:
    """Show each picture's maps above those of the network with shuffled weights, and say how alike they are."""
    import xarray as xr

    n = measured.sizes["shown_sample"]
    similarity = xr.concat([one.of(measured, "similarity").drop_vars("by") for one in maps], dim="map")
    similarity = similarity.assign_coords(map=[one.name for one in maps]).transpose("other", "map", "shown_sample")
    words = []
    for e in range(n):
        alike = similarity.sel(other="randomised").values[:, e]
        words += [_asked(measured, e, 0), f"the same with shuffled weights: rank correlation {_listed(alike)}"]
    rows = _Rows(measured, maps, words, opacity)
    for e in range(n):
        rows.fill(2 * e, e, [one.of(measured, "attribution").values[e, 0] for one in maps])
        rows.fill(2 * e + 1, e, [one.of(measured, "attribution_randomised").values[e] for one in maps])
    mean = similarity.mean("shown_sample").to_series()
    by_map = "; ".join(
        f"{in_a_line(one)} {_number(mean['randomised', one.name])} ({_number(mean['another_picture', one.name])})"
        for one in maps
    )
    return Sheet(
        "randomised",
        Facts.of(measured),
        "Does a map show what was learned?",
        "Above: the maps of this network. Below: those of the same network with the entries of each weight tensor "
        "shuffled, so that nothing learned is left, for the same class. A map that hardly changes shows the picture "
        "and not the network. The numbers are Spearman's rank correlation of the two signed maps, in the order of the "
        f"columns. Mean over {n} picture{'s' if n != 1 else ''}, in brackets that of this network's maps of two "
        f"different pictures, which is what no reason at all gives: {by_map}.{rows.constant_words()}",
        rows.panel(),
        similarity.to_series().rename("rank_correlation").rename_axis(index={"shown_sample": "sample"}).reset_index(),
    )


def _localization(measured: xr.DataTree, maps: Sequence[Map]) -> Sheet:
    """Show how well each map finds the object, beside what it has to beat."""
    means = table(measured, maps)
    return Sheet(
        "localization",
        Facts.of(measured),
        "Does the heat lie on the object?",
        DESCRIPTION + constant_words(measured, maps),
        dots(measured, maps, means),
        means,
    )


class _Rows:
    """Rows of a picture and its heat maps."""

    def __init__(self, measured: xr.DataTree, maps: Sequence[Map], words: Sequence[str], opacity: float) -> None:
        self._boxes = [*measured.dataset.box.values] if "box" in measured.dataset else []
        self._pictures = measured.children[PICTURE].dataset.image
        self._opacity, self._constant = opacity, 0
        columns = ["picture", *(_heading(one) for one in maps)]
        self._rows = PictureRows(columns, words, (self._pictures.sizes["y"], self._pictures.sizes["x"]))

    def fill(self, row: int, exhibit: int, maps: Sequence[np.ndarray]) -> None:
        """Put a picture into a row, and its maps (y, x) over it; say of a constant map that it is one."""
        picture = grey_or_rgb(self._pictures.values[exhibit])
        self._rows.show(row, 0, picture)
        for column, signed in enumerate(maps, start=1):
            self._rows.show(row, column, picture)
            heat = np.maximum(added_up(signed[None]), 0)
            scaled, (constant,) = normalised(heat)
            if constant:
                self._constant += 1
                self._rows.say(row, column, "no heat" if heat.max() == 0 else "everywhere alike")
            else:
                shown = enlarged(scaled, (picture.shape[0], picture.shape[1]))[0]
                self._rows.show(row, column, shown, _HEAT, self._opacity)
        for column in range(len(maps) + 1) if self._boxes else ():
            self._rows.outline(row, column, self._boxes[exhibit])

    def panel(self) -> Panel:
        return self._rows.panel(Bar(_HEAT, "heat ÷ the map's largest"))

    def constant_words(self) -> str:
        if not self._constant:
            return ""
        count = "1 map is" if self._constant == 1 else f"{self._constant} maps are"
        return f" {count} constant: the picture is shown there without heat, for it says nothing."


def _heading(one: Map) -> str:
    """Return what stands above the column of a map: two lines."""
    words = METHODS[one.method]
    return words.replace(" ", "\n") if one.layer == PICTURE else f"{words}\n{one.layer}"


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # + 0.0: there is no −0


def _listed(values: np.ndarray) -> str:
    return ", ".join(_number(float(value)) for value in values)


def _called(measured: xr.DataTree, exhibit: int) -> str:
    """Return the name of a picture's file, or else its number."""
    root = measured.dataset
    return str(root.file.values[exhibit]) if "file" in root else f"sample {int(root.shown_sample[exhibit])}"


def _coarse_words(measured: xr.DataTree, maps: Sequence[Map]) -> str:
    shapes = [one.of(measured, "attribution").values[:, 0] for one in maps]
    if all(added_up(values).shape == values.shape for values in shapes):
        return ""
    return " Finer maps are added up over 32 × 32 cells: single pixels could not be seen."


def _closed_words(measured: xr.DataTree, maps: Sequence[Map]) -> str:
    linear = [one.layer for one in maps if "closed_form_error" in measured.children[one.layer].dataset]
    if not linear:
        return ""
    return (
        f" From {' and '.join(linear)} on the network is linear: Grad-CAM's channel weights there are means of the "
        "head's own weights, the same for every picture."
    )


def _asked(measured: xr.DataTree, exhibit: int, rank: int) -> str:
    root = measured.dataset
    names = np.atleast_1d(root.attrs["class_names"])
    asked, label = int(root.target[exhibit, rank]), int(root.label[exhibit])
    score, chance = (float(values[exhibit, rank]) for values in (root.score, root.probability))
    words = f"{class_in_a_sentence(asked, str(names[asked]))}: {_EXPLAINED[root.attrs['score']]} {_number(score)}"
    # −1: nobody has said what it is
    truth = "" if label in (asked, -1) else f", in truth {class_in_a_sentence(label, str(names[label]))}"
    return f"{words}, p {chance:.2f}  ({_called(measured, exhibit)}{truth})"

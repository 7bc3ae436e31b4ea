"""Draw the space of a layer: the pictures in it, its spectrum, how classes part in training, and the place read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from seedscope.figures import (
    AGAINST,
    FOR,
    MARK,
    NEUTRAL,
    PALETTE,
    Axis,
    Band,
    Bars,
    Beside,
    Dots,
    Facts,
    Image,
    Key,
    Line,
    Mark,
    Panel,
    Rule,
    Sheet,
    Spans,
    Words,
    blended,
)
from seedscope.figures.over import step_axis
from seedscope.formulas.components import components_above
from seedscope.formulas.concentration import participation_ratio
from seedscope.formulas.ridge import explained
from seedscope.lenses.space.dimensions import METRICS
from seedscope.lenses.space.shown import TRACKED, parts_panel, worth_seeing
from seedscope.lenses.space.spectrum import shares
from seedscope.lenses.units import Units

_CORNERS = ("#0072B2", "#CC79A7", "#009E73", "#E69F00")  # of the map of places: top left, top right, bottom …
_NEVER, _NOWHERE = "nothing is ever active", "every picture is at the same point"


def draw(measured: xr.Dataset) -> Iterator[Sheet]:
    """See :meth:`seedscope.lenses.space.Space.draw`."""
    measured = measured.load()
    yield _points(measured)
    yield _spectrum(measured)
    if measured.attrs["trained"]:
        yield _separation(measured)
    if "place_left" in measured:
        yield _place(measured)


def _points(measured: xr.Dataset) -> Sheet:
    """Show the probe pictures along the first components, by class and by the place of the square."""
    live, units = int(measured.live.sum()), Units.measured(measured)
    panels = [_view(measured, 1, by="class"), _view(measured, 2, by="class")]
    words = "Colours and numbers: classes, a number at each class's mean."
    if "square_y" in measured and "square_x" in measured:
        panels.append(_view(measured, 1, by="place"))
        panels += [_place_key(measured)] if live else []
        words += " Right: the same points by the place of the square, in the colours of the key."
    return Sheet(
        "space_pca",
        Facts.of(measured),
        f"The {measured.sizes['sample']} probe pictures in the space of {live} {units.live}",
        f"Each point is a probe picture, along the first three principal components of the {units.live} "
        f"(centred, not scaled). {words}",
        Beside(panels),
    )


def _view(measured: xr.Dataset, up: int, *, by: str) -> Panel:
    """Show the pictures along the first component and the one with index ``up``, coloured by class or by place."""
    points, label = measured.score.values[:, [0, up]], measured.label.values
    share = np.concatenate([shares(measured.variance.values), np.zeros(up + 1)])
    names: list[Mark] = []
    if by == "class":
        colors = np.array(PALETTE)[label % len(PALETTE)]
        for k in np.unique(label):
            x, y = points[label == k].mean(0)
            names.append(Words(float(x), float(y), str(k), 10, bold=True, halo=True))
    else:
        y, x = measured.square_y.values.astype(float), measured.square_x.values.astype(float)
        colors = blended(_CORNERS, (y - y.min()) / max(1, np.ptp(y)), (x - x.min()) / max(1, np.ptp(x)))
    return Panel(
        [Dots(points[:, 0], points[:, 1], colors, size=2.25, opacity=0.75), *names],
        f"by {by}",
        Axis(f"PC 1 ({share[0]:.1%} of the variance)"),
        Axis(f"PC {up + 1} ({share[up]:.1%})"),
        width=3.2,
        height=3.2,
        empty="" if measured.live.any() else _NEVER,
    )


def _place_key(measured: xr.Dataset) -> Panel:
    """Explain the colours of places."""
    y, x = measured.square_y.values.astype(int), measured.square_x.values.astype(int)
    down, right = np.mgrid[0 : np.ptp(y) + 1, 0 : np.ptp(x) + 1].astype(float)
    colors = blended(_CORNERS, down / max(1, np.ptp(y)), right / max(1, np.ptp(x)))
    extent = (float(x.min()) - 0.5, float(x.max()) + 0.5, float(y.max()) + 0.5, float(y.min()) - 0.5)
    return Panel(
        [Image(colors, extent=extent)],
        "place of\nthe square",
        Axis("left edge, pixel", sorted({int(x.min()), int(x.max())}), size=7),
        Axis("top edge, pixel", sorted({int(y.min()), int(y.max())}), size=7),
        width=0.8,
        height=0.8,
    )


def _spectrum(measured: xr.Dataset) -> Sheet:
    """Show how much of the variance each component holds, and all up to it."""
    variance, null = measured.variance.values, measured.variance_null_permuted.values
    shown, count = worth_seeing(variance, null), len(variance)
    nothing = "" if variance.sum() > 0 else (_NOWHERE if measured.live.any() else _NEVER)
    table = pd.DataFrame({"component": np.arange(1, count + 1), "variance": variance, "share": shares(variance)})
    if not nothing:
        table["null_low"], table["null_high"] = np.quantile(null / variance.sum(), (0.05, 0.95), axis=0)
    return Sheet(
        "space_spectrum",
        Facts.of(measured),
        f"How many dimensions do the pictures take in {measured.attrs['features']}?",
        "Left: the share of the variance along each principal component; orange: what 95 % of permutations stay below "
        "when each unit's values are permuted over the pictures by themselves, which leaves the units' variances and "
        "breaks what ties them. Middle: the shares summed, and the effective dimension (Σ λ)² / Σ λ². Right: the "
        "effective dimension of all pictures, of the class means alone (dashed: as many as they can span), and of the "
        "pictures less the mean of their class."
        + ("" if shown == count else f" The first {shown} of {count} components are shown."),
        Beside([_each(variance, null, shown, nothing), _summed(variance, null, shown, nothing), _parts(measured)]),
        table,
    )


def _each(variance: np.ndarray, null: np.ndarray, shown: int, nothing: str) -> Panel:
    """Show the share of each component above what it is where units are permuted."""
    x, y = Axis("principal component", low=0, high=shown + 0.8, whole=True), Axis("share of the variance")
    if nothing:
        return Panel(x=x, y=y, height=2.9, empty=nothing)
    number, above = np.arange(1, len(variance) + 1), components_above(variance, null)
    high = np.quantile(null / variance.sum(), 0.95, axis=0)
    colors = [FOR if n <= above else NEUTRAL for n in number[:shown]]
    permuted = Line(number[:shown], high[:shown], AGAINST, width=1.2, shape=".", size=4, label="units permuted, 95 %")
    return Panel(
        [Bars(number[:shown], shares(variance)[:shown], colors, width=0.85), permuted],
        f"{above} of {len(variance)} components above units permuted by themselves",
        x,
        y,
        height=2.9,
        key=Key("upper right"),
    )


def _summed(variance: np.ndarray, null: np.ndarray, shown: int, nothing: str) -> Panel:
    """Show what the leading components hold together."""
    x = Axis("principal component", low=0, high=shown + 0.8, whole=True)
    y = Axis("share of the variance, summed", low=0, high=1.03)
    if nothing:
        return Panel(x=x, y=y, height=2.9, empty=nothing)
    number, permuted = np.arange(len(variance) + 1), shares(null).mean(0).cumsum()
    dimension, by_chance = float(participation_ratio(variance)), float(participation_ratio(null).mean())
    return Panel(
        [
            Line(number, [0, *np.cumsum(shares(variance))], shape="o", size=3, label="the layer"),
            Line(number, [0, *permuted], AGAINST, "--", 1.2, label="units permuted"),
        ],
        f"effective dimension {dimension:.1f}; units permuted: {by_chance:.1f}",
        x,
        y,
        height=2.9,
        key=Key("lower right"),
    )


def _parts(measured: xr.Dataset) -> Panel:
    """Show the effective dimension of all, of class means and within classes, before and after training."""
    live = measured.live_units.values
    words = f"{int(live[0])} live units" + (f"; untrained (grey): {int(live[1])}" if len(live) > 1 else "")
    return parts_panel(measured.dimension.values[..., None], len(np.unique(measured.label)), words)


def _separation(measured: xr.Dataset) -> Sheet:
    """Show how the classes part as training goes on."""
    names = ["frame", "step", "epoch", *dict.fromkeys([*TRACKED, *METRICS.values()])]
    return Sheet(
        "space_separation",
        Facts.of(measured),
        f"How the classes part in {measured.attrs['features']} as training goes on",
        "Over the pictures that are followed through training: the share of the layer's variance that lies between "
        "classes, the share of pictures nearest to the mean of their class (each left out of its own), and the "
        "effective dimension, also of the class means alone and within classes. Orange: the same with labels shuffled, "
        "mean and 95 % of the shuffles.",
        Beside([_curve(measured, name) for name in TRACKED]),
        measured[names[3:]].to_dataframe().reset_index()[names],
    )


def _curve(measured: xr.Dataset, name: str) -> Panel:
    """Show one number by step, beside its null where it has one."""
    values, step = measured[name].values, measured.step.values
    known = np.isfinite(values)
    more = list(METRICS.values())[1:] if name == "effective_dimension" else []
    top = 1.02 if not more else max(1.0, 1.08 * max(_largest(measured[one].values) for one in (name, *more)))
    y = Axis(TRACKED[name], low=0 if name == "effective_dimension" else -0.02, high=top)
    if not known.any():
        nothing = "one class only" if len(np.unique(measured.label)) < 2 else _NOWHERE
        return Panel(x=Axis("optimiser step"), y=y, width=3.1, height=2.5, empty=nothing)
    marks: list[Mark] = [Line(step[known], values[known], shape="o", label="all pictures" if more else "the layer")]
    marks += [
        Line(step[known], measured[one].values[known], color, width=1.2, shape=".", label=words)
        for one, color, words in zip(more, (MARK, NEUTRAL), ("class means", "within class"), strict=False)
    ]
    if f"{name}_null_shuffled" in measured:
        marks += _shuffled(step[known], measured[f"{name}_null_shuffled"].values[known])
    key = Key("upper right" if more else "upper left") if len(marks) > 1 else None
    return Panel(marks, x=step_axis(step), y=y, width=3.1, height=2.5, key=key)


def _largest(values: np.ndarray) -> float:
    return float(values[np.isfinite(values)].max(initial=0))


def _shuffled(step: np.ndarray, null: np.ndarray) -> list[Mark]:
    """Show mean and 95 % of the null (frame, permutation): a band, or where there is one frame a line."""
    low, high = np.quantile(null, (0.025, 0.975), axis=1)
    if len(step) > 1:
        mean = Line(step, null.mean(1), AGAINST, "--", 1.1, label="labels shuffled")
        return [Band(step, low, high, AGAINST), mean]
    dash = Dots(step, null.mean(1), AGAINST, "_", 6.0, label="labels shuffled")
    return [Spans(step, low, high, AGAINST, 1.2), dash]


def _place(measured: xr.Dataset) -> Sheet:
    """Show how well the place of the square can be read."""
    table = _read(measured)
    return Sheet(
        "space_place",
        Facts.of(measured),
        f"How well can the place of the square be read from {measured.attrs['features']}?",
        "Cross-validated R² of the square's place, read by ridge regression: by one regression for all pictures, and "
        "by one for each class against the class's mean place. Orange: the same with places permuted within classes "
        "(mean and 95 %): what the class alone tells."
        + (" Crosses: read from the same network before the first step." if "untrained" in measured.network else ""),
        _place_panel(table),
        table,
    )


def _read(measured: xr.Dataset) -> pd.DataFrame:
    """Return R² of both coordinates, of all pictures, within classes and within each class, with its null."""
    rows = []
    for at, axis in enumerate(("y", "x")):
        parts = {"all": (measured.place_left.values[:, at], measured.place_total.values[:, at])}
        within_left, within_total = (measured[f"within_{one}"].values[..., at] for one in ("left", "total"))
        parts["within classes"] = (within_left.sum(0), within_total.sum(0))
        parts |= {str(k): (within_left[row], within_total[row]) for row, k in enumerate(measured.true.values)}
        before = _read_before(measured, at, list(parts))
        for what, (left, total) in parts.items():
            values = explained(left, total)
            null = values[1:]
            low, high = np.quantile(null, (0.025, 0.975))
            rows.append(
                {
                    "read": what,
                    "along": axis,
                    "r2": values[0],
                    "null": null.mean(),
                    "low": low,
                    "high": high,
                    "untrained": before[what],
                }
            )
    return pd.DataFrame(rows)


def _read_before(measured: xr.Dataset, at: int, parts: list[str]) -> dict[str, float]:
    """Return R² in the untrained network of one coordinate by what is read; NaN where there is no such network."""
    if "untrained_place_left" not in measured:
        return dict.fromkeys(parts, float("nan"))
    sums = [
        np.concatenate([measured[f"untrained_place_{one}"].values[:, at], [within.sum()], within])
        for one in ("left", "total")
        for within in (measured[f"untrained_within_{one}"].values[:, 0, at],)
    ]
    return dict(zip(parts, explained(*sums).tolist(), strict=True))


def _place_panel(table: pd.DataFrame) -> Panel:
    names = list(dict.fromkeys(table["read"]))
    positions = np.array([0.0, 1.2, *(2.8 + np.arange(len(names) - 2))])
    marks: list[Mark] = [Rule(0.0, width=0.6)]
    for axis, words, offset, color in (("y", "row (top edge)", -0.13, FOR), ("x", "column (left edge)", 0.13, MARK)):
        part = table[table["along"] == axis]
        known = np.isfinite(part["r2"].to_numpy())
        r2, null, low, high = (part[column].to_numpy()[known] for column in ("r2", "null", "low", "high"))
        where = positions[known] + offset
        label = "places permuted\nwithin classes" if axis == "x" else ""
        marks += [Dots(where, r2, color, size=5, label=words), Spans(where, low, high, AGAINST, 2)]
        before = part["untrained"].to_numpy()[known]
        if np.isfinite(before).any():
            untrained = "the same, untrained" if axis == "x" else ""
            marks.append(Dots(where, before, color, "x", 4.5, label=untrained))
        marks.append(Dots(where, null, AGAINST, "_", 8, label=label))
    every = -(-(len(names) - 2) // 15)
    kept = [index for index in range(len(names)) if index < 2 or (index - 2) % every == 0]
    shown = {"all": "all\npictures", "within classes": "within\nclasses"}
    numbers = table[["r2", "null", "low", "untrained"]].to_numpy()
    found = np.isfinite(numbers).any()
    return Panel(
        marks,
        x=Axis(
            "numbers: within that class alone",
            positions[kept],
            [shown.get(names[index], names[index]) for index in kept],
            -0.6,
            positions[-1] + 0.6,
        ),
        y=Axis("cross-validated R²", low=min(-0.1, 1.05 * float(np.nanmin(numbers))) if found else -0.1, high=1.02),
        width=7.5,
        height=2.9,
        empty="" if np.isfinite(table["r2"]).any() else "too few pictures, or one place only",
        key=Key("right"),
    )

"""Same class, different votes: what makes a vote vary, and how much change do the decision and its voters bear?

**What makes a vote vary.** Of one unit and one class, v[p, n] is the centred vote for that class (see
:mod:`seedscope.formulas.votes`) in the picture of place p under noise field n, P places × N fields:

    vote = class mean + place + noise + interaction              a variance component of each; shares of their sum

A two-way analysis of variance with one picture per cell (:mod:`seedscope.formulas.variance`); places and noise fields
are draws, so its variance components are unbiased, while the shares of the plain sums of squares are not: of votes that
depend on neither they give each its df. Without a second picture per cell the interaction holds all that place and
noise do not explain each by itself; where they determine the picture, as in ``squares``, that is their interaction
proper. A component may come out negative where there is none; it is kept so. Shares are those of the sums over classes
and units, so units that vary more weigh more. The null shuffles the pictures of each class over the cells.

**How much change is borne.** As one thing (``design``) changes level by level in the same pictures: accuracy, the
margin (true logit minus the strongest other; of one logit z, ±z), and who votes, each against the base level:

    of the class      how many of the top 5 by mean centred vote over the class's pictures are the same units, and
                      Spearman's rank correlation (1904) of all live units' means; averaged over classes
    of the picture    how many of the top 5 by centred vote in the picture itself are the same units; averaged over
                      the pictures whose label is that of the base level

Random sets of t of L live units share t²/L. The null of the class is the overlap of the base level with the probe
pictures: what other pictures alone change. That of the picture pairs it with the next picture of its class at the
base level: what pictures of a class share anyway. Live is who votes for some probe picture; units that only wake up
under change do not enter the sets, and their share of Σ |centred votes| is told.

It reads ``replica.variations``: ``design`` (``crossed``, or any other name), ``level``, ``base``, ``place`` and
``noise_draw``, as :meth:`seedscope.data.squares.Squares.variations` describes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.files.errors import SeedscopeError
from seedscope.files.names import in_a_sentence
from seedscope.formulas.correlation import spearman
from seedscope.formulas.decisions import predicted_class, true_margin
from seedscope.formulas.intervals import mean_interval, wilson_interval
from seedscope.formulas.nulls import another_of_its_class
from seedscope.formulas.overlap import top_overlap, top_overlap_by_chance
from seedscope.formulas.ranks import top_units
from seedscope.formulas.variance import shares, sums_of_squares, variance_components
from seedscope.formulas.votes import VERSIONS, Votes, dominance
from seedscope.lenses import Network, Replica, require_dense_head
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from seedscope.lenses.comparison import Comparison

SOURCES = ("place", "noise", "interaction")
_COLORS = (figures.PALETTE[0], figures.PALETTE[4], "#BBBBBB")
_TOP = 5
_SHUFFLES = 20
_SHOWN = 6  # pictures in a strip
_NAMED = 8  # units whose votes stand under each
_BARS = 40  # units drawn
_THRESHOLD = 0.9
_LONGEST_LABEL = 44


def level_below(level: np.ndarray, accuracy: np.ndarray, base: int, threshold: float) -> float:
    """Return the level nearest the base at which accuracy, linear between levels, falls to ``threshold``.

    Args:
        level: ascending.
        accuracy: at each level.
        base: position of the base level.
        threshold: an accuracy.

    Returns:
        The base level itself where accuracy is below ``threshold`` already; NaN where it never is.
    """
    if accuracy[base] < threshold:
        return float(level[base])
    found = []
    for step in (1, -1):
        at = base
        while 0 <= at + step < len(level):
            before, after = accuracy[at], accuracy[at + step]
            if after < threshold:
                share = (before - threshold) / (before - after)
                found.append(level[at] + share * (level[at + step] - level[at]))
                break
            at += step
    return float(min(found, key=lambda there: abs(there - level[base]))) if found else float("nan")


@dataclass(frozen=True)
class Variation:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
    """

    features: str
    head: str

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features, and a data set that makes no variations."""
        require_dense_head(network, self.features, self.head)
        if not network.varied:
            raise SeedscopeError(
                "the data set makes no pictures in which one thing changes at a time: give it `variations()`, or take "
                "this lens out of the experiment"
            )

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the variance of votes and margins by source, and every condition's accuracy, margin and voters.

        Raises:
            SeedscopeError: the crossed design lacks a picture, or the levels of another are not the same pairs.
        """
        import xarray as xr

        varied = replica.variations
        if varied is None:
            raise SeedscopeError(f"{replica.experiment}: data.nc has no variations: run `dvc repro`")
        probe = votes_of(replica, self.features, self.head)
        activation = replica.activations[f"{self.features}_variations"].values
        activation = activation.reshape(len(activation), -1).astype(np.float64)
        votes = Votes(activation, probe.weight, probe.bias)
        logit = replica.activations["logit_variations"].values.astype(np.float64)
        design, n_classes = varied["design"].values.astype(str), len(replica.class_names)
        whole = xr.Dataset(
            {"live": ("unit", probe.live)},
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "features": self.features,
                "class_names": list(replica.class_names),
            },
        )
        parts = [whole]
        if (design == "crossed").any():
            parts.append(_crossed(varied, votes, logit, probe.live, n_classes))
        if (design != "crossed").any():
            usual = _centred(probe, replica.probe.label.values, n_classes)
            parts.append(_robustness(varied, votes, logit, probe.live, usual))
        return xr.merge(parts, combine_attrs="no_conflicts")

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return the shares of variance, and how much change the decision bears.

        Of each design: the lowest accuracy at any level, and the level at which it falls below 90 % (NaN: never). Of
        the first: how many of their top voters two pictures of a class share at the base level, and by chance.
        """
        summary: dict[str, float] = {}
        if "component" in measured:
            for name, share in zip(SOURCES, shares(measured.component.values.sum((1, 2))), strict=True):
                summary[f"{name}_share"] = float(share)
            for name, share in zip(SOURCES, shares(measured.margin_component.values.sum(1)), strict=True):
                summary[f"margin_{name}_share"] = float(share)
        for design, part in _designs(measured):
            accuracy = part.accuracy.values
            if f"top{_TOP}_shared_by_chance" not in summary:
                summary[f"top{_TOP}_shared_by_two_pictures"] = float(
                    part.picture_overlap_null.values[part.base.values][0]
                )
                summary[f"top{_TOP}_shared_by_chance"] = float(measured.attrs["overlap_by_chance"])
            base = int(np.flatnonzero(part.base.values)[0])
            summary[f"lowest_accuracy_{design}"] = float(accuracy.min())
            summary[f"{design}_below_90_percent"] = level_below(part.level.values, accuracy, base, _THRESHOLD)
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield what makes votes vary, pictures with their votes, and robustness; each where its design was made."""
        measured = measured.load()
        if "component" in measured:
            yield _variance_figure(measured)
            yield _strips(measured)
        if "accuracy" in measured:
            yield _robustness_figure(measured)

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Put the seeds' shares of variance and their curves together, with means and intervals over seeds."""
        import pandas as pd

        from seedscope.lenses.comparison import Comparison

        seeds = sorted(measured)
        first = measured[seeds[0]]
        drawings, tables = [], {}
        if "component" in first:
            drawings.append(_shares_across_seeds([measured[seed] for seed in seeds]))
        if "accuracy" in first:
            rows = [row for name in _CURVES for row in _curve_over_seeds(name, [measured[seed] for seed in seeds])]
            tables["robustness"] = pd.DataFrame(rows)
            drawings.append(_robustness_across_seeds([measured[seed] for seed in seeds], tables["robustness"]))
        return Comparison(metrics={}, drawings=drawings, tables=tables)


def _crossed(varied: xr.Dataset, votes: Votes, logit: np.ndarray, live: np.ndarray, n_classes: int) -> xr.Dataset:
    """Return variance by source, (source, class, unit), with its null, and strips of pictures to look at."""
    import xarray as xr

    cells = _cells(varied)
    units = votes.activation.shape[1]
    weight = votes.class_weight(centred=True)
    margin = true_margin(logit, varied.label.values)
    squares, component = (np.zeros((3, n_classes, units)) for _ in range(2))
    margin_squares, margin_component = (np.zeros((3, n_classes)) for _ in range(2))
    shuffled, shuffled_squares = (np.zeros((3, _SHUFFLES)) for _ in range(2))
    rng = np.random.default_rng(0)
    for k, cell in cells.items():
        vote = votes.activation[cell] * (weight[k] * live)
        squares[:, k] = sums_of_squares(vote)
        component[:, k] = variance_components(squares[:, k], *cell.shape)
        margin_squares[:, k] = sums_of_squares(margin[cell])
        margin_component[:, k] = variance_components(margin_squares[:, k], *cell.shape)
        flat = vote.reshape(cell.size, units)[:, live]
        for shuffle in range(_SHUFFLES):
            drawn = sums_of_squares(flat[rng.permutation(cell.size)].reshape(*cell.shape, -1))
            shuffled_squares[:, shuffle] += drawn.sum(1)
            shuffled[:, shuffle] += variance_components(drawn, *cell.shape).sum(1)
    class_shown = list(cells)[len(cells) // 2]
    cell = cells[class_shown]
    count = min(_SHOWN, *cell.shape)
    strip = np.stack([cell[0, :count], cell[:count, 0]])
    own = votes.activation * weight[class_shown]
    units_shown = top_units(np.abs(own[cell]).mean((0, 1)), live, min(_NAMED, int(live.sum())))
    return xr.Dataset(
        {
            "sum_of_squares": (("source", "true", "unit"), squares),
            "component": (("source", "true", "unit"), component),
            "margin_sum_of_squares": (("source", "true"), margin_squares),
            "margin_component": (("source", "true"), margin_component),
            "shuffled_share": (("source", "shuffle"), shares(shuffled)),
            "shuffled_squares_share": (("source", "shuffle"), shares(shuffled_squares)),
            "places": ("true", [cells[k].shape[0] if k in cells else 0 for k in range(n_classes)]),
            "noises": ("true", [cells[k].shape[1] if k in cells else 0 for k in range(n_classes)]),
            "strip_image": (
                ("strip", "picture", "channel", "y", "x"),
                np.stack([varied.image.isel(sample=row).values for row in strip]),
            ),
            "strip_unit": ("rank", units_shown),
            "strip_vote": (("strip", "picture", "rank"), own[strip][..., units_shown]),
            "strip_decided": (("strip", "picture"), predicted_class(logit)[strip]),
            "strip_margin": (("strip", "picture"), margin[strip]),
        },
        coords={"source": list(SOURCES)},
        attrs={"class_shown": class_shown},
    )


def _cells(varied: xr.Dataset) -> dict[int, np.ndarray]:
    """Return the positions of the crossed pictures by class, (place, noise field)."""
    crossed = np.flatnonzero(varied["design"].values.astype(str) == "crossed")
    label, place, noise = (varied[name].values[crossed] for name in ("label", "place", "noise_draw"))
    cells = {}
    for k in np.unique(label):
        own = np.flatnonzero(label == k)
        places, row = np.unique(place[own], return_inverse=True)
        noises, column = np.unique(noise[own], return_inverse=True)
        shape = (len(places), len(noises))
        taken = np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1])
        if min(shape) < 2 or (taken != 1).any():
            raise SeedscopeError(
                f"variations: class {k} has {len(own)} crossed pictures of {shape[0]} places and {shape[1]} noise "
                "fields; there must be one of each pair, of at least two places and two fields"
            )
        cell = np.empty(shape, dtype=np.int64)
        cell[row, column] = crossed[own]
        cells[int(k)] = cell
    return cells


def _robustness(varied: xr.Dataset, votes: Votes, logit: np.ndarray, live: np.ndarray, usual: np.ndarray) -> xr.Dataset:
    """Return what each condition (a level of a design) does; ``usual`` are the probe's mean votes (class, unit)."""
    import xarray as xr

    label = varied.label.values
    margin, right = true_margin(logit, label), predicted_class(logit) == label
    sizes = np.abs(votes.activation * votes.class_weight(centred=True)[label])
    coords: dict[str, list[float | str | bool]] = {"design": [], "level": [], "base": []}
    rows: dict[str, list[float]] = {}
    for design, levels in _levels(varied).items():
        base = next(where for _, is_base, where in levels if is_base)
        base_votes = _centred(_part(votes, base), label[base], len(usual))
        again, _ = _agreement(base_votes, usual, live)
        for level, is_base, where in levels:
            for name, value in (("design", design), ("level", level), ("base", is_base)):
                coords[name].append(value)
            n = len(where)
            low, high = wilson_interval(right[where].sum(), np.array(n))
            overlap, correlation = _agreement(_centred(_part(votes, where), label[where], len(usual)), base_votes, live)
            same, other = _picture_overlap(votes, label, where, base, live)
            size = sizes[where].sum()
            row = {
                "n": n,
                "accuracy": right[where].mean(),
                "accuracy_low": low,
                "accuracy_high": high,
                "margin_median": np.median(margin[where]),
                "overlap": overlap,
                "rank_correlation": correlation,
                "overlap_other_pictures": again,
                "woken_units": (votes.activation[where] != 0).any(0)[~live].sum(),
                "woken_share": sizes[where][:, ~live].sum() / size if size > 0 else 0.0,
            }
            row |= _with_interval("picture_overlap", same)
            row["picture_overlap_null"] = other.mean() if len(other) else float("nan")
            row |= _with_interval("margin", margin[where])
            row |= _with_interval("margin_change", margin[where] - margin[base])
            for name, number in row.items():
                rows.setdefault(name, []).append(float(number))
    measured = xr.Dataset(
        {name: ("condition", values) for name, values in rows.items()},
        coords={name: ("condition", values) for name, values in coords.items()},
        attrs={"overlap_by_chance": top_overlap_by_chance(_TOP, int(live.sum()))},
    )
    measured.level.attrs = {design: str(varied.level.attrs.get(design, design)) for design in _levels(varied)}
    return measured


def _levels(varied: xr.Dataset) -> dict[str, list[tuple[float, bool, np.ndarray]]]:
    """Return each design's levels, ascending, with whether it is the base and its pictures, pair by pair."""
    of_sample = varied["design"].values.astype(str)
    level, base = varied.level.values, varied.base.values.astype(bool)
    place, noise = varied.place.values, varied.noise_draw.values
    found: dict[str, list[tuple[float, bool, np.ndarray]]] = {}
    for design in dict.fromkeys(of_sample[of_sample != "crossed"].tolist()):
        for one in np.unique(level[of_sample == design]):
            where = np.flatnonzero((of_sample == design) & (level == one))
            where = where[np.lexsort((noise[where], place[where]))]
            found.setdefault(design, []).append((float(one), bool(base[where].all()), where))
        pairs = [(place[where].tolist(), noise[where].tolist()) for *_, where in found[design]]
        if sum(is_base for _, is_base, _ in found[design]) != 1 or any(pair != pairs[0] for pair in pairs):
            raise SeedscopeError(
                f"variations: design {design!r} must have one base level, and the same places and noise fields at each"
            )
    return found


def _part(votes: Votes, where: np.ndarray) -> Votes:
    return Votes(votes.activation[where], votes.weight, votes.bias)


def _centred(votes: Votes, label: np.ndarray, n_classes: int) -> np.ndarray:
    return dominance(votes, label, n_classes)[VERSIONS.index("centred")]


def _agreement(a: np.ndarray, b: np.ndarray, live: np.ndarray) -> tuple[float, float]:
    """Return the overlap of top sets and the rank correlation of mean votes (class, unit), averaged over classes."""
    seen = np.flatnonzero(~np.isnan(a).any(1) & ~np.isnan(b).any(1))
    shared = top_overlap(top_units(a[seen], live, _TOP), top_units(b[seen], live, _TOP))
    ranks = np.array([float(spearman(a[k, live], b[k, live])) for k in seen])
    known = ranks[~np.isnan(ranks)]
    return (
        float(shared.mean()) if len(seen) and live.any() else float("nan"),
        float(known.mean()) if len(known) else float("nan"),
    )


def _picture_overlap(
    votes: Votes, label: np.ndarray, where: np.ndarray, base: np.ndarray, live: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many top voters each picture shares with itself at the base level, and with the next of its class.

    Only pictures with the label of their base level count; the second also needs another one of the class.
    """
    kept = np.flatnonzero(label[where] == label[base])
    if not len(kept) or not live.any():
        return np.zeros(0), np.zeros(0)
    own = label[base][kept]
    weight = votes.class_weight(centred=True)[own]
    here, there = (top_units(votes.activation[which[kept]] * weight, live, _TOP) for which in (where, base))
    following = another_of_its_class(own)
    others = following >= 0
    return top_overlap(here, there), top_overlap(here[others], there[following[others]])


def _with_interval(name: str, values: np.ndarray) -> dict[str, float]:
    """Return the mean over pictures and its 95 % t interval."""
    mean, low, high = mean_interval(values).numbers
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _designs(measured: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    if "accuracy" in measured:
        of_condition = measured["design"].values.astype(str)
        for design in dict.fromkeys(of_condition.tolist()):
            yield design, measured.isel(condition=np.flatnonzero(of_condition == design))


def _title(what: str, measured: xr.Dataset) -> str:
    return f"{what} ({measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])})"


def _drawn(parts: np.ndarray) -> np.ndarray:
    """Return components (3, …) as shares for a stack: negative ones count as 0, and 0 where nothing varies."""
    return np.nan_to_num(shares(np.clip(parts, 0, None)))


def _stack(ax: Axes, positions: np.ndarray, parts: np.ndarray) -> None:
    base = np.zeros(len(positions))
    for part, color in zip(_drawn(parts), _COLORS, strict=True):
        figures.bars(ax, positions, part, color, base=base)
        base = base + part
    ax.set_ylim(0, 1)


def _variance_figure(measured: xr.Dataset) -> Drawing:
    from matplotlib.patches import Patch

    component = measured.component.values
    of_unit, of_class = component.sum(1), component.sum(2)
    total = of_unit.sum(0)
    order = np.argsort(-total, kind="stable")
    order = order[total[order] > 0]
    shown = order[:_BARS]
    classes = np.flatnonzero(measured.places.values)
    pooled = shares(component.sum((1, 2)))
    told = ", ".join(f"{name} {share:.0%}" for name, share in zip(SOURCES, pooled, strict=True) if len(order))
    figure = figures.canvas(_title("What makes a unit's vote for its class vary?", measured), 11.5, 5.8)
    figure.text(0.5, 0.905, told or "no vote varies", ha="center", fontsize=10)
    top, shares_of_units = (
        figure.add_axes((0.065, bottom, 0.5, height)) for bottom, height in ((0.66, 0.2), (0.13, 0.45))
    )
    right = figure.add_axes((0.645, 0.13, 0.335, 0.73))
    for ax in (top, shares_of_units, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    if len(shown):
        positions = np.arange(len(shown))
        figures.bars(top, positions, total[shown], figures.NEUTRAL)
        _stack(shares_of_units, positions, of_unit[:, shown])
        figures.label_units(shares_of_units, shown)
        top.set_xticks([])
        for ax in (top, shares_of_units):
            ax.set_xlim(-0.7, len(shown) - 0.3)
        top.set_title(
            f"{len(shown)} of {int(measured.live.sum())} live units, by the variance of their votes", fontsize=9
        )
    else:
        figures.say(shares_of_units, "no live unit" if not measured.live.any() else "no vote varies")
        top.set_axis_off()
    top.set_ylabel("logit²", fontsize=8.5)
    shares_of_units.set_ylabel("share of the variance", fontsize=9)
    shares_of_units.set_xlabel(f"unit of {measured.attrs['features']}", fontsize=9)
    null = measured.shuffled_share.values.mean(1)
    stacks = [*of_class[:, classes].T, component.sum((1, 2)), measured.margin_component.values.sum(1)]
    names = [*(str(k) for k in classes), "all\nvotes", "margin"]
    step = max(1.7, 0.15 * len(classes))  # the words below need room
    places = np.array([*range(len(classes)), *(len(classes) - 1 + step * np.arange(1, 4))])
    if len(order):
        stacks.append(null)
        names.append("shuf-\nfled")
    every = -(-len(classes) // 12)
    places = places[: len(names)]
    _stack(right, places, np.stack(stacks, 1))
    kept = [index for index in range(len(names)) if index >= len(classes) or index % every == 0]
    right.set_xticks(places[kept], [names[index] for index in kept], fontsize=8)
    right.set_xlabel("votes for the class, summed over units", fontsize=9)
    right.set_ylabel("share of the variance", fontsize=9)
    handles = [Patch(color=color, label=name) for name, color in zip(SOURCES, _COLORS, strict=True)]
    right.legend(handles=handles, fontsize=8, frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    counts = sorted(
        {(int(p), int(n)) for p, n in zip(measured.places.values, measured.noises.values, strict=True) if p}
    )
    sizes = " or ".join(f"{p} places × {n} noise fields" for p, n in counts)
    return Drawing(
        "vote_variance",
        figure,
        f"The variance of each unit's centred votes for the pictures' own class over {sizes} of each class, split by "
        "a two-way analysis of variance into unbiased components (negative estimates are drawn as 0; the table keeps "
        "them). Interaction: what place and noise do not explain each by itself. Shuffled: the same pictures "
        "assigned to places and noise at random.",
        _variance_table(measured),
    )


def _variance_table(measured: xr.Dataset) -> pd.DataFrame:
    import pandas as pd

    rows = []
    live = np.flatnonzero(measured.live.values)
    component, squares = measured.component.values, measured.sum_of_squares.values
    for k in np.flatnonzero(measured.places.values):
        for unit in live:
            row = {"class": int(k), "unit": str(unit)}
            row |= {f"{name}_component": component[i, k, unit] for i, name in enumerate(SOURCES)}
            row |= {f"{name}_sum_of_squares": squares[i, k, unit] for i, name in enumerate(SOURCES)}
            rows.append(row)
        row = {"class": int(k), "unit": "margin"}
        row |= {f"{name}_component": measured.margin_component.values[i, k] for i, name in enumerate(SOURCES)}
        row |= {f"{name}_sum_of_squares": measured.margin_sum_of_squares.values[i, k] for i, name in enumerate(SOURCES)}
        rows.append(row)
    return pd.DataFrame(rows)


def _strips(measured: xr.Dataset) -> Drawing:
    k = int(measured.attrs["class_shown"])
    images, votes, units = measured.strip_image.values, measured.strip_vote.values, measured.strip_unit.values
    count, named = images.shape[1], len(units)
    name = measured.attrs["class_names"][k]
    told = str(k) if name == str(k) else f"{k}, {name}"
    height, left = 6.5, 0.85
    figure = figures.canvas(_title(f"Same class ({told}), different votes", measured), 11, height)
    rows = ("same place, new noise", "same noise, another place")
    flat = votes.ravel() if named else np.zeros(1)
    room = 0.06 * (max(flat.max(), 0) - min(flat.min(), 0) or 1.0)
    width = (11 - left - 0.2) / count
    for strip, words in enumerate(rows):
        bottom = 3.5 - 2.95 * strip
        figure.text(left / 11, (bottom + 2.38) / height, words, fontsize=10, fontweight="bold")
        seen = figure.add_axes((left / 11, (bottom + 1.08) / height, count * width / 11, 1.05 / height))
        side = min(1.05 / width, 0.94) / 2
        for picture in range(count):
            figures.show_picture(seen, images[strip, picture])
            seen.images[-1].set_extent((picture + 0.5 - side, picture + 0.5 + side, 0, 1))
            decided, margin = int(measured.strip_decided[strip, picture]), float(measured.strip_margin[strip, picture])
            seen.text(
                picture + 0.5,
                1.04,
                f"decided: {decided}, margin {margin:.2f}".replace("-", "−"),
                fontsize=8,
                color="black" if decided == k else figures.AGAINST,
                ha="center",
            )
        seen.set(xlim=(0, count), ylim=(0, 1), aspect="auto")
        ax = figure.add_axes((left / 11, bottom / height, count * width / 11, 1.02 / height))
        ax.spines[["top", "right"]].set_visible(False)
        ax.axhline(0, color="black", linewidth=0.6)
        ax.tick_params(labelsize=8)
        ax.set_xlim(0, count)
        if named:
            positions = np.arange(count)[:, None] + (np.arange(named) + 1.5) / (named + 2)
            heights = votes[strip].ravel()
            figures.bars(ax, positions.ravel(), heights, figures.sign_colors(heights), width=0.8 / (named + 2))
            ax.set_xticks(positions.ravel(), [str(unit) for unit in units] * count, fontsize=6.5)
            ax.tick_params(axis="x", length=0, rotation=90 if (units > 99).any() else 0)
            ax.set_ylim(min(flat.min() - room, 0), max(flat.max() + room, 0))
        else:
            figures.say(ax, "no live unit")
            ax.set_yticks([])
        ax.set_ylabel(f"vote for {k}\n(logit units)", fontsize=8)
        for border in range(1, count):
            ax.axvline(border, color=figures.NEUTRAL, linewidth=0.4)
        if strip:
            ax.set_xlabel(f"unit of {measured.attrs['features']}", fontsize=9, labelpad=1)
    return Drawing(
        "same_class_different_votes",
        figure,
        f"Pictures of class {k} that differ in the noise alone (above) or in the place alone (below), each with the "
        f"centred votes for {k} of the same {named} units: those with the largest mean |vote| over the class's crossed "
        "pictures.",
    )


_CURVES = ("accuracy", "margin", "overlap", "picture_overlap", "rank_correlation")
_LABELS = {
    "accuracy": "accuracy",
    "margin": "margin (logit units)",
    "overlap": f"top {_TOP} shared\nwith the base level",
    "picture_overlap": f"top {_TOP} of a picture\nshared with it",
    "rank_correlation": "rank correlation\nwith the base level",
}


def _grid(measured: xr.Dataset, title: str, rows: tuple[str, ...]) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """Return a figure with a row per quantity and a column per design."""
    designs = [design for design, _ in _designs(measured)]
    height = 1.75 * len(rows) + 1.25
    figure = figures.canvas(title, max(8.5, 3.7 * len(designs) + 0.6), height)
    axes = figures.panels(figure, len(rows), len(designs), top=0.7, bottom=0.62, left=0.85, wspace=0.17, hspace=0.16)
    found = {}
    for index, ax in enumerate(axes):
        row, column = rows[index // len(designs)], designs[index % len(designs)]
        found[row, column] = ax
        levels, base = next(
            (part.level.values, part.level.values[part.base.values])
            for name, part in _designs(measured)
            if name == column
        )
        ax.axvline(float(base[0]), color=figures.NEUTRAL, linewidth=0.7, linestyle=":")
        room = 0.04 * (np.ptp(levels) or 1.0)
        ax.set_xlim(levels.min() - room, levels.max() + room)
        if len(levels) == 1:
            ax.set_xticks(levels)
        if row == rows[0]:
            ax.set_title(column, fontsize=10)
        if row == rows[-1]:
            words = str(measured.level.attrs.get(column, column))
            ax.set_xlabel(words if len(words) <= _LONGEST_LABEL else f"{words[: _LONGEST_LABEL - 1]}…", fontsize=8.5)
        else:
            ax.tick_params(labelbottom=False)
        if column == designs[0]:
            ax.set_ylabel(_LABELS[row], fontsize=8.5)
        else:
            ax.sharey(found[row, designs[0]])
            ax.tick_params(labelleft=False)
    return figure, found


def _set_limits(axes: Mapping[tuple[str, str], Axes]) -> None:
    for (row, _), ax in axes.items():
        if row.endswith("overlap"):
            ax.set_ylim(-0.15, _TOP + 0.15)
        elif row == "accuracy":
            ax.set_ylim(-0.03, 1.03)


def _listed(values: Iterator[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values if np.isfinite(value)) or "none"


def _robustness_figure(measured: xr.Dataset) -> Drawing:
    title = _title("How much change do the decision and its voters bear?", measured)
    figure, axes = _grid(measured, title, ("accuracy", "margin", "overlap"))
    chance = float(measured.attrs["overlap_by_chance"])
    parts = list(_designs(measured))
    for index, (design, part) in enumerate(parts):
        level = part.level.values
        for name in ("accuracy", "margin"):
            ax = axes[name, design]
            ax.plot(level, part[name].values, "o-", color=figures.FOR, markersize=3.5, linewidth=1.2, label="mean")
            low, high = part[f"{name}_low"].values, part[f"{name}_high"].values
            known = np.isfinite(low)
            figures.spans(ax, level[known], low[known], high[known], colors=figures.FOR, linewidths=1.2)
        axes["accuracy", design].axhline(
            1 / len(measured.attrs["class_names"]), color="black", linestyle="--", linewidth=0.9, label="chance"
        )
        ax = axes["margin", design]
        ax.plot(level, part.margin_median.values, "--", color=figures.MARK, linewidth=1.1, label="median")
        ax.axhline(0, color="black", linewidth=0.6)
        ax = axes["overlap", design]
        if measured.live.any():
            ax.plot(
                level, part.overlap.values, "o-", color=figures.FOR, markersize=3.5, linewidth=1.2, label="of a class"
            )
            _of_pictures(ax, part)
            ax.axhline(chance, color="black", linestyle="--", linewidth=0.9, label="chance, live units")
        else:
            figures.say(ax, "no live unit")
        if index == len(parts) - 1:
            for name in ("accuracy", "margin", "overlap"):
                if axes[name, design].get_legend_handles_labels()[0]:
                    axes[name, design].legend(fontsize=7.5, frameon=False, loc="best")
    _set_limits(axes)
    woken = float(measured.woken_share.max())
    names = [name for name, array in measured.data_vars.items() if array.dims == ("condition",)]
    table = measured[names].to_dataframe()
    again = _listed(part.overlap_other_pictures.values[0] for _, part in parts)
    return Drawing(
        "robustness",
        figure,
        "Accuracy (95 % Wilson interval over pictures), margin of the true class (mean with its 95 % interval, median) "
        f"and how many of the top {_TOP} voters, of each class and of each picture, are those of the base level "
        "(dotted vertical line), as one thing changes in the same pictures; pictures that changed class have no "
        f"overlap of their own. Base level and probe pictures, which are others, share {again} of a class's. Units "
        f"dead on all probe pictures cast at most {woken:.1%} of all |votes| at any level.",
        table.set_index(["design", "level", "base"]).reset_index(),
    )


def _of_pictures(ax: Axes, part: xr.Dataset) -> None:
    known = np.isfinite(part.picture_overlap.values)
    level, shared = part.level.values[known], part.picture_overlap.values[known]
    ax.plot(level, shared, "s-", color=figures.AGAINST, markersize=3, linewidth=1.2, label="of a picture")
    low, high = (part[f"picture_overlap_{end}"].values[known] for end in ("low", "high"))
    figures.spans(
        ax,
        level[np.isfinite(low)],
        low[np.isfinite(low)],
        high[np.isfinite(low)],
        colors=figures.AGAINST,
        linewidths=1.2,
    )
    null = part.picture_overlap_null.values[known]
    ax.plot(level, null, ":", color=figures.AGAINST, linewidth=1.3, label="of two pictures of a class")


def _curve_over_seeds(name: str, measured: list[xr.Dataset]) -> Iterator[dict[str, object]]:
    from seedscope.formulas.intervals import mean_interval

    values = np.stack([one[name].values for one in measured])
    first = measured[0]
    for at, (design, level) in enumerate(zip(first["design"].values, first.level.values, strict=True)):
        yield {
            "design": str(design),
            "level": float(level),
            "measure": name,
            **mean_interval(values[:, at]).as_dict(),
        }


def _robustness_across_seeds(measured: list[xr.Dataset], table: pd.DataFrame) -> Drawing:
    first = measured[0]
    title = f"What a decision bears, one line per seed ({first.attrs['experiment']}, n = {len(measured)} seeds)"
    figure, axes = _grid(first, title, _CURVES)
    chance = float(np.mean([one.attrs["overlap_by_chance"] for one in measured]))
    for (name, design), ax in axes.items():
        for one in measured:
            part = dict(_designs(one))[design]
            ax.plot(part.level.values, part[name].values, color=figures.NEUTRAL, linewidth=0.6, alpha=0.7)
        rows = table[(table["measure"] == name) & (table["design"] == design)]
        level, mean, low, high = (rows[key].to_numpy(float) for key in ("level", "mean", "low", "high"))
        if not np.isfinite(mean).any():
            figures.say(ax, "no value")
        ax.plot(level, mean, "o-", color=figures.FOR, markersize=3.5, linewidth=1.3)
        known = np.isfinite(low)
        figures.spans(ax, level[known], low[known], high[known], colors=figures.FOR, linewidths=1.4)
        if name == "accuracy":
            ax.axhline(1 / len(first.attrs["class_names"]), color="black", linestyle="--", linewidth=0.9)
        elif name == "overlap":
            ax.axhline(chance, color="black", linestyle="--", linewidth=0.9)
        elif name == "picture_overlap":
            null = np.stack([dict(_designs(one))[design].picture_overlap_null.values for one in measured])
            ax.plot(level, null.mean(0), ":", color=figures.AGAINST, linewidth=1.3)
        else:
            ax.axhline(0, color="black", linewidth=0.6)
    _set_limits(axes)
    return Drawing(
        "robustness_across_seeds",
        figure,
        "As one thing changes in the same pictures: accuracy, mean margin of the true class, how many of the "
        f"top {_TOP} voters of each class and of each picture are those of the same seed's base level (dotted vertical "
        "line), and Spearman's correlation of all live units' mean votes with it. Grey: each seed; blue: mean with its "
        "95 % t interval over seeds, which may reach beyond what is possible where seeds are few; dashed: chance; "
        "orange dots: what two different pictures of a class share, mean over seeds.",
    )


def _shares_across_seeds(measured: list[xr.Dataset]) -> Drawing:
    import pandas as pd

    from seedscope.formulas.intervals import mean_interval

    first = measured[0]
    figure = figures.canvas(
        f"What makes votes vary, over seeds ({first.attrs['experiment']}, n = {len(measured)} seeds)", 8.5, 3.9
    )
    axes = figures.panels(figure, 1, 2, share_y=True, top=0.75, wspace=0.1)
    rows = []
    for ax, what in zip(axes, ("votes", "margin"), strict=True):
        if what == "votes":
            values = np.stack([shares(one.component.values.sum((1, 2))) for one in measured])
        else:
            values = np.stack([shares(one.margin_component.values.sum(1)) for one in measured])
        for at, (source, color) in enumerate(zip(SOURCES, _COLORS, strict=True)):
            interval = mean_interval(values[:, at])
            rows.append({"of": what, "source": source, **interval.as_dict()})
            spread = 0.25 * np.linspace(-1, 1, len(measured)) if len(measured) > 1 else np.zeros(1)
            ax.plot(at + spread, values[:, at], "o", color=color, markersize=5)
            if interval.mean is not None:
                ax.plot([at - 0.35, at + 0.35], [interval.mean] * 2, color="black", linewidth=1.4)
            if interval.low is not None and interval.high is not None:
                figures.spans(ax, np.array([at]), np.array([interval.low]), np.array([interval.high]), linewidths=1.4)
        ax.set_xticks(range(3), SOURCES, fontsize=9)
        ax.set_xlim(-0.6, 2.6)
        ax.axhline(0, color=figures.NEUTRAL, linewidth=0.6)
        ax.set_title({"votes": "votes of all live units", "margin": "margin of the true class"}[what], fontsize=9.5)
        if not np.isfinite(values).any():
            figures.say(ax, "nothing varies")
    axes[0].set_ylabel("share of the variance", fontsize=9)
    return Drawing(
        "vote_variance_across_seeds",
        figure,
        "The shares of place, noise and their interaction in the variance of the votes and of the margin within a "
        "class: a dot per seed, the mean and its 95 % t interval over seeds.",
        pd.DataFrame(rows),
    )

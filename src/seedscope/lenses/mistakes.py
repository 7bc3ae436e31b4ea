"""Where is the network wrong, and who voted for the wrong class?

For a picture s of class t that was decided as w, each unit's part in the mistake is

    pull[s, i]      = a[s, i] · (W[w, i] − W[t, i])           Σ_i pull + bias[w] − bias[t] = logit[w] − logit[t] ≥ 0
    typical[t,w,i]  = mean of a[s', i] · (W[t, i] − W[w, i]) over the pictures s' of class t decided correctly
    shortfall[s, i] = typical[t, w, i] + pull[s, i]

Units with a large ``pull`` moved the decision towards the wrong class; units with a large ``shortfall`` did so more,
or objected less, than they usually do. The gauge (see :mod:`seedscope.formulas.votes`, also on one logit) drops
out of both: they are differences between two classes. What is typical is not matched by place, and mistakes lie where
classes meet: part of a shortfall may be the place rather than the mistake. Where the generator knows the place of the
object (``square_y``, ``square_x``), accuracy is also read by place, with Wilson intervals (Wilson 1927).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from seedscope import drawing as figures
from seedscope.drawing import Drawing
from seedscope.files.names import in_a_sentence
from seedscope.formulas.decisions import confusion, predicted_class
from seedscope.formulas.intervals import wilson_interval
from seedscope.formulas.votes import Votes
from seedscope.lenses import Network, Replica, require_dense_head
from seedscope.lenses.units import Units
from seedscope.lenses.votes import votes_of

if TYPE_CHECKING:
    import xarray as xr

_NAMED = 5  # units named per misclassified picture


def pull_and_shortfall(
    votes: Votes, label: np.ndarray, predicted: np.ndarray, wrong: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``pull`` and ``shortfall`` of the pictures ``wrong``, each (picture, unit).

    Where no picture of a class was decided correctly there is nothing typical: the shortfall is NaN.
    """
    against = votes.preference(predicted[wrong], label[wrong])
    pull = votes.activation[wrong] * against
    usual = np.full((int(label.max(initial=0)) + 1, votes.activation.shape[1]), np.nan)
    for t in np.unique(label[wrong]):
        right = (label == t) & (predicted == t)
        if right.any():
            usual[t] = votes.activation[right].mean(0)
    return pull, pull - usual[label[wrong]] * against


@dataclass(frozen=True)
class Mistakes:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
        shown: how many misclassified pictures the figure shows, the most confidently wrong first.
    """

    features: str
    head: str
    shown: Annotated[int, Ge(1)] = 6

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features."""
        require_dense_head(network, self.features, self.head)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return confusion, accuracy by place, and who took part in each mistake."""
        import xarray as xr

        votes = votes_of(replica, self.features, self.head)
        label = replica.probe.label.values
        logit = replica.activations["logit"].values.astype(np.float64)
        predicted = predicted_class(logit)
        wrong = np.flatnonzero(predicted != label)
        pull, shortfall = pull_and_shortfall(votes, label, predicted, wrong)
        n_classes = len(replica.class_names)
        confident = wrong[np.argsort(-_lead(logit, predicted, label)[wrong], kind="stable")][: self.shown]
        known = [name for name in ("square_y", "square_x") if name in replica.probe]
        shape = replica.probe.image.shape[1:]
        images = [replica.probe.image.isel(sample=int(position)).values for position in confident]
        measured = xr.Dataset(
            {
                "confusion": (("true", "decided"), confusion(label, predicted, n_classes)),
                "label": ("sample", label),
                "predicted": ("sample", predicted),
                "live": ("unit", votes.live),
                "wrong": ("mistake", wrong),
                "margin": ("mistake", _lead(logit, predicted, label)[wrong]),
                "pull": (("mistake", "unit"), pull),
                "shortfall": (("mistake", "unit"), shortfall),
                "shown": ("picture", confident),
                "shown_image": (
                    ("picture", "channel", "y", "x"),
                    np.array(images, dtype=np.float32).reshape(len(images), *shape),
                ),
                **{name: ("sample", replica.probe[name].values) for name in known},
            },
            coords={"sample": replica.probe.sample.values},
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                **Units.of(replica, self.features).attributes(),
                "class_names": list(replica.class_names),
            },
        )
        if len(known) == 2:
            hits, n = _by_place(measured)
            measured["place_hits"], measured["place_n"] = (
                (("place_y", "place_x"), hits),
                (("place_y", "place_x"), n),
            )
        return measured

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return accuracy, its worst class, and how much of a mistake is a false vote or a missing objection."""
        right = (measured.predicted == measured.label).values
        label = measured.label.values
        by_class = [right[label == k].mean() for k in np.unique(label)]
        live = measured.live.values
        # Of the votes that moved a mistaken picture, the part that is more support than usual for the wrong class.
        shift = measured.shortfall.values[:, live]
        concentration = np.sort(np.clip(shift, 0, None), axis=1)[:, ::-1]
        total = concentration.sum(1)
        share = concentration[:, :_NAMED].sum(1)[total > 0] / total[total > 0]
        return {
            "accuracy": float(right.mean()),
            "mistakes": float((~right).sum()),
            "worst_class_accuracy": float(min(by_class)),
            f"shortfall_in_top{_NAMED}_units": float(share.mean()) if len(share) else float("nan"),
        }

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the confusion matrix, accuracy by place where places are known, and the votes of mistakes."""
        measured = measured.load()
        yield _confusion_matrix(measured)
        if "place_n" in measured:
            yield _accuracy_by_place(measured)
        yield _misclassified(measured)


def _lead(logit: np.ndarray, predicted: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return by how much the decided class leads over the true one, (sample)."""
    if logit.shape[1] == 1:
        return np.where(predicted == label, 0.0, np.abs(logit[:, 0]))
    rows = np.arange(len(label))
    return logit[rows, predicted] - logit[rows, label]


def _by_place(measured: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    y, x = measured.square_y.values.astype(int), measured.square_x.values.astype(int)
    right = (measured.predicted == measured.label).values
    shape = (int(y.max()) + 1, int(x.max()) + 1)
    hits, n = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    np.add.at(n, (y, x), 1)
    np.add.at(hits, (y, x), right)
    return hits, n


def border_distance(label_of_place: np.ndarray) -> np.ndarray:
    """Return, for each place, how many steps along an axis lead to a place of another class (1: a neighbour).

    Args:
        label_of_place: (y, x) class of each place; −1 where it is not known.
    """
    rows, columns = label_of_place.shape
    distance = np.full((rows, columns), max(rows, columns), dtype=np.int64)
    for step in range(1, max(rows, columns)):
        for axis, shift in ((0, step), (0, -step), (1, step), (1, -step)):
            other = np.full_like(label_of_place, -1)
            target: list[slice] = [slice(None), slice(None)]
            source: list[slice] = [slice(None), slice(None)]
            target[axis] = slice(max(0, -shift), label_of_place.shape[axis] - max(0, shift))
            source[axis] = slice(max(0, shift), label_of_place.shape[axis] - max(0, -shift))
            if target[axis].start >= label_of_place.shape[axis] or target[axis].stop <= 0:
                continue
            other[tuple(target)] = label_of_place[tuple(source)]
            differs = (other >= 0) & (other != label_of_place) & (distance > step)
            distance[differs] = step
    return distance


def _borders(label_of_place: np.ndarray, axis: int) -> np.ndarray:
    """Return, for each step along ``axis``, whether two known places beside each other differ there in class."""
    along = np.moveaxis(label_of_place, axis, 0)
    before, after = along[:-1], along[1:]
    return np.asarray(((before >= 0) & (after >= 0) & (before != after)).any(1))


def _filled(label_of_place: np.ndarray) -> np.ndarray:
    """Return the classes with those of places that no probe picture shows, where borders run straight across.

    Without them the neighbours of an unseen place would count as farther from the border than they are.
    """
    bands = [np.concatenate([[0], np.cumsum(_borders(label_of_place, axis))]) for axis in (0, 1)]
    filled = label_of_place.copy()
    for row in range(bands[0][-1] + 1):
        for column in range(bands[1][-1] + 1):
            cell = np.ix_(bands[0] == row, bands[1] == column)
            known = np.unique(label_of_place[cell][label_of_place[cell] >= 0])
            if len(known) == 1:
                filled[cell] = known[0]
    return filled


def _title(what: str, measured: xr.Dataset) -> str:
    return f"{what} ({measured.attrs['experiment']}, {in_a_sentence(measured.attrs['seed'])})"


def _confusion_matrix(measured: xr.Dataset) -> Drawing:
    from matplotlib.colors import LogNorm

    counts = measured.confusion.values
    n_classes, wrong = len(counts), int(measured.sizes["mistake"])
    figure = figures.canvas(
        _title(f"Confusion: {wrong} of {counts.sum()} probe pictures wrongly decided", measured), 6.6, 6.2
    )
    (ax,) = figures.panels(figure, 1, 1, right=0.3, top=0.65)
    norm = LogNorm(1, max(int(counts.max()), 2))
    ax.imshow(np.where(counts > 0, counts, np.nan), norm=norm, cmap="Blues", interpolation="nearest", aspect="auto")
    for row in range(n_classes):
        for column in range(n_classes):
            if counts[row, column]:
                dark = norm(counts[row, column]) > 0.6
                ax.text(
                    column,
                    row,
                    str(counts[row, column]),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if dark else "black",
                )
    ax.set_xticks(range(n_classes))
    ax.set_yticks(range(n_classes))
    ax.set_xlabel("decided class", fontsize=9)
    ax.set_ylabel("true class", fontsize=9)
    import pandas as pd

    table = pd.DataFrame(counts, columns=[str(k) for k in range(n_classes)])
    table.insert(0, "true", range(n_classes))
    return Drawing(
        "confusion_matrix",
        figure,
        "How many probe pictures of each true class (row) were decided as each class (column), the darker the "
        "more, on a logarithmic scale; empty cells are 0.",
        table,
    )


def _accuracy_by_place(measured: xr.Dataset) -> Drawing:
    import pandas as pd
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    hits, n = measured.place_hits.values, measured.place_n.values
    label_of_place = np.full(n.shape, -1)
    label_of_place[measured.square_y.values.astype(int), measured.square_x.values.astype(int)] = measured.label.values
    label_of_place = _filled(label_of_place)
    figure = figures.canvas(_title("Accuracy by place of the square", measured), 11, 5.2)
    left, right = figures.panels(figure, 1, 2, wspace=0.42, top=0.75)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(n > 0, hits / n, np.nan)
    left.set_facecolor("#dddddd")
    image = left.imshow(share, norm=Normalize(0, 1), cmap=figures.SEQUENTIAL, interpolation="nearest")
    for axis, draw in ((1, left.axvline), (0, left.axhline)):
        for place in np.flatnonzero(_borders(label_of_place, axis)):
            draw(place + 0.5, color="white", linewidth=1)
    figures.count_axis(left)
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_xlabel("left edge of the square, pixel", fontsize=9)
    left.set_ylabel("top edge of the square, pixel", fontsize=9)
    left.set_title(
        f"{int(np.median(n[n > 0]))} pictures at a typical place; grey: none; white: cell borders", fontsize=9
    )
    figures.color_bar(figure, image, (0.475, 0.14, 0.012, 0.68), "accuracy")
    distance = border_distance(label_of_place)
    steps = np.unique(distance[n > 0])
    total = np.array([n[distance == step].sum() for step in steps])
    correct = np.array([hits[distance == step].sum() for step in steps])
    low, high = wilson_interval(correct, total)
    figures.spans(right, steps.astype(float), low, high, linewidths=1.2)
    right.plot(steps, correct / total, "o-", color=figures.FOR, markersize=4)
    right.set_xticks(steps)
    right.set_xlabel("pixels to the nearest place of another class", fontsize=9)
    right.set_ylabel("accuracy (95 % interval)", fontsize=9)
    right.set_title("Mistakes lie at the borders between cells?", fontsize=9)
    right.set_ylim(min(0.9, float(np.nanmin(low)) - 0.02), 1.005)
    table = pd.DataFrame(
        {
            "pixels_to_border": steps,
            "n": total,
            "correct": correct,
            "accuracy": correct / total,
            "low": low,
            "high": high,
        }
    )
    return Drawing(
        "accuracy_by_place",
        figure,
        "Left: accuracy for each top-left pixel of the square. Right: accuracy by the distance to the nearest place "
        "that belongs to another class, with 95 % Wilson intervals.",
        table,
    )


def _named(values: np.ndarray, live: np.ndarray) -> np.ndarray:
    candidates = np.flatnonzero(live & ~np.isnan(values))
    return candidates[np.argsort(-values[candidates], kind="stable")][:_NAMED]


def _misclassified(measured: xr.Dataset) -> Drawing:
    shown: Sequence[int] = measured.shown.values.tolist()
    title = _title("Who voted for the wrong class, and who failed to object?", measured)
    description = (
        "The most confidently misclassified pictures. Middle: the units whose votes pulled most towards the wrong "
        "class. Right: the units that objected less than they do in correctly decided pictures of the class."
    )
    if not shown:
        figure = figures.canvas(title, 8, 1.6)
        figure.text(
            0.5,
            0.4,
            "No probe picture was misclassified: there is nothing to explain.",
            ha="center",
            fontsize=11,
        )
        return Drawing("misclassified_votes", figure, "No probe picture was misclassified.")
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    width = max(4.6 * columns + 0.4, 7.0)  # the title needs 7 inches
    called = Units.measured(measured)
    room = called.room
    figure = figures.canvas(title, width, (2.75 + room) * rows + 0.75)
    axes = figures.panels(
        figure,
        rows,
        3 * columns,
        wspace=0.75,
        hspace=0.6 + 0.7 * room,
        top=1.0,
        bottom=0.55 + room,
        left=0.15,
    )
    position = {int(wrong): index for index, wrong in enumerate(measured.wrong.values)}
    live = measured.live.values
    for index, picture in enumerate(shown):
        at = (index // columns) * 3 * columns + 3 * (index % columns)
        image, pulling, missing = axes[at : at + 3]
        mistake = position[picture]
        true, decided = int(measured.label[picture]), int(measured.predicted[picture])
        figures.show_picture(image, measured.shown_image.values[index])
        image.set_title(
            f"sample {int(measured.sample[picture])}\n{true} taken for {decided}\n"
            f"by {float(measured.margin[mistake]):.2f}",
            fontsize=8.5,
        )
        for ax, values, words, color in (
            (pulling, measured.pull.values[mistake], f"pulled to {decided}", figures.AGAINST),
            (missing, measured.shortfall.values[mistake], "objected too little", figures.MARK),
        ):
            units = _named(values, live)
            figures.bars(ax, np.arange(len(units)), values[units], color)
            ax.axhline(0, color="black", linewidth=0.6)
            names = called.names(units)
            figures.label_units(ax, names, rotation=90 if max(map(len, names), default=0) > 2 else 0)
            if not len(units):
                figures.say(ax, f"no {true} was\ndecided correctly" if live.any() else "no unit votes")
                ax.set_yticks([])
            ax.set_title(words, fontsize=8.5)
            ax.tick_params(axis="y", labelsize=7)
        pulling.set_ylabel("logit units", fontsize=8, labelpad=1)
    for ax in axes[3 * len(shown) :]:
        ax.remove()
    figure.supxlabel(f"{called.words}{called.key}", fontsize=9)
    return Drawing("misclassified_votes", figure, description)

"""Where in a picture does the network see its answer, and is that where the object is?

    heat[s, y, x] = max(0, map[s, y, x])    of a picture's score for one class, by three methods:

    grad_cam              activations of a layer, weighed by the score's mean gradients      ``grad_cam.py``
    occlusion             how far the score falls when a part is covered                    ``occlusion.py``
    integrated_gradients  what each pixel adds to the score on the way from an even picture ``integrated_gradients.py``

One method alone is a rumour. The score is the logit, as in the papers, or the logit minus its mean over classes
(``scores.py``): adding the same number to every class's weights changes no answer, and yet a Grad-CAM of the logit.
Where all classes share negative weights it has no heat at all, so how many maps have none is counted for both scores.

Where the data knows the object of each picture (``truth.py``), it is measured whether the heat lies on it
(:mod:`seedscope.formulas.localization`), against

    untrained   the same network with its weights of step 0, asked for the same class        Adebayo et al. 2018
    same class  the map of another picture for which the same class was asked: what is left if a map shows where
                objects of the class usually are, and nothing of its picture
    chance      a constant map
    ceiling     the object itself as heat, in cells of the map's size: coarse maps cannot be sharp
    baselines   the middle of the picture; the brightest window, without any network   :mod:`seedscope.formulas.priors`

Grad-CAM is measured on all probe pictures, the other two on ``pictures`` of them, the same number of each class.

A network with given weights has no step 0: its maps are held against those of the same weights, shuffled
(``randomised.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Interval, MinLen

from seedscope.drawing import Drawing
from seedscope.files.errors import SettingError
from seedscope.formulas.boxes import Boxes
from seedscope.formulas.correlation import spearman
from seedscope.formulas.localization import MEASURES, added_up, normalised, reduced
from seedscope.formulas.nulls import another_of_its_class
from seedscope.formulas.priors import brightest_window, centre_prior
from seedscope.lenses import Network, Replica, require_channels, require_decision
from seedscope.lenses.heat_maps import drawing
from seedscope.lenses.heat_maps.localization import localization
from seedscope.lenses.heat_maps.truth import Truth, boxes_of, require_boxes

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from seedscope.lenses.attribution.scores import Scores
    from seedscope.lenses.comparison import Comparison

Method = Literal["grad_cam", "occlusion", "integrated_gradients"]
EXPLAINED = ("logit", "centred")
SOURCES = ("trained", "untrained", "same_class")
OTHERS = ("randomised", "another_picture")  # what a map of given weights is held against
_TOGETHER = 256  # pictures whose maps are measured at a time


@dataclass(frozen=True)
class HeatMaps:
    """The lens.

    Attributes:
        layers: the layers that Grad-CAM looks at, each with an output (channel, y, x).
        methods: which heat maps.
        score: what is explained: the ``logit`` of a class, or the ``centred`` one.
        target: the class whose score is explained: the network's ``answer``, the picture's ``label``, or one class.
        ranks: with ``answer``, how many classes of each picture are shown: the largest score, the second, ….
        shown: how many pictures are shown, of the exhibits.
        opacity: of the heat on the picture.
        pictures: how many pictures occlusion and integrated gradients are measured on.
        window: width of the occluding window, share of the picture's shorter side.
        steps: points at which integrated gradients take the gradient.
        batch_size: pictures in the network at a time.
        truth: where each picture's object is: variables of the data, or pixels, for ``top``, ``left``, ``height`` and
            ``width``, or the name of a variable (sample, y, x) that is not 0 on it; ``None`` where nobody knows.
    """

    layers: Annotated[Sequence[str], MinLen(1)]
    methods: Annotated[Sequence[Method], MinLen(1)] = ("grad_cam", "occlusion", "integrated_gradients")
    score: Literal["logit", "centred"] = "centred"
    target: Literal["answer", "label"] | Annotated[int, Ge(0)] = "answer"
    ranks: Annotated[int, Ge(1)] = 1
    shown: Annotated[int, Ge(1)] = 9
    opacity: Annotated[float, Interval(gt=0, le=1)] = 0.6
    pictures: Annotated[int, Ge(1)] = 90
    window: Annotated[float, Interval(gt=0, le=1)] = 0.1875
    steps: Annotated[int, Gt(1)] = 32
    batch_size: Annotated[int, Ge(1)] = 128
    truth: Truth | None = None

    def check(self, network: Network) -> None:
        """Refuse a network that decides nothing, a layer without maps, a class that there is not, a truth with gaps."""
        require_decision(network)
        require_channels(network, self.layers)
        if self.target == "label" and not network.labelled:
            raise SettingError(
                "target", "the data set does not say of which class its pictures are: set target: answer"
            )
        if isinstance(self.target, int) and self.target >= network.n_classes:
            raise SettingError("target", f"there is no class {self.target}: the last is {network.n_classes - 1}")
        if self.ranks > network.n_classes:
            raise SettingError("ranks", f"there are {network.n_classes} classes")
        if self.ranks > 1 and self.target != "answer":
            raise SettingError("ranks", "only `target: answer` has further ranks: set ranks to 1")
        if self.truth is not None:
            require_boxes(self.truth)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the maps of the pictures to be shown and, where the truth is known, whether heat lies on the object.

        A map is (exhibit, rank, <map>_y, <map>_x), signed, in its own resolution; ``target``, ``score`` and
        ``probability`` are (exhibit, rank). ``inside`` is (source, map, measure, sample). Of given weights there are
        also the maps of the randomised network, ``<map>_randomised`` (exhibit, <map>_y, <map>_x), and ``similarity``
        (other, map, exhibit), both for the first rank.
        """
        shown = self._shown(replica)
        if replica.frames is None:
            shown = shown.merge(self._randomised(replica, shown))
        if self.truth is None:
            return shown
        return shown.merge(self._inside(replica, boxes_of(self.truth, replica.probe)), combine_attrs="override")

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the maps on their pictures and, where the truth is known, how well the heat finds the object."""
        measured = measured.load()
        yield from drawing.overlays(measured, self.opacity)
        if "similarity" in measured:
            yield drawing.randomised_figure(measured, self.opacity)
        if "inside" in measured:
            yield drawing.localization_figure(measured)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return how well the heat finds the object, what integrated gradients lack, and how many maps have no heat."""
        summary = {}
        if "inside" in measured:
            mean = measured.inside.sel(source="trained").mean("sample")
            for name, measure in product(measured["map"].values, MEASURES):
                summary[f"{name}_{measure}"] = float(mean.sel(map=name, measure=measure))
        for name in measured["map"].values:
            if "closed_form_error" in measured[name].attrs:
                summary[f"{name}_closed_form_error"] = float(measured[name].attrs["closed_form_error"])
        if "similarity" in measured:
            mean = measured.similarity.mean("exhibit")
            for name, other in product(measured["map"].values, OTHERS):
                summary[f"{name}_like_{other}"] = float(mean.sel(map=name, other=other))
            summary["compared_pictures"] = float(measured.sizes["exhibit"])
        if "integrated_gradients" in measured:
            summary["integrated_gradients_lack"] = float(measured.integrated_gradients.attrs["lacking"])
        if "no_heat" in measured:
            for layer, score in product(measured.layer.values, measured.explained.values):
                summary[f"grad_cam_{layer}_no_heat_{score}"] = float(measured.no_heat.sel(layer=layer, explained=score))
        return summary

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Put how well the heat finds the object together, with means and intervals over seeds."""
        from seedscope.lenses.comparison import Comparison

        parts = [measured[seed] for seed in sorted(measured)]
        if "inside" not in parts[0]:
            return Comparison(metrics={})
        return drawing.localization_across_seeds(parts)

    def _names(self) -> list[tuple[str, Method, str]]:
        """Return each map's name, method and layer (empty for the picture itself)."""
        return [
            (f"{method}_{layer}" if layer else method, method, layer)
            for method in self.methods
            for layer in (self.layers if method == "grad_cam" else [""])
        ]

    def _map(self, scores: Scores, method: Method, layer: str, pictures: np.ndarray, target: np.ndarray) -> np.ndarray:
        from seedscope.lenses.attribution.grad_cam import grad_cam
        from seedscope.lenses.attribution.integrated_gradients import integrated_gradients
        from seedscope.lenses.attribution.occlusion import occlusion

        if method == "grad_cam":
            return grad_cam(scores, layer, pictures, target, self.batch_size)
        if method == "occlusion":
            return occlusion(scores, pictures, target, self.batch_size, window=self.window)
        return integrated_gradients(scores, pictures, target, self.batch_size, steps=self.steps)

    def _scores(self, network: nn.Module) -> Scores:
        from seedscope.lenses.attribution.scores import Scores, laid_out

        return Scores(laid_out(network), centred=self.score == "centred")

    def _asked(self, score: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Return the classes (sample, rank) whose scores are explained."""
        if self.target == "answer":
            return np.argsort(-score, axis=1, kind="stable")[:, : self.ranks]
        return label[:, None] if self.target == "label" else np.full((len(score), 1), self.target)

    def _shown(self, replica: Replica) -> xr.Dataset:
        import xarray as xr

        from seedscope.lenses.attribution.grad_cam import closed_form_error
        from seedscope.lenses.attribution.integrated_gradients import lacking
        from seedscope.lenses.attribution.scores import probabilities

        sample = shown_exhibits(replica, self.shown)
        exhibits = replica.probe.sel(sample=sample)
        pictures, label = exhibits.image.values, exhibits.label.values
        variables: dict[str, xr.Variable] = {}
        with replica.network() as network:
            scores = self._scores(network)
            score = scores.of(pictures, self.batch_size)
            chance = probabilities(network, pictures, self.batch_size)
            target = self._asked(score, label)
            for name, method, layer in self._names():
                maps = [self._map(scores, method, layer, pictures, asked) for asked in target.T]
                variables[name] = xr.Variable(("exhibit", "rank", f"{name}_y", f"{name}_x"), np.stack(maps, 1))
                if method == "integrated_gradients":
                    lack = lacking(scores, pictures, target[:, 0], self.batch_size, maps[0])
                    variables[name].attrs["lacking"] = lack
                if method == "grad_cam":
                    error = closed_form_error(scores, layer, pictures, target[:, 0], self.batch_size, maps[0])
                    variables[name].attrs |= {} if error is None else {"closed_form_error": error}
            if "grad_cam" in self.methods:
                variables["no_heat"] = xr.Variable(("layer", "explained"), self._no_heat(network, replica))
        if self.truth is not None:
            boxes = boxes_of(self.truth, exhibits)
            corners = np.stack([boxes.top, boxes.left, boxes.height, boxes.width], 1)
            variables["box"] = xr.Variable(("exhibit", "side"), corners)
        rows = np.arange(len(sample))[:, None]
        return xr.Dataset(
            {
                "image": (("exhibit", "channel", "y", "x"), pictures),
                "label": ("exhibit", label),
                **({"file": ("exhibit", exhibits.file.values)} if "file" in exhibits else {}),
                "target": (("exhibit", "rank"), target),
                "score": (("exhibit", "rank"), score[rows, target]),
                "probability": (("exhibit", "rank"), chance[rows, target]),
                **variables,
            },
            coords={
                "exhibit": sample,
                "map": [name for name, _, _ in self._names()],
                **({"layer": list(self.layers), "explained": list(EXPLAINED)} if "no_heat" in variables else {}),
            },
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "score": self.score,
                "class_names": list(replica.class_names),
            },
        )

    def _randomised(self, replica: Replica, shown: xr.Dataset) -> xr.Dataset:
        import xarray as xr

        from seedscope.lenses.heat_maps.randomised import shuffled

        pictures, asked = shown.image.values, shown.target.values[:, 0]
        similarity = np.full((len(OTHERS), len(self._names()), len(pictures)), np.nan)
        maps: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        with replace(replica, weights=shuffled(replica.weights)).network() as network:
            scores = self._scores(network)
            for i, (name, method, layer) in enumerate(self._names()):
                own, other = shown[name].values[:, 0], self._map(scores, method, layer, pictures, asked)
                maps[f"{name}_randomised"] = (("exhibit", f"{name}_y", f"{name}_x"), other)
                own, other = (added_up(each).reshape(len(each), -1) for each in (own, other))
                similarity[0, i] = spearman(own, other)
                if len(own) > 1:
                    similarity[1, i] = spearman(own, np.roll(own, 1, axis=0))
        return xr.Dataset(
            {**maps, "similarity": (("other", "map", "exhibit"), similarity)}, coords={"other": list(OTHERS)}
        )

    def _no_heat(self, network: nn.Module, replica: Replica) -> np.ndarray:
        """Return the share of the exhibits' Grad-CAM maps that have no heat, (layer, explained)."""
        from seedscope.lenses.attribution.grad_cam import grad_cam
        from seedscope.lenses.attribution.scores import Scores

        exhibits = replica.probe.sel(sample=replica.exhibits)
        pictures = exhibits.image.values
        share = np.zeros((len(self.layers), len(EXPLAINED)))
        for j, explained in enumerate(EXPLAINED):
            scores = Scores(network, centred=explained == "centred")
            asked = self._asked(scores.of(pictures, self.batch_size), exhibits.label.values)[:, 0]
            for i, layer in enumerate(self.layers):
                maps = grad_cam(scores, layer, pictures, asked, self.batch_size)
                share[i, j] = (maps.max((1, 2)) <= 0).mean()
        return share

    def _inside(self, replica: Replica, boxes: Boxes) -> xr.Dataset:
        import xarray as xr

        from seedscope.data import balanced

        pictures, label = replica.probe.image.values, replica.probe.label.values
        n, extent = len(pictures), (pictures.shape[2], pictures.shape[3])
        with replica.network() as network:
            asked = self._asked(self._scores(network).of(pictures, self.batch_size), label)[:, 0]
        few = balanced(asked, self.pictures)
        names = self._names()
        inside = np.full((len(SOURCES), len(names), len(MEASURES), n), np.nan, dtype=np.float32)
        constant = np.full((len(SOURCES), len(names)), np.nan)
        chance = np.zeros((len(names), len(MEASURES)))
        best = np.zeros((len(names), len(MEASURES)))
        for source, frame in enumerate([None, 0] if replica.frames is not None else [None]):
            with replica.network(frame) as network:
                scores = self._scores(network)
                for i, (_, method, layer) in enumerate(names):
                    which = np.arange(n) if method == "grad_cam" else few
                    heat = np.maximum(self._map(scores, method, layer, pictures[which], asked[which]), 0)
                    own = boxes.take(which)
                    inside[source, i][:, which] = _measured(heat, own, extent)
                    constant[source, i] = normalised(heat)[1].mean()
                    if source == 0:
                        other = another_of_its_class(asked[which])
                        with_other = np.flatnonzero(other >= 0)
                        moved = _measured(heat[other[with_other]], own.take(with_other), extent)
                        inside[2, i][:, which[with_other]] = moved
                        even = np.broadcast_to(np.float32(1), heat.shape)
                        chance[i] = _measured(even, own, extent).mean(1)
                        cells = (heat.shape[1], heat.shape[2])
                        itself = [reduced(own.take(part).masks(extent), cells) for part in _parts(len(which))]
                        best[i] = _measured(np.concatenate(itself), own, extent).mean(1)
        middle = np.broadcast_to(centre_prior(extent), (n, *extent))
        windows = [
            _measured(brightest_window(pictures[part], boxes.take(part)), boxes.take(part), extent)
            for part in _parts(n)
        ]
        baseline = [_measured(middle, boxes, extent), np.concatenate(windows, axis=1)]
        return xr.Dataset(
            {
                "inside": (("source", "map", "measure", "sample"), inside),
                "constant_share": (("source", "map"), constant),
                "chance": (("map", "measure"), chance),
                "ceiling": (("map", "measure"), best),
                "baseline": (("prior", "measure"), np.stack(baseline).mean(-1)),
                "count": ("map", [n if method == "grad_cam" else len(few) for _, method, _ in names]),
            },
            coords={
                "source": list(SOURCES),
                "map": [name for name, _, _ in names],
                "measure": list(MEASURES),
                "prior": ["centre_prior", "brightest_window"],
                "sample": replica.probe.sample.values,
            },
        )


def shown_exhibits(replica: Replica, count: int) -> np.ndarray:
    """Return the samples of the exhibits that are shown: the first of each class, then the second, ordered by class."""
    from seedscope.data import balanced

    label = replica.probe.label.sel(sample=replica.exhibits).values
    chosen = balanced(label, count)
    return replica.exhibits[chosen[np.argsort(label[chosen], kind="stable")]]


def _parts(n: int) -> list[np.ndarray]:
    """Return the positions of ``n`` pictures, a part at a time: in float64 masks and sums outgrow the pictures."""
    return np.split(np.arange(n), range(_TOGETHER, n, _TOGETHER))


def _measured(heat: np.ndarray, boxes: Boxes, extent: tuple[int, int]) -> np.ndarray:
    """Return how well heat maps (sample, y, x) find their boxes, (measure, sample), a part of them at a time."""
    if not len(heat):
        return np.zeros((len(MEASURES), 0))
    found = [localization(heat[part], boxes.take(part).masks(extent)) for part in _parts(len(heat))]
    return np.concatenate(found, axis=1)

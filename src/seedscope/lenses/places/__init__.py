"""Which places and channels of the last maps fed the winning vote, and do heat maps show those places?

    place[s, y, x]   = Σ_c R[s, c, y, x]       R: the exact share of each place and channel in the centred logit of the
    channel[s, c]    = Σ_{y, x} R[s, c, y, x]  network's answer (``votes.py``); with ``rest`` it adds up to that logit
    places for 80 %  how many places, largest first, hold 80 % of Σ max(0, place); channels alike
    on the object    Σ place over the cells that the object covers in part ÷ Σ place, both over all pictures: those of
                     one alone may add up to nearly 0; ``near``: their neighbours too. Held against the votes of
                     another picture with the same answer on the same cells, and against even votes

Then heat maps (:mod:`seedscope.lenses.heat_maps`), brought to the cells of the exact map, are held against it by rank
correlation, cosine and hottest place (``agreement.py``), with two nulls: the heat map of another picture with the same
answer, and of a picture with another answer. Grad-CAM stands there twice, of the centred logit and of the logit;
of a network with one logit these are the same map, and it stands there once.

Sources: the exact votes follow from the weights; the methods' papers stand in their files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from seedscope.drawing import Drawing
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.formulas.classes import class_means
from seedscope.formulas.concentration import cumulative_share, reaching
from seedscope.formulas.localization import reduced
from seedscope.formulas.nulls import another_of_its_class, one_of_another_class
from seedscope.lenses import Network, Replica, require_channels, require_dense_end
from seedscope.lenses.heat_maps import shown_exhibits
from seedscope.lenses.heat_maps.truth import Truth, boxes_of, require_boxes
from seedscope.lenses.places import drawing
from seedscope.lenses.places.agreement import AGREEMENTS, agreement
from seedscope.lenses.places.votes import DenseEnd, dense_layers

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from seedscope.lenses.comparison import Comparison

COMPARED = ("grad_cam", "grad_cam_of_logit", "occlusion", "integrated_gradients")
SOURCES = ("own", "same_answer", "other_answer")
_ROUNDING = 1e-3  # of the largest score: what float32 may leave of the sum rule


@dataclass(frozen=True)
class Places:
    """The lens.

    Attributes:
        maps: the layer with maps (channel, y, x) that the first dense layer takes.
        head: the dense layer that gives the logits; between the two are dense layers with a ReLU behind each, or none.
        pictures: how many pictures heat maps are compared on, the same number of each answer.
        shown: how many of the exhibits are shown.
        batch_size: pictures in the network at a time.
        truth: where each picture's object is, as for the ``heat_maps`` lens; ``None`` where nobody knows.
    """

    maps: str
    head: str
    pictures: Annotated[int, Ge(1)] = 90
    shown: Annotated[int, Ge(1)] = 9
    batch_size: Annotated[int, Ge(1)] = 128
    truth: Truth | None = None

    def check(self, network: Network) -> None:
        """Refuse a network in which the dense layers do not follow each other behind the maps."""
        require_dense_end(network)
        require_channels(network, [self.maps], "maps")
        shape = network.layers[self.maps]
        if f"{self.head}.weight" not in network.weights or network.layers.get(self.head) != network.layers["logit"]:
            raise SettingError("head", f"layer {self.head!r} is not a dense layer that gives the logits")
        if dense_layers(network.weights, int(np.prod(shape)), self.head) is None:
            raise SettingError(
                "maps", f"from the {np.prod(shape)} numbers of {self.maps!r} no dense layers lead to {self.head!r}"
            )
        if self.truth is not None:
            require_boxes(self.truth)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the places and channels that fed each picture's answer, and how well heat maps agree with them.

        Raises:
            SeedscopeError: the places do not add up to the network's score: something else lies between the layers.
        """
        import xarray as xr

        from seedscope.data import balanced
        from seedscope.lenses.attribution.scores import laid_out

        pictures, label = replica.probe.image.values, replica.probe.label.values
        sample = replica.probe.sample.values
        order = np.argsort(sample, kind="stable")
        shown = order[np.searchsorted(sample, shown_exhibits(replica, self.shown), sorter=order)]
        with replica.network() as network:
            laid_out(network)
            place, channel, rest, score = self._pushed_back(replica, network, pictures)
            answer = score.argmax(1)
            few = balanced(answer, self.pictures)
            size = (place.shape[1], place.shape[2])
            both = np.union1d(few, shown)
            logits = len(replica.weights[f"{self.head}.weight"])
            maps = self._heat(network, logits, pictures[both], answer[both])
            heat = {name: reduced(values, size) for name, values in maps.items()}
        at_few, at_shown = np.searchsorted(both, few), np.searchsorted(both, shown)
        by_class = class_means(channel, answer, score.shape[1])
        own_score = score[np.arange(len(score)), answer]
        variables = {
            "image": (("exhibit", "channel", "y", "x"), pictures[shown]),
            "label": ("exhibit", label[shown]),
            "answer": ("exhibit", answer[shown]),
            "score": ("exhibit", own_score[shown]),
            "place": (("exhibit", "place_y", "place_x"), place[shown]),
            "heat": (
                ("compared", "exhibit", "place_y", "place_x"),
                np.stack([values[at_shown] for values in heat.values()]),
            ),
            "channel_vote": (("target", "map_channel"), by_class),
            "rest": ("sample", rest),
            "completeness_error": ((), self._error(place, rest, own_score)),
            "places_for_80_percent": ("sample", _for_80_percent(place.reshape(len(place), -1))),
            "channels_for_80_percent": ("sample", _for_80_percent(channel)),
            "agreement": (
                ("compared", "source", "agreement_measure", "compared_sample"),
                np.stack([_agreements(place[few], values[at_few], answer[few]) for values in heat.values()]),
            ),
        }
        if self.truth is not None:
            boxes = boxes_of(self.truth, replica.probe)
            extent = (pictures.shape[2], pictures.shape[3])
            parts = np.split(np.arange(len(pictures)), range(self.batch_size, len(pictures), self.batch_size))
            # A part at a time: in float64 the masks are larger than the pictures.
            covered = np.concatenate([reduced(boxes.take(part).masks(extent), size) > 0 for part in parts])
            cells = {"on_object": covered, "near_object": _with_neighbours(covered)}
            partner = another_of_its_class(answer)
            total = place.sum((1, 2))
            variables["votes"] = ("sample", total)
            variables["votes_same_answer"] = ("sample", np.where(partner >= 0, total[partner], np.nan))
            for name, which in cells.items():
                same_answer = np.where(partner >= 0, (place[partner] * which).sum((1, 2)), np.nan)
                variables[f"votes_{name}"] = ("sample", (place * which).sum((1, 2)))
                variables[f"votes_{name}_same_answer"] = ("sample", same_answer)
                variables[f"cells_{name}"] = ("sample", which.mean((1, 2)))
            corners = np.stack([boxes.top, boxes.left, boxes.height, boxes.width], 1)
            variables["box"] = (("exhibit", "side"), corners[shown])
        return xr.Dataset(
            variables,
            coords={
                "exhibit": sample[shown],
                "sample": sample,
                "compared": list(heat),
                "source": list(SOURCES),
                "agreement_measure": list(AGREEMENTS),
                "compared_sample": sample[few],
            },
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "class_names": list(replica.class_names),
                "maps": self.maps,
            },
        )

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the places of a few pictures beside their heat maps, the channels by class, and the agreement."""
        measured = measured.load()
        yield drawing.places(measured)
        yield drawing.channels(measured)
        yield drawing.agreement_figure(measured)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return how concentrated the votes are, whether they come from the object, and how well heat maps agree."""
        summary = {"completeness_error": float(measured.completeness_error)}
        for name in ("places_for_80_percent", "channels_for_80_percent"):
            summary[name] = float(measured[name].mean())
        for where in ("on_object", "near_object") if "votes" in measured else ():
            for null in ("", "_same_answer"):
                total = float(measured[f"votes{null}"].sum())
                votes = float(measured[f"votes_{where}{null}"].sum())
                summary[f"votes_{where}{null}"] = votes / total if total else float("nan")
            summary[f"cells_{where}"] = float(measured[f"cells_{where}"].mean())
        mean = measured.agreement.sel(source="own").mean("compared_sample")
        for name, measure in product(measured.compared.values, AGREEMENTS):
            summary[f"{name}_{measure}"] = float(mean.sel(compared=name, agreement_measure=measure))
        return summary

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Put the agreement of heat maps with the exact places together, with means and intervals over seeds."""
        return drawing.agreement_across_seeds([measured[seed] for seed in sorted(measured)])

    def _pushed_back(
        self, replica: Replica, network: nn.Module, pictures: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return place (sample, y, x), channel (sample, channel), rest (sample) and the centred scores of all."""
        from seedscope.activations.capture import activations
        from seedscope.lenses.attribution.scores import class_scores, in_batches

        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        end: DenseEnd | None = None
        parts = []
        for captured in activations(network, [self.maps], in_batches(pictures, self.batch_size)):
            score = class_scores(captured["logit"], centred=True).numpy().astype(np.float64)
            if end is None:
                layers = dense_layers(shapes, captured[self.maps][0].numel(), self.head)
                assert layers is not None  # checked
                end = DenseEnd.of(replica.weights, layers)
            votes, rest = end.votes(captured[self.maps].numpy(), score.argmax(1))
            parts.append((votes.sum(1), votes.sum((2, 3)), rest, score))
        place, channel, rest, score = (np.concatenate(values) for values in zip(*parts, strict=True))
        error = self._error(place, rest, score.max(1))
        if not error <= _ROUNDING:
            raise SeedscopeError(
                f"{replica.experiment}: the votes of {self.maps!r} do not add up to the logits (off by {error:.2g} of "
                "the largest): something else than dense layers and ReLUs stands behind it"
            )
        return place, channel, rest, score

    def _error(self, place: np.ndarray, rest: np.ndarray, score: np.ndarray) -> float:
        return float(np.abs(place.sum((1, 2)) + rest - score).max() / (np.abs(score).max() or 1))

    def _heat(self, network: nn.Module, logits: int, pictures: np.ndarray, answer: np.ndarray) -> dict[str, np.ndarray]:
        from seedscope.lenses.attribution.grad_cam import grad_cam
        from seedscope.lenses.attribution.integrated_gradients import integrated_gradients
        from seedscope.lenses.attribution.occlusion import occlusion
        from seedscope.lenses.attribution.scores import Scores

        centred = Scores(network, centred=True)
        maps = {"grad_cam": grad_cam(centred, self.maps, pictures, answer, self.batch_size)}
        if logits > 1:
            raw = Scores(network)
            maps["grad_cam_of_logit"] = grad_cam(raw, self.maps, pictures, answer, self.batch_size)
        maps["occlusion"] = occlusion(centred, pictures, answer, self.batch_size)
        maps["integrated_gradients"] = integrated_gradients(centred, pictures, answer, self.batch_size)
        return maps


def _agreements(place: np.ndarray, heat: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Return the agreement of exact places with heat maps and with the two nulls, (source, measure, sample)."""
    n = len(answer)
    result = np.full((len(SOURCES), len(AGREEMENTS), n), np.nan)
    result[0] = agreement(place, heat)
    for source, partner in ((1, another_of_its_class(answer)), (2, one_of_another_class(answer))):
        known = np.flatnonzero(partner >= 0)
        result[source][:, known] = agreement(place[known], heat[partner[known]])
    return result


def _for_80_percent(votes: np.ndarray) -> np.ndarray:
    """Return how many of the largest votes (sample, item) hold 80 % of those for the class; NaN where none is."""
    return reaching(cumulative_share(np.maximum(votes, 0)), 0.8)


def _with_neighbours(cells: np.ndarray) -> np.ndarray:
    """Return cells (sample, y, x) with the eight around each."""
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(cells, size=(1, 3, 3), mode="constant"))

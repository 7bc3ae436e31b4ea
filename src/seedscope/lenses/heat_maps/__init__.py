"""Where in a picture does the network see its answer, and is that where the object is?

    heat[s, y, x] = max(0, map[s, y, x])    of a picture's score for one class, by three methods:

    grad_cam              activations of a layer, weighed by the score's mean gradients
    occlusion             how far the score falls when a part is covered
    integrated_gradients  what each pixel adds to the score on the way from an even picture

(:mod:`seedscope.lenses.attribution`). One method alone is a rumour. The score is the logit, as in the papers, or the
logit minus its mean over classes: adding the same number to every class's weights changes no answer, and yet a Grad-CAM
of the logit. Where all classes share negative weights it has no heat at all, so how many maps have none is counted for
both scores.

Where the data knows the object of each picture (:mod:`seedscope.lenses.truth`), it is measured whether the heat lies on
it (:mod:`seedscope.formulas.localization`), against

    untrained   the same network with its weights of step 0, asked for the same class        Adebayo et al. 2018
    same class  the map of another picture for which the same class was asked: what is left if a map shows where
                objects of the class usually are, and nothing of its picture
    chance      a constant map
    ceiling     the object itself as heat, in cells of the map's size: coarse maps cannot be sharp
    baselines   the middle of the picture; the brightest window, without any network  :mod:`seedscope.formulas.priors`

Grad-CAM is measured on all probe pictures, the other two on ``pictures`` of them, the same number of each class.

A network with given weights has no step 0: its maps are held against those of the same weights, shuffled
(``randomised.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Interval, MinLen

from seedscope.files.errors import SettingError
from seedscope.formulas.localization import MEASURES
from seedscope.lenses import Network, Replica, for_drawing, require_channels, require_decision
from seedscope.lenses.attribution import STEPS, WINDOW, refuse_layer_called_picture
from seedscope.lenses.heat_maps.maps import Map, Method, maps_of
from seedscope.lenses.truth import Truth, require_boxes

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison


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
    opacity: Annotated[float, Interval(gt=0, le=1)] = for_drawing(0.6)
    pictures: Annotated[int, Ge(1)] = 90
    window: Annotated[float, Interval(gt=0, le=1)] = WINDOW
    steps: Annotated[int, Gt(1)] = STEPS
    batch_size: Annotated[int, Ge(1)] = 128
    truth: Truth | None = None

    compares: ClassVar[tuple[str, ...]] = ("inside", "chance", "ceiling", "baseline", "constant_share", "count")
    shares: ClassVar[tuple[str, ...]] = (*(f"*_{measure}*" for measure in MEASURES), "*_no_heat_*")

    @property
    def maps(self) -> list[Map]:
        """Return the kinds of maps, in the order of ``methods`` and ``layers``."""
        return maps_of(self.methods, self.layers)

    def check(self, network: Network) -> None:
        """Refuse a network that decides nothing, a layer without maps, a class that there is not, a truth with gaps."""
        require_decision(network)
        require_channels(network, self.layers)
        refuse_layer_called_picture(self.layers, "layers")
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

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return the maps of the pictures to be shown and, where the truth is known, whether heat lies on the object.

        There is a group for each layer and for the ``picture``. A map, ``attribution`` (by, shown_sample, rank, y, x),
        is signed and has its own resolution; ``inside`` is (by, source, measure, sample); ``by`` is the method.
        ``target``, ``score`` and ``probability`` of the root are (shown_sample, rank). Of given weights there are also
        the maps of the randomised network, ``attribution_randomised`` (by, shown_sample, y, x), and ``similarity`` (by,
        other, shown_sample), both for the first rank.
        """
        from seedscope.lenses.heat_maps.measure import measured

        return measured(self, replica)

    def draw(self, measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield the maps on their pictures and, where the truth is known, how well the heat finds the object."""
        from seedscope.lenses.heat_maps.draw import sheets

        return sheets(measured, self.maps, self.opacity)

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return how well the heat finds the object, what integrated gradients lack, and how many maps have no heat."""
        from seedscope.lenses.heat_maps.summary import summary

        return summary(measured, self.maps)

    def compare(self, measured: xr.DataTree) -> Comparison:
        """Put how well the heat finds the object together, with means and intervals over seeds."""
        from seedscope.lenses.heat_maps.compare import comparison

        return comparison(measured, self.maps)

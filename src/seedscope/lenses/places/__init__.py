"""Which places and channels of the last maps fed the winning vote, and do heat maps show those places?

    place[s, y, x]   = Σ_c R[s, c, y, x]       R: the exact share of each place and channel in the centred logit of the
    channel[s, c]    = Σ_{y, x} R[s, c, y, x]  network's answer (``votes.py``); with ``rest`` it adds up to that logit
    places for 80 %  how many places, largest first, hold 80 % of Σ max(0, place); channels alike
    on the object    Σ place over the cells that the object covers in part ÷ Σ place, both over all pictures: those of
                     one alone may add up to nearly 0; ``near``: their neighbours too. Held against the votes of
                     another picture with the same answer on the same cells, and against even votes
    … positive       the same of max(0, place): of the votes for the answer alone
    … absolute       the same of |place|: of all votes by size

The first is net: votes against the answer are taken off, above and below the line. Where they lie off the object, its
share is larger than that of the votes for the answer, and it may exceed 1; of votes as they were cast the other two
speak.

Then heat maps (:mod:`seedscope.lenses.attribution`), brought to the cells of the exact map, are held against it by rank
correlation, cosine and hottest place (``agreement.py``), with two nulls: the heat map of another picture with the same
answer, and of a picture with another answer. Grad-CAM stands there twice, of the centred logit and of the logit;
of a network with one logit these are the same map, and it stands there once.

Sources: the exact votes follow from the weights; the methods' papers stand in their files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge

from seedscope.files.errors import SettingError
from seedscope.lenses import Network, Replica, require_channels, require_dense_end
from seedscope.lenses.attribution import refuse_layer_called_picture
from seedscope.lenses.places.agreement import SHARES
from seedscope.lenses.places.votes import dense_layers
from seedscope.lenses.truth import Truth, require_boxes

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison


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

    compares: ClassVar[tuple[str, ...]] = ("agreement",)
    shares: ClassVar[tuple[str, ...]] = (
        "votes_*_positive*",
        "votes_*_absolute*",
        "votes_*_null_even",
        *(f"*_{measure}" for measure in SHARES),
    )

    def check(self, network: Network) -> None:
        """Refuse a network in which the dense layers do not follow each other behind the maps."""
        require_dense_end(network)
        require_channels(network, [self.maps], "maps")
        refuse_layer_called_picture([self.maps], "maps")
        shape = network.layers[self.maps]
        if f"{self.head}.weight" not in network.weights or network.layers.get(self.head) != network.layers["logit"]:
            raise SettingError("head", f"layer {self.head!r} is not a dense layer that gives the logits")
        if dense_layers(network.weights, int(np.prod(shape)), self.head) is None:
            raise SettingError(
                "maps", f"from the {np.prod(shape)} numbers of {self.maps!r} no dense layers lead to {self.head!r}"
            )
        if self.truth is not None:
            require_boxes(self.truth)

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return the places and channels that fed each picture's answer, and how well heat maps agree with them.

        The group of the layer ``maps`` has ``place_vote`` (shown_sample, y, x), ``heat`` (by, shown_sample, y, x),
        ``channel_vote`` (target, channel), mean over the pictures with that answer, numbers by ``sample``, and
        ``agreement`` (by, source, measure, compared_picture); the group ``picture`` has ``image``.

        Raises:
            SeedscopeError: the places do not add up to the network's score: something else lies between the layers.
        """
        from seedscope.lenses.places.measure import measured

        return measured(self, replica)

    def draw(self, measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield the places of a few pictures beside their heat maps, the channels by class, and the agreement."""
        from seedscope.lenses.places.draw import sheets

        return sheets(measured, self.maps)

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return how concentrated the votes are, whether they come from the object, and how well heat maps agree."""
        from seedscope.lenses.places.summary import summary

        return summary(measured.children[self.maps].dataset)

    def compare(self, measured: xr.DataTree) -> Comparison:
        """Put the agreement of heat maps with the exact places together, with means and intervals over seeds."""
        from seedscope.lenses.places.compare import comparison

        return comparison(measured, self.maps)

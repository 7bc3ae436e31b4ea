"""Do two seeds look at the same places of the same picture?

    place[s, y, x]   the exact share of each place of the last maps in the network's answer (``votes.py`` of ``places``)
    r[a, b]          mean over pictures of Pearson over the places, of two seeds' exact maps of one picture

over the pictures that all seeds answer alike. Maps of *another* picture with the same answer are alike too, for the
answer says much of where to look; so each seed's maps are permuted among the pictures with that answer. Where the data
say where their one square is (``square_y``, ``square_x``), they are also permuted among those of these whose square is
in the same third, along each axis, of its class's region. Formulas: :mod:`seedscope.formulas.same_maps`.

A picture to which some seed's map gives no votes, or the same everywhere, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

from seedscope.lenses.network import Network
from seedscope.lenses.places import Places

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class SamePlaces:
    """The lens.

    Attributes:
        maps: the layer with maps (channel, y, x) that the first dense layer takes.
        head: the dense layer that gives the logits; between the two are dense layers with a ReLU behind each, or none.
        pictures: how many probe pictures are compared, the same number of each class.
        batch_size: pictures in the network at a time.
    """

    maps: str
    head: str
    pictures: Annotated[int, Ge(1)] = 512
    batch_size: Annotated[int, Ge(1)] = 128

    compares: ClassVar[tuple[str, ...]] = ("place_vote", "answer", "subcell", "image")

    def check(self, network: Network) -> None:
        """Refuse a network in which the dense layers do not follow each other behind the maps."""
        Places(self.maps, self.head).check(network)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return ``place_vote`` (sample, y, x) and ``answer`` (sample), and ``image`` of a few exhibits.

        Raises:
            SeedscopeError: the places do not add up to the network's score: something else lies between the layers.
        """
        from seedscope.lenses.same_places.measure import measure

        return measure(self, replica)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return of how many pictures places differ in their votes, and how alike those of one answer are."""
        from seedscope.lenses.same_places.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the mean exact map of each answer."""
        from seedscope.lenses.same_places.draw import draw

        return draw(measured, self.maps)

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Correlate the exact maps of each picture between seeds, beside those of other pictures."""
        from seedscope.lenses.same_places.compare import compare

        return compare(measured, self.maps)

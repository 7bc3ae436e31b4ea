"""To which places does a unit answer? Its field: the mean response to one square at each of its places.

    field[i, y, x]   mean activation of unit i, over draws of noise, for a square whose top-left pixel is (y, x)
    vote[k, i, y, x] field[i, y, x] · W_c[k, i]      the unit's vote for class k; head weights centred over classes

The pictures are made from the data set's own settings with noise of their own, the same for every seed. Of more than 27
places along an axis every third (fifth, …) is looked at.

**Do matched units of two seeds share their fields?** Units are matched one to one by their activations for the probe
pictures whose square is at an even place (y + x; :mod:`seedscope.formulas.matching`). Then their fields at odd places,
less their means over the places of each class, are correlated over different noise (:mod:`seedscope.formulas.fields`).
Nulls, each on live units:

    random         any unit of the one seed with any of the other
    class_means    matched, in the same way, by their mean activations for each class alone
    within_class   each seed's pictures shuffled within their class, and all matched again; its p is that of the excess

What exceeds the last two is more than "both answer to the same class". Fields are smooth, so odd places tell of even
ones: where units share nothing but classes, matching finds what happens to be alike and finds some of it again. So a
small p says less than it seems, a large one no less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seedscope.files.components import build
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.lenses.network import Network, require_dense_head

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class PlaceFields:
    """The lens.

    Attributes:
        features: the dense layer whose units are looked at.
        head: the dense layer that weighs them into logits.
        data: the experiment's data set, which makes the pictures: one that moves one square.
    """

    features: str
    head: str
    data: Mapping[str, Any]

    compares: ClassVar[tuple[str, ...]] = (
        "field",
        "activation",
        "matched_label",
        "live",
        "total_dominance",
        "label_of_place",
    )

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features, and a data set that does not move one square."""
        from seedscope.data.squares import Squares

        require_dense_head(network, self.features, self.head)
        if not isinstance(build(self.data), Squares):
            raise SeedscopeError(
                "the data set does not move one square over the picture, which this lens needs: take it out of the "
                "experiment"
            )
        if len(network.layers[self.features]) != 1:
            raise SettingError(
                "features", f"layer {self.features!r} has maps, which follow the square themselves: name a dense layer"
            )

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return ``field`` (half, unit, place_y, place_x), of two halves of the noise, and what units are matched by.

        That is ``activation`` (matched_sample, unit) and ``matched_label``, of the pictures with an even place; beside
        them ``weight`` (true, unit), centred over classes, ``live`` and ``total_dominance`` (unit), the sum over
        classes of the size of its dominance, and ``label_of_place`` (place_y, place_x).
        """
        from seedscope.lenses.place_fields.measure import measure

        return measure(self, replica)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return how reliable the fields of live units are, and how much of them classes alone explain."""
        from seedscope.lenses.place_fields.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the fields of the live units, and the votes of those that dominate most."""
        from seedscope.lenses.place_fields.draw import draw

        return draw(measured)

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Match the units of every pair of seeds and correlate their fields, beside three nulls."""
        from seedscope.lenses.place_fields.compare import compare

        return compare(measured)

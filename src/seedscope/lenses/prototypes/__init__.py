"""Which pictures drive a unit most? Its prototypes: the probe pictures with its largest activations.

    top(i)          the pictures with the k largest activations of unit i, as far as it is active; the first of equals
    one class       largest share of one class among top(i), mean over live units; held against k pictures at random
    shared[a, b]    |top(i) ∩ top(j)|, mean over the matched units i of seed a and j of seed b

Of a feature map a channel counts as one unit, with its mean over places. Units are matched one to one by their
activations for one half of the pictures (:mod:`seedscope.formulas.matching`), prototypes are taken from the other half.
Nulls, each on live units:

    random        any unit of the one seed with any of the other
    within_class  matched on pictures that are shuffled, in each seed, within their class
    within_place  … and within a third, along each axis, of their class's region, where the data say where their one
                  square is (``square_y``, ``square_x``)

Prototypes themselves are not shuffled: some pictures drive many units, and that is no likeness of two of them.

Pixels are the same in every seed, and not matched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

from seedscope.lenses.network import Network, require_dense_head

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class Prototypes:
    """The lens.

    Attributes:
        features: the layer whose units are looked at.
        head: the dense layer that weighs them into logits.
        top: how many pictures are prototypes of a unit.
    """

    features: str
    head: str
    top: Annotated[int, Ge(1)] = 8

    compares: ClassVar[tuple[str, ...]] = (
        "activation",
        "live",
        "matched_label",
        "scored_label",
        "matched_group",
        "scored_top",
    )

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features."""
        require_dense_head(network, self.features, self.head)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the prototypes of every unit by class, and pictures of those of the units that dominate most.

        ``top_label`` (unit, rank), −1 where there is none, over all probe pictures; ``image`` (shown_unit, rank,
        channel, y, x), ``shown_activation`` and ``shown_label``. For comparison ``activation`` (matched_sample, unit)
        of one half and ``scored_top`` (unit, rank), positions in the other; labels of both, and ``matched_group`` where
        places are known.
        """
        from seedscope.lenses.prototypes.measure import measure

        return measure(replica, self.features, self.head, self.top)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return how far the prototypes of a unit are of one class, and by chance."""
        from seedscope.lenses.prototypes.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the prototypes of the units that dominate most."""
        from seedscope.lenses.prototypes.draw import draw

        return draw(measured)

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Match the units of every pair of seeds and count the prototypes that they share, beside nulls."""
        from seedscope.lenses.prototypes.compare import compare

        return compare(measured)

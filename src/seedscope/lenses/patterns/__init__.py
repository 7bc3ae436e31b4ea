"""How many ways lead to the same answer? The votes for a class, of the pictures that are rightly decided so, in groups.

    v[s, i] = a[s, i] · W_c[k, i]       votes of the live units i for class k, head weights centred over classes

    patterns     how many groups the vote vectors of a class fall into, 1 where they are spread evenly, by the gap
                 statistic (:mod:`seedscope.formulas.clusters`)
    uneven       whether gap(k) is above gap(1), by more than its error, for any k: votes that run out in arms from a
                 middle are one group by the rule, which stops at the first dip, and yet not spread evenly
    stability    ARI of the groups of one half of the pictures with those of the other, of as many groups as there are
                 patterns, two at least; held against samples that are spread evenly
    place        where the data say where their one square is (``square_y``, ``square_x``): AMI of the groups with the
                 part of the class's region, 3×3, that the square is in; of as many groups as there are parts, for votes
                 that are spread evenly can be cut too. Null: places permuted within the class, the same in every seed

What the rule sees are groups with little between them. A continuum is one group, whatever its width: votes that change
step by step with the square's place are different votes for the same answer, and ``patterns`` is 1. That votes differ
within a class is said by numbers that know no groups:

    vote_dimension   effective dimension of the vote vectors of a class (:mod:`seedscope.formulas.components`), 1 where
                     they differ in size alone; null: each unit's votes permuted over the class's pictures
    place            above, which tells of place also where votes are spread evenly

Of more than 300 such pictures of a class the first 300 are looked at; of fewer than ten nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seedscope.lenses.claims import Claim, above
from seedscope.lenses.network import Network, require_dense_head

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class Patterns:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
    """

    features: str
    head: str

    shares: ClassVar[tuple[str, ...]] = ("classes_with_several_share",)
    compares: ClassVar[tuple[str, ...]] = ("gap", "patterns", "place_information", "information", "information_null")

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features."""
        require_dense_head(network, self.features, self.head)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return by class ``gap`` and ``gap_error`` (true, groups), ``patterns`` and ``stability`` with its null.

        Where places are known also ``place_information``, and ``information`` with its null (true, draw); beside them
        ``score`` (sample, axis), the first two principal components of each picture's votes within its class.
        """
        from seedscope.lenses.patterns.measure import measure

        return measure(replica, self.features, self.head)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return the means over classes, and how many classes have several patterns, or are spread unevenly."""
        from seedscope.lenses.patterns.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the votes of each class along their first components, and the gap statistic."""
        from seedscope.lenses.patterns.draw import draw

        return draw(measured)

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Put the gap statistic of all seeds together, and say whether groups are places beyond chance."""
        from seedscope.lenses.patterns.compare import compare

        return compare(measured)

    def claims(self) -> tuple[Claim, ...]:
        """Return that a class has several patterns of votes: more than half of the classes have."""
        words = "share of the classes whose votes fall into several groups, by the gap statistic"
        return (
            Claim(
                "several_patterns",
                "The votes for one class fall into several groups",
                (above("classes_with_several_share", 0.5, words),),
            ),
        )

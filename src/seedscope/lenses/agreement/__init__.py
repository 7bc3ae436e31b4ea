"""Do two seeds decide alike? Without matching any unit: picture by picture, by what comes out.

    the same mistakes?        error consistency κ of pairs of seeds; how many mistakes two seeds share; and where both
                              are wrong, whether with the same wrong answer
    the same hard pictures?   Spearman between two seeds of the margin of each picture, over all and within classes

Formulas and nulls: :mod:`seedscope.formulas.consistency`; the margin: :mod:`seedscope.formulas.decisions`. Classes
differ in how hard they are, and that alone makes seeds agree. So each seed's mistakes, or margins, are permuted within
classes; and where the data say where their one square is (``square_y``, ``square_x``), within a third of the class's
region along each axis too: what is left above that is more than "pictures near a border are hard".

A seed that makes no mistake has no consistency with any other: it is left out there, and n says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seedscope.lenses.claims import Claim, gain
from seedscope.lenses.network import Network, require_decision, require_labels

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class Agreement:
    """The lens."""

    def check(self, network: Network) -> None:
        """Refuse a network that does not decide, and pictures whose class nobody knows."""
        require_decision(network)
        require_labels(network)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return ``label`` and, where places are known, ``subcell`` (sample), and ``logit`` (sample, target)."""
        from seedscope.lenses.agreement.measure import measure

        return measure(replica)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return how many mistakes there are, and the median margin."""
        from seedscope.lenses.agreement.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the margins of all pictures by class."""
        from seedscope.lenses.agreement.draw import draw

        return draw(measured)

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Compare mistakes and margins of every pair of seeds, beside what classes and places alone give."""
        from seedscope.lenses.agreement.compare import compare

        return compare(measured)

    def claims(self) -> tuple[Claim, ...]:
        """Return that seeds make the same mistakes; a κ of 0.05 above chance would be worth saying.

        Why they do it does not say: seeds that were trained on the same pictures may share what these lack, and some
        pictures are hard for every network.
        """
        words = "error consistency κ of two seeds, above mistakes permuted within"
        return (
            Claim(
                "same_mistakes",
                "Seeds make the same mistakes",
                (
                    gain("error_consistency_gain_within_class", 0.05, f"{words} classes"),
                    gain(
                        "error_consistency_gain_within_place",
                        0.05,
                        f"{words} parts of a class's places",
                        where_known=True,
                    ),
                ),
            ),
        )

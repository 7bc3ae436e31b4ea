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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

from seedscope.lenses.network import Network, require_dense_head

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class Mistakes:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
        shown: how many misclassified pictures are kept and shown, the most confidently wrong first.
    """

    features: str
    head: str
    shown: Annotated[int, Ge(1)] = 6

    shares: ClassVar[tuple[str, ...]] = ("accuracy", "worst_class_accuracy")

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features."""
        require_dense_head(network, self.features, self.head)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return confusion, accuracy by place, and who took part in each mistake."""
        from seedscope.lenses.mistakes.measure import measure

        return measure(replica, self.features, self.head, self.shown)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return accuracy, its worst class, and how much of a mistake is a false vote or a missing objection."""
        from seedscope.lenses.mistakes.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the confusion matrix, accuracy by place where places are known, and the votes of mistakes."""
        from seedscope.lenses.mistakes.draw import draw

        return draw(measured)

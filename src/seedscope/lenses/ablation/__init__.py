"""What does a decision lose without a unit, and does a unit's dominance say how much it matters?

    gone[s, i]    = a[s, i] − r[s, i]               r: what stands in the unit's place
    logit'[s, k]  = logit[s, k] − Σ_{i removed} gone[s, i] · W[k, i]

    mean      r: the unit's mean over the probe pictures (primary)
    zero      r = 0
    another   r: its value for another picture, all units for the same one

Formulas: :mod:`seedscope.formulas.ablation`. What a single removal does to logits and margins is a difference of votes,
by the linearity of the head, and so no evidence that votes matter. Evidence are lost log-probability, lost accuracy,
flipped decisions, and removals of units together.

**Chosen on one half, scored on the other**, both ways, averaged; the halves of the probe pictures are balanced over
classes. Only live units take part.

    does dominance foretell the loss?   Spearman's ρ over live units, for each class k: a predictor on one half against
                                        the log-probability of k that single removals cost on the other

        centred          the unit's dominance for k (:mod:`seedscope.formulas.votes`)
        mean_subtracted  its version without what the unit votes for any picture
        other_class      controls: dominance for another class, for the same pictures
        weight_size      ‖W[:, i]‖, W centred over classes
        activation       the unit's mean activation
        null             units shuffled, one shuffle for all classes

What a removal takes away is a vote beyond the one that ``r`` gives. So, but for the softmax, ``centred`` is the
first-order term of what zero costs and ``mean_subtracted`` of what the mean costs. That each foretells its own is in
part algebra; whether one foretells what the other is made for is the question. A unit that is silent for a class has no
dominance for it, and yet its silence may decide.

    removal curves                      log-probability, accuracy and flips when the first m units of an order are set
                                        to their means at once

        class            by centred dominance for the class of each picture
        mean_subtracted  by that version of it
        other_class      by centred dominance for another class
        overall          by Σ over classes of |centred dominance|: the same units for every picture
        weight_size, activation          as above: the same units for every picture
        random           live units drawn anew for each class: null of the first three
        random_overall   the same for every picture: null of the others

The first three choose by what a picture is, and a unit at its mean still votes: with the voters for its class at their
means, and those for others free to be silent, a picture may be decided *better*. The others know no picture's class.
Other classes: the mean over all, or over the next ``_OTHERS`` where there are more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seedscope.lenses.network import Network, require_dense_head

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class Ablation:
    """The lens.

    Attributes:
        features: the layer whose units are removed.
        head: the dense layer that weighs them into logits.
    """

    features: str
    head: str

    compares: ClassVar[tuple[str, ...]] = (
        "live",
        "rho",
        "rho_null_shuffled",
        "removal",
        "removal_null_random",
        "removal_null_random_overall",
    )

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features."""
        require_dense_head(network, self.features, self.head)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return single losses, what predicts them, and what is left when units are removed together.

        ``lost`` (reference, measure, half, true, unit) by :data:`seedscope.formulas.ablation.LOST`;
        ``dominance`` (half, true, unit), centred; ``rho`` (reference, predictor, true) and ``rho_null_shuffled``
        (reference, predictor, shuffle), a mean over classes; ``removal`` (order, kept, removed) by
        :data:`seedscope.formulas.ablation.KEPT`, and ``removal_null_random`` and ``removal_null_random_overall``
        (draw, kept, removed).
        """
        from seedscope.lenses.ablation.measure import measure

        return measure(replica, self.features, self.head)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return what single removals cost by each reference, how well it is predicted, and the removal curves."""
        from seedscope.lenses.ablation.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield what each unit's removal costs by class, dominance against it, and the removal curves."""
        from seedscope.lenses.ablation.draw import draw

        return draw(measured)

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Put predictions and removal curves of all seeds together, each beside its controls and its null."""
        from seedscope.lenses.ablation.compare import compare

        return compare(measured)

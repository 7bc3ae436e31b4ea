"""Does a unit of another seed do the work of its like? A causal test of whether seeds share units.

    restored  = 1 − D_transplanted / D_ablated                              D: KL divergence from the seed's own answer
    kept      = 1 − flips_transplanted / flips_ablated                      flips: decisions that are no longer its own
    recovered = (L_transplanted − L_ablated) / (L_intact − L_ablated)       L: log-probability of the true class

Unit i of seed a is replaced by its partner in seed b, scaled and shifted; formulas and sources:
:mod:`seedscope.formulas.transplants`. Partners are matched one to one by signed Pearson r
(:mod:`seedscope.formulas.matching`). Matching and fitting on one half of the probe pictures, balanced over classes;
scoring on the other; both ways and in both directions, sums added up. *Ablated* is a unit at its mean. Units are those
that are active in both halves; of a feature map they are channels, whole maps with all their places. Units without a
partner stand at their means.

    singly     one unit at a time, added up over units
    together   all units at once: seed a's head on seed b's layer through a scaled permutation

    null, within_class   b's pictures shuffled within class (and half), all units alike, and everything done again, the
                         matching too, by the same shuffle in both directions: what is left is what the class alone says
    null, within_place   … within class and part of its places, where the data say where their one square is
                         (``square_y``, ``square_x``): what is left is what class and place say
    baseline, random     partners drawn at random among b's units, scaled and shifted to fit as well as they can
    baseline, class_mean no partner at all: each unit at its mean over the picture's class

A null has a hypothesis, that b's answers to the pictures of one class (or place) may as well be exchanged, under which
p is valid. A baseline has none: that *any* unit does the work of a unit is not what anyone believes, and to be above it
takes no more than to know the class. So baselines say how much that is worth, have no p, and no claim rests on them.

At an accuracy of 0.99 "the decision survives" says nothing: a partner must give back more than the class does. And L
does not ask for that: a unit that is told the class of a picture gives the true class more than the seed's own unit,
which sees only the picture, ever did. So ``restored`` is what is read first.

**How much freedom does the whole layer need?** Seed a's head on seed b's layer through

    linear map    ridge regression (stitching)           any combination of units
    rotation      Procrustes, one scale                  the same space, whatever its axes
    permutation   matched units, each with its scale     the same units
    unmapped      drawn partners, neither scaled nor shifted: null of all three

each beside the same with b's pictures shuffled within class. Accuracy, agreement with seed a's own decisions (1 minus
the share that flips), and the two shares.

Of more pairs of seeds than :data:`seedscope.formulas.pairs.MOST` a balanced sample is looked at.

Where the features are the picture itself every seed has the same units, and there is nothing to transplant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seedscope.files.errors import SettingError
from seedscope.lenses.at_once import AtOnce, in_turn
from seedscope.lenses.claims import Claim, gain
from seedscope.lenses.network import Network, require_dense_head

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.replica import Replica


@dataclass(frozen=True)
class Transplants:
    """The lens.

    Attributes:
        features: the layer whose units are replaced.
        head: the dense layer that weighs them into logits.
    """

    features: str
    head: str

    compares: ClassVar[tuple[str, ...]] = ("activation", "weight", "bias", "label", "half", "taking_part", "place")

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features, and features that are the picture itself."""
        require_dense_head(network, self.features, self.head)
        if self.features == "input":
            raise SettingError(
                "features",
                "'input' is the picture itself, which is the same in every seed: there is nothing to transplant; take "
                "the lens out of the experiment",
            )

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return what replicas are compared by: the factors of every vote, and the halves of the pictures.

        ``activation`` (sample, unit), ``weight`` (target, unit), ``bias`` (target), ``label`` and ``half`` (sample), of
        at most 1024 probe pictures balanced over classes; where places are known ``place`` (sample), the part of its
        class's places that each is in; ``taking_part`` (channel), units or channels that are active
        in both halves; and of these ``divergence`` (way, channel): how far the answer moves, in nats a picture, with
        each at its mean (``ablated``) and at the mean of the picture's class (``class_mean``).
        """
        from seedscope.lenses.transplants.measure import measure

        return measure(replica, self.features, self.head)

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return how many units take part, and how far answers move without them."""
        from seedscope.lenses.transplants.measure import summarize

        return summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield what each unit holds, beyond the class of the picture too: what a transplant has to give back."""
        from seedscope.lenses.transplants.draw import draw

        return draw(measured)

    def compare(self, measured: xr.Dataset, at_once: AtOnce = in_turn) -> Comparison:
        """Transplant between the seeds of all pairs, or of a balanced sample of them."""
        from seedscope.lenses.transplants.compare import compare

        return compare(measured, at_once)

    def claims(self) -> tuple[Claim, ...]:
        """Return that a like does a unit's work; a tenth of the answer beyond its nulls would be worth it."""
        words = "of the answer that a unit's absence moves, its like gives back, above one shuffled within"
        return (
            Claim(
                "likes_do_the_work",
                "A unit of another seed does the work of its like",
                (
                    gain("restored_singly_gain_within_class", 0.1, f"{words} classes"),
                    gain(
                        "restored_singly_gain_within_place", 0.1, f"{words} parts of a class's places", where_known=True
                    ),
                ),
            ),
        )

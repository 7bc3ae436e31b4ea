"""How does the decision form during training, and what of it was there before the first step?

At every frame f of the training (see :mod:`seedscope.replicas.frames`), on the same few hundred probe pictures:

    dominance[f, k, i]  mean centred vote of unit i for class k (see :mod:`seedscope.formulas.votes`)
    top[f, k]           the t units of largest dominance at f, among the L units that are live at the last frame
    overlap[f, k], auc[f, k], settled[k]
                        how many of the final top units are in the top set at f, how surely they stand above the others,
                        and from when on they are the top set (see :mod:`seedscope.formulas.ranks`)
    margin[f, s]        logit of the true class minus the strongest other

Did the order at step 0 say which units would dominate? The null repeats the whole procedure: the final dominance is
given to the live units in a shuffled order (one shuffle for all classes, which keeps what they share), the top sets are
chosen again, which gives the old sets under new labels, and compared with every frame again. p is the share of shuffles
that reach at least the observed mean over classes (over seeds: the mean over classes and seeds, each seed shuffled for
itself). Chance is t²/L for the overlap and ½ for the AUC. At the last frame both are full by definition.

``head_auc`` is the AUC of the centred weights of the head at step 0 in place of the dominance, with the same null: did
these alone say it, whatever the units answer to? Three things make it look larger than it is; each stands beside it:

    survivors      only units that live at the last frame take part, which step 0 does not know; ``_unconditioned``
                   ranks all units that live at the first frame or at the last
    sign           head weights hardly move (``head_kept``: Pearson's r over classes of a unit's head row, first frame
                   with last): ``_null_sign`` is the AUC of the sign of the initial weight alone
    version        final top sets of raw, margin and mean-subtracted dominance, ranked by the same weights: a claim
                   holds only if it holds in all

**What a unit will mean.** Of each unit that lives in the end Pearson's r over classes, and its mean over units:

    tuning_from_initial_head      its centred head row at step 0  with  its class means of the last frame
    tuning_from_initial_tuning    its class means at step 0       with  its class means of the last frame

The null deals the rows (or the class means) of step 0 out to the same units anew. The second is the rival of the first:
units that answer to something at step 0 have both. ``pooled`` is r over all classes and units, each unit centred.

**Who lives on.** The AUC with which the share of pictures that make a unit active at step 0, its largest dominance
there, or its largest initial head weight tell, of the units that live at step 0, those that live in the end; the null
deals out the survivors anew.

A unit is live at a frame where one of these pictures makes it active; one that only other probe pictures make active
counts as dead here. A layer that training cannot change, such as the picture itself, answers the same at every frame;
how its units are weighed changes all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

from seedscope.files.errors import SettingError
from seedscope.lenses import Network, Replica, require_dense_head, require_maps, require_training
from seedscope.lenses.claims import Claim, above
from seedscope.lenses.evolution.formation import AREAS

if TYPE_CHECKING:
    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison
    from seedscope.lenses.lens import Numbers


@dataclass(frozen=True)
class Evolution:
    """The lens.

    Attributes:
        features: the layer whose units vote.
        head: the dense layer that weighs them into logits.
        layers: layers whose maps are filmed; empty for a network that has none.
        top: how many units count as dominant.
    """

    features: str
    head: str
    layers: Sequence[str] = ()
    top: Annotated[int, Ge(1)] = 5

    shares: ClassVar[tuple[str, ...]] = ("*auc_at_start*", "survival_from_*")
    compares: ClassVar[tuple[str, ...]] = (
        "accuracy",
        "live",
        *(f"{name}_mean" for name in ("overlap", *AREAS)),
        *(f"{name}_null_{which}" for name in ("overlap", *AREAS) for which in ("chance", "shuffled_at_start")),
        "head_auc_null_sign",
        "head_auc_null_sign_unconditioned",
        "tuning_foretold",
        "tuning_foretold_null_shuffled",
        *(f"{name}_p" for name in ("overlap", "auc")),
    )

    def check(self, network: Network) -> None:
        """Refuse a network without a dense head on these features, or without these maps."""
        require_dense_head(network, self.features, self.head)
        require_training(network)
        if len(network.layers[self.features]) != 1:
            raise SettingError("features", f"layer {self.features!r} has maps: frames keep only their means over space")
        units = network.layers[self.features][0]
        if self.top > units:
            raise SettingError("top", f"{self.top} is out of range: {self.features!r} has {units} units")
        require_maps(network, self.layers)

    def measure(self, replica: Replica) -> Numbers:
        """Return what the module's formulas name, by ``frame``; ``true`` is the class of a picture."""
        from seedscope.lenses.evolution.measure import measure

        return measure(replica, self.features, self.head, self.layers, self.top)

    def summarize(self, measured: Numbers) -> dict[str, float]:
        """Return when the top sets settled, and what step 0 said of the end; NaN where training has no step."""
        from seedscope.lenses.evolution.measure import summarize

        return summarize(measured, self.top)

    def draw(self, measured: Numbers) -> Iterator[Sheet]:
        """Yield the films, then the stills."""
        from seedscope.lenses.evolution.draw import draw

        return draw(measured, self.layers, self.top)

    def compare(self, measured: Numbers) -> Comparison:
        """Compare how early the final top units dominate, and what step 0 said of the end, with their nulls."""
        from seedscope.lenses.evolution.compare import compare

        return compare(measured, self.top)

    def claims(self) -> tuple[Claim, ...]:
        """Return what step 0 is claimed to say; of dominant units in all four versions of dominance."""
        tuning = "r over classes of a unit's centred head row at step 0 with its class means in the end"
        area = "AUC with which the initial head tells what dominates in the end, of units that live then or at step 0"
        head = f"top{self.top}_head_auc_at_start"
        return (
            Claim(
                "initial_head_says_the_meaning",
                "The initial head says what a unit that survives will mean",
                (
                    above("tuning_from_initial_head", 0.3, f"{tuning}; against rows shuffled", tested=True),
                    above(
                        "tuning_from_initial_head_gain_initial_tuning",
                        0.0,
                        f"{tuning}, less r of its class means at step 0 with those in the end",
                        worth=0.05,
                    ),
                ),
            ),
            Claim(
                "initial_head_says_who_dominates",
                "The initial head says which units will dominate",
                (
                    above(f"{head}_unconditioned", 0.6, f"{area}, centred votes", tested=True),
                    *(
                        above(
                            f"{head}_{version}_unconditioned",
                            0.6,
                            f"{area}, {version.replace('_', '-')} votes",
                            tested=True,
                        )
                        for version in ("raw", "margin", "mean_subtracted")
                    ),
                ),
            ),
        )

"""What do weights learn, and from whom? For a dense layer z = X · Wᵀ + b, X (sample, in), W (out, in), one step says

    dW = doutᵀ · X      db = Σ_samples dout      dout (sample, out): the gradient of the summed loss at z

In other words Xᵀ · dout, where weights are (in, out); torch's are (out, in). The bias is the weight of an input that
is 1. The share of a row's change counts weights only.
Source: Rumelhart, Hinton and Williams (1986), *Learning representations by back-propagating errors*; how dout comes
about is in :mod:`seedscope.lenses.dense_layers`. Three things follow from it, and each is measured:

*It is the gradient.* ``rule_error``: the largest difference to automatic differentiation in float64, as a share of
the layer's largest entry, at every frame, on a balanced few hundred training pictures.

*Rows move within the span of the inputs.* With P the projection onto the span of all inputs that the layer took,

    span share = ‖ΔW P‖² / ‖ΔW‖²        ΔW = W_frame − W_0;   a random ΔW has rank P / in

For plain gradient descent it is 1. Adam divides each entry by a scale of its own and leaves the span, save where
the span lies along the axes. P is of the eigenvectors of Σ XᵀX whose eigenvalue exceeds 1e-13 of the largest
(singular values: 3e-7). The inputs are those of every batch of the training (``seen``; for plain gradient descent the
share is 1 by these only) or those of all training pictures in the trained network (``end``). The first layer's are
the same throughout where nothing before it learns. Where the span is all there is, the share is 1 and says nothing.
So how much of ΔW lies along the *leading* directions of the inputs is given too (a random ΔW: their share of all).

*A row's change is a sum over samples.* The training is replayed bit for bit, and each step split by the class of
sample (see :mod:`seedscope.lenses.learning_rule.class_parts`): first step + Σ_c part_c = ΔW, and
``completeness_error`` says how nearly. ``replay_error`` is how far the replay ends from the network, as a share of the
largest weight: 0 on the type of processor that it was trained on. Then

    share[k, c] = ⟨part_c[k], ΔW[k]⟩ / ‖ΔW[k]‖²         Σ_c share[k, c] = 1, less the first step's; any sign

is how much of row k's change the samples of class c brought about; negative: they pushed the other way, and were
outdone. Rows of the last layer are centred over its targets first, parts and change alike: what all targets share
decides nothing (see :mod:`seedscope.formulas.votes`). Null: classes shuffled over the samples, the same split
again; each share is then expected to be the class's share of the samples. Whoever looks for the *largest* share finds
more than that, so the largest is taken in the shuffled split as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge, MinLen

from seedscope.figures import Sheet
from seedscope.lenses import Network, Replica
from seedscope.lenses.dense_layers import require_dense_layers
from seedscope.lenses.learning_rule.draw import sheets
from seedscope.lenses.learning_rule.measure import measure, summarize

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class LearningRule:
    """The lens.

    Attributes:
        layers: the dense layers from the first to the one that gives the logits, a ReLU between each two.
        rows: how many units of each hidden layer are split by class, those whose weights changed most.
    """

    layers: Annotated[Sequence[str], MinLen(1)]
    rows: Annotated[int, Ge(1)] = 16

    shares: ClassVar[tuple[str, ...]] = ("*_span_share*", "*_change_in_leading_tenth", "*_class_is_largest")

    def check(self, network: Network) -> None:
        """Refuse layers that are not a chain of dense layers up to the logits."""
        require_dense_layers(network, self.layers)

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return the rule's error, the span of what was learned, and each row's change by class of sample."""
        return measure(replica, self.layers, self.rows)

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return errors, the span shares with their chance, and the shares of own and other classes."""
        return summarize(measured)

    def draw(self, measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield the rule and the span through training, shares by class, and the parts of rows that are pictures."""
        return sheets(measured)

"""What are hidden units asked to become? The hidden layer's implied teacher, and whether its outputs go there.

    teacher_i = outputs_i − correction_i          correction_i = dout_{i+1} · W_{i+1}          (sample, unit)

W_{i+1} (target, unit) is the next layer's; dout_{i+1} (sample, target) the gradient at its pre-activation of each
sample's own loss: the sum over the batch and not the mean, so that dout of the last layer is p − onehot (one logit:
σ(z) − label). The correction is then the gradient of the loss at the outputs, and the teacher lies one gradient step
of size 1 away from them, as onehot = p − dout does for the last layer. Two versions:

    post    outputs h = max(z, 0);   correction g = dout_{i+1} · W_{i+1}             the article's formula
    pre     outputs z;               correction g ∘ [z > 0]                          with the layer's own ReLU gate

Source: a web article that reads the backward pass as a target for each hidden layer; its idea is that of target
propagation (Le Cun 1986; Bengio 2014, *How auto-encoders could provide credit assignment in deep networks*).
Departures from the article, which has no gate and takes the bias into the sum as the weight of an input that is 1:
gates of later layers are part of dout_{i+1} in both versions, a layer's own gate is in ``pre`` (without it a silent
unit is asked for what no step of learning gives it); the constant input has no teacher, for no layer makes it.

Claims, each made definite, at every frame, on a few hundred training and probe pictures:

*distance*  Σ_s ‖correction_s‖ / Σ_s ‖outputs_s‖, and the mean ‖correction_s‖; 0 where there is nothing to teach.
*sparse*    the teacher's share of entries that are exactly 0, and of units that it wants on (above 1 % of the picture's
            largest output), each beside the outputs' own.
*sign*      the teacher's share of negative entries, which no output of a ReLU can have. And, in the last hidden layer:
            how often a live unit (active for some picture) is asked to rise where it votes for the picture's class and
            to fall where it votes against, sign(−g) = sign(W[label] − mean of W over the other targets). Null: labels
            shuffled.
*followed*  do outputs move towards the teacher of the frame before? cos(outputs_{f+1} − outputs_f, −correction_f) of
            each picture, mean over those that moved and were asked to. Nulls: corrections shuffled over all pictures,
            and within the class: what that leaves is asked of a whole class, no more of a picture than of its like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import MinLen

from seedscope.figures import Sheet
from seedscope.files.errors import SettingError
from seedscope.lenses import Network, Replica
from seedscope.lenses.dense_layers import require_dense_layers
from seedscope.lenses.teacher.draw import sheets
from seedscope.lenses.teacher.measure import measure, summarize

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Teacher:
    """The lens.

    Attributes:
        layers: the dense layers from the first to the one that gives the logits, a ReLU between each two; all but the
            last are taught.
    """

    layers: Annotated[Sequence[str], MinLen(1)]

    shares: ClassVar[tuple[str, ...]] = ("*_zeros", "*_on", "*_negative", "sign_agreement*")

    def check(self, network: Network) -> None:
        """Refuse layers that are not a chain of dense layers up to the logits, or of which none is hidden."""
        require_dense_layers(network, self.layers)
        if len(self.layers) < 2:
            raise SettingError("layers", f"{self.layers[0]!r} alone has no hidden layer before it: nothing is taught")

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return distance, sparsity, signs and following at each frame, a group for each hidden layer."""
        return measure(replica, self.layers)

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return what holds at the end of training, and how well the teacher was followed over all frames."""
        return summarize(measured)

    def draw(self, measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield distance, sparsity and sign, and following through training, and the corrections by class."""
        return sheets(measured)

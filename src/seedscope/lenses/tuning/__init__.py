"""What does each channel of a convolution answer to, more than before training: edges early, whole shapes late?

"Early layers see edges and outlines, later ones whole shapes" is put into numbers, per channel and layer:

    orientation selectivity   is the channel an edge detector?              :mod:`seedscope.formulas.gratings`
    receptive field           how much of the picture does it see and use?  :mod:`seedscope.activations.receptive_field`
    extent                    how much of its map responds?                 :mod:`seedscope.formulas.selectivity`
    class selectivity         does it tell the classes apart?               :mod:`seedscope.formulas.selectivity`
    class variance            … and how much of what it does is that?       :mod:`seedscope.formulas.classes`

A layer's number is the median over its live channels. The null of all of them is the **untrained network of
the same seed** (frame 0), which goes through the same procedure; the gain is trained − untrained. Even untrained, a
3×3 kernel prefers an orientation and a larger field tells more classes apart: only the gain was learned. Class
measures choose or fit, so few pictures look selective: shuffled labels, the mean over 200 shufflings with their choice
of the largest class included, are their second null; of η² it is expected to be (K − 1)/(n − 1). From the first layer
to the last:

    step        = number of the last layer − number of the first
    step gain   = step when trained − step when untrained

The saying asks for a negative step of orientation selectivity and a positive one of class selectivity, both by gain.

Pictures: up to 1000 of the probe pictures, classes balanced; for gradients the exhibits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import MinLen

from seedscope.lenses import Network, Replica, require_channels, require_labels, require_training

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison


@dataclass(frozen=True)
class Tuning:
    """The lens.

    Attributes:
        layers: the layers to look at, from the picture on, each with an output (channel, y, x).
    """

    layers: Annotated[Sequence[str], MinLen(1)]

    def check(self, network: Network) -> None:
        """Refuse a network without an untrained one beside it, pictures of no class, and a layer without maps."""
        require_training(network)
        require_labels(network)
        require_channels(network, self.layers)

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return of each layer, as a group, the numbers of its channels, (network, channel), trained and untrained.

        Beside them ``tuning`` (network, channel, orientation) at the best period, ``class_mean`` (network, channel,
        true), ``receptive_field`` and ``stride`` (axis), pixels, and ``kernel`` (channel, y, x), colours summed, of
        layers that see the picture itself.
        """
        from seedscope.lenses.tuning.measure import measure

        return measure(replica, self.layers)

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return each layer's medians, their nulls and gains, and the steps from the first to the last layer."""
        from seedscope.lenses.tuning.layers import summarize

        return summarize(measured)

    def draw(self, measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield all measures by layer, and of each layer the tuning of its channels to orientation and to class."""
        from seedscope.lenses.tuning.draw import draw

        return draw(measured)

    def compare(self, measured: xr.DataTree) -> Comparison:
        """Show what training changed in each layer of every seed, and whether layers came to differ as is said."""
        from seedscope.lenses.tuning.compare import compare

        return compare(measured)

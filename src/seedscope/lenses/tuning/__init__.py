"""What does each channel of a convolution answer to, more than before training: edges early, whole shapes late?

"Early layers see edges and outlines, later ones whole shapes" is put into numbers, per channel and layer:

    orientation selectivity   is the channel an edge detector?              :mod:`seedscope.formulas.gratings`
    receptive field           how much of the picture does it see and use?  :mod:`seedscope.activations.receptive_field`
    extent                    how much of its map responds?                 :mod:`seedscope.formulas.selectivity`
    class selectivity         does it tell the classes apart?               :mod:`seedscope.formulas.selectivity`
    class variance            … and how much of what it does is that?       :mod:`seedscope.formulas.classes`

**At which period?** Of 200,000 random linear 3×3 kernels those that answer most to stripes of 16 pixels have at most a
selectivity of 0.04, of 8 pixels 0.16, of 4 pixels 0.60: what answers most to wide stripes blurs, and a channel whose
best period grows must lose selectivity, whatever else it learned. So selectivity is compared at fixed periods,
``…_at_period_8`` (pixels, rounded), the same for the trained and the untrained network; ``…_at_best_period`` stands
beside it and is the channel's own choice.

A layer's number is the median over its live channels. The null of all of them is the **untrained network of
the same seed** (frame 0), which goes through the same procedure; the gain is trained − untrained. Even untrained, a
3×3 kernel prefers an orientation and a larger field tells more classes apart: only the gain was learned. Class
measures choose or fit, so few pictures look selective: shuffled labels, the mean over 200 shufflings with their choice
of the largest class included, are their second null; of η² it is expected to be (K − 1)/(n − 1). From the first layer
to the last:

    step        = number of the last layer − number of the first
    step gain   = step when trained − step when untrained

The saying asks for a negative step of orientation selectivity and a positive one of class selectivity, both by gain.
All gains of the lens are one family: p is corrected for all of them (:mod:`seedscope.lenses.beside_nulls`).

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

    @property
    def shares(self) -> tuple[str, ...]:
        """Return the numbers of a layer that lie in [0, 1]; steps between layers are differences."""
        from seedscope.lenses.tuning.layers import SHARES

        return tuple(f"{layer}_{name}*" for layer in self.layers for name in SHARES)

    def check(self, network: Network) -> None:
        """Refuse a network without an untrained one beside it, pictures of no class, and a layer without maps."""
        require_training(network)
        require_labels(network)
        require_channels(network, self.layers)

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return of each layer, as a group, the numbers of its channels, (network, channel), trained and untrained.

        Beside them ``orientation_selectivity`` (network, channel, period) at each period of stripes, ``tuning``
        (network, channel, orientation) at the best one, ``class_mean`` (network, channel, true), ``receptive_field``
        and ``stride`` (axis), pixels, and ``kernel`` (channel, y, x), colours summed, of layers that see the picture
        itself.
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

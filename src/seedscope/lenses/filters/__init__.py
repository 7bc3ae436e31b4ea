"""Which picture raises a channel? Filters by gradient ascent.

    a_c(x) = mean over (y, x) of max(0, z_c)      z_c: channel c of the layer, (y, x); max only where a ReLU follows
    g      = ∂a_c / ∂x                            (channel, y, x), like the picture
    x      ← x + step · g / √mean(g²),  then every value back into [0, 1]

from one faint-noise picture, 0.5 + noise · normal, the same for every channel, layer, network and run. Pictures are in
the data set's own units, [0, 1]; a network that wants others converts them as its first step. So what is drawn
is the very picture that the network saw. A unit of a dense layer is a channel of one pixel.

Maximising one unit is Erhan et al. (2009) and Simonyan et al. (2014), the mean of a channel and the normalised gradient
Chollet (2017). Three choices differ. The picture is kept in [0, 1], for without a bound any activation can be passed by
contrast alone (``bounded: false`` is the plain ascent). Where a channel is 0 all over, its ReLU lets no gradient
through: then ``g = ∂ max(z_c) / ∂x``, the place that is nearest to answer, until it does. And nothing else is done
by default; jitter (Mordvintsev et al. 2015), blur (Yosinski et al. 2015) and total variation (Mahendran and Vedaldi
2015) are options: jitter shifts the picture round its borders before each step and back after it, blur smooths it
after each step, and the sign of every difference between neighbours, times ``total_variation``, is taken off the
normalised gradient.

A channel is *silent* when no step had a gradient, or when its ReLU let nothing through at any of them. All that the
ascent or a probe picture raises are held against the probe pictures: how many end above what any of these reaches? A
channel that a probe picture raises and the ascent does not counts as one that does not. The null is the same ascent in
the untrained network, from the same noise and against the same pictures: it passes them as often, so that share says
that the ascent works, and nothing of what was learned. The picture at the end is where a few steps led, not the one
that the channel answers to most: the curves often still rise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge, Gt, MinLen

from seedscope.files.errors import SettingError, did_you_mean
from seedscope.lenses import Network, Replica, require_one_run

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.filters.ascent import Ascent


@dataclass(frozen=True)
class Filters:
    """The lens.

    Attributes:
        layers: the layers whose channels or units are looked at.
        channels: how many of each layer, from its first on; ``None`` for all.
        steps: how often a picture is changed.
        step_size: root mean square of one step's change, in units of the picture.
        noise: standard deviation of the picture at the start.
        bounded: keep every value in [0, 1].
        jitter: largest shift before a step, pixels.
        blur: standard deviation of the Gaussian after a step, pixels.
        total_variation: weight of its gradient beside the normalised one.
        size: side of the pictures, pixels, for layers that convolutions alone lead to; ``None`` for the data set's.
        pictures: how many probe pictures to hold against, spread evenly; ``None`` for all.
        batch_size: pictures computed at a time, which bounds the memory. Of pictures of 32×32 pixels 16 or more at a
            time are fastest, of 150×150 one or two: larger blocks of memory cost more than a batch saves.
    """

    layers: Annotated[Sequence[str], MinLen(1)]
    channels: Annotated[int, Ge(1)] | None = None
    steps: Annotated[int, Ge(1)] = 30
    step_size: Annotated[float, Gt(0)] = 0.02
    noise: Annotated[float, Ge(0)] = 0.05
    bounded: bool = True
    jitter: Annotated[int, Ge(0)] = 0
    blur: Annotated[float, Ge(0)] = 0.0
    total_variation: Annotated[float, Ge(0)] = 0.0
    size: Annotated[int, Ge(1)] | None = None
    pictures: Annotated[int, Ge(1)] | None = None
    batch_size: Annotated[int, Ge(1)] = 32

    shares: ClassVar[tuple[str, ...]] = ("*_rises*", "*_above_probe*")

    def check(self, network: Network) -> None:
        """Refuse a layer that is not there, or whose output is neither maps nor units; of units also a ``size``."""
        known = {name: shape for name, shape in network.layers.items() if name != "logit"}
        for layer in self.layers:
            if layer not in known:
                raise SettingError("layers", f"there is no layer {layer!r}; {did_you_mean(layer, known)}")
            if len(known[layer]) not in (1, 3):
                raise SettingError(
                    "layers",
                    f"layer {layer!r} has no channels: it gives {known[layer]}, neither (channel, y, x) nor (unit)",
                )
            if self.size is not None and len(known[layer]) == 1:
                raise SettingError(
                    "size", f"layer {layer!r} takes pictures of the data set's size only: set size: null"
                )
        require_one_run(network, "layers", self.layers)

    @property
    def ascent(self) -> Ascent:
        """Return how a picture is changed."""
        from seedscope.lenses.filters.ascent import Ascent

        return Ascent(**{one.name: getattr(self, one.name) for one in fields(Ascent)})

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return, by layer, the pictures at the end, the activation on the way, and that of the probe pictures.

        A layer's group has ``picture`` (network, channel, colour, y, x), ``activation`` (network, channel, step),
        ``silent`` (network, channel), ``probe`` (network, channel): the largest activation that a probe picture
        reaches, ``probe_sample`` which it is; of a dense layer ``unit`` in place of ``channel``. ``network`` is
        ``trained`` and, unless weights are given, ``untrained``: the same at the first frame.
        """
        from seedscope.lenses.filters.measure import measure

        return measure(self.ascent, self.layers, self.channels, self.pictures, replica)

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return, of each layer, how many channels are silent, and how far the ascent goes.

        ``woken`` is how many answer to no probe picture and yet to the ascent's, ``above_probe`` is the share that
        ends above every probe picture, of those that the ascent or a probe picture raises. Of those that are not
        silent ``times_probe`` is the median of end ÷ best probe picture (of channels that answer to any; where no ReLU
        follows, 0 is no origin and a ratio says little), ``rises`` the share of steps that raise the activation.
        """
        from seedscope.lenses.filters.measure import summarize

        return summarize(measured, self.layers)

    def draw(self, measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield, of each layer, the pictures, those of the untrained network, and how high they climbed."""
        from seedscope.lenses.filters.draw import draw

        return draw(measured, self.layers)

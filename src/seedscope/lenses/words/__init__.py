"""What does a channel answer to, in a word: an oriented edge, a spot, a colour, or none of these?

Four kinds of stimuli, all grey 1/2 changed by at most 1/2 (:mod:`.stimuli`): gratings at all orientations, periods and
phases; rings around a bright or dark spot; black and white; and, on pictures of three colours, all hues at the same
brightness. z: output of a channel before a ReLU that follows, z₀: its output to grey (:mod:`.responses`).

    G  S  U  H   largest rise z − z₀ over all gratings, rings, black and white, hues; never below 0
    A            … over gratings of any period across the best one
    M            largest |z − z₀| over all stimuli

    oriented edge    (G − max(A, U, H)) / M  >  1/2    stripes one way, at least twice as much as anything not that way
    spot             (S − max(G, U, H)) / M  >  1/6    a spot, at least a fifth more than any stripes
    colour           (H − max(G, S, U)) / M  >  1/2    a hue, at least twice as much as anything without one
    silent           max(0, z) is the same for all stimuli
    none             otherwise

The limit of spots is lower, for rings are short stripes: a difference of two Gaussians, the model of a centre with its
surround, has 0.2 to 0.3. No number changes when a filter is made stronger. Of two words that are met (an edge and a
spot may be) it is the one farther above its limit, in standard deviations of the null. "Edge" includes lines and
stripes; a curve may be nearest to a spot off the middle.

*z and not max(0, z)*: a threshold lets through only the tip of a tuning and so makes any weak channel look selective
(the "iceberg", Priebe and Ferster 2008); random deep channels would all have words. For the same reason rises are
divided by the largest change, also downwards, and not by each other.

**The null** is a random network that goes through the same procedure, choices included; a word says something of
learning only where its share lies above the null's. Of a network trained here it is itself before the first step
(frame 0). Of given weights: copies of it, with 200 filters in each layer, in which the weights of each filter of each
layer are permuted within the filter, colours and places alike: the same weights, without their order. Beside the share
p of a word in them stands its Monte Carlo error, √(p (1 − p) / filters).

**What was known when the rule was fixed.** A first rule, written before any result, took the circular variance of
gratings and limits from the null's quantiles. On VGG16's first layers it called hardly any edge so, since a 3×3
gradient has a selectivity of 1/3 and random filters reach 0.5. The rule above was fixed after looking at the first five
of VGG16's layers and SqueezeNet's first, the limit of spots on differences of Gaussians, before looking at any other
layer, or at any network trained here. So of those six layers the shares are **in-sample**: they show what the rule
says, and are no test of it. Whoever looks at such weights names those layers in ``shaped_the_rule``, and figure, table
and metrics (``<layer>_in_sample``) say which they are; the first layers that test the rule are VGG16's features.12 and
features.14. Deep in VGG16 most permuted filters are silent, so the null says less there.

A layer must have a receptive field that fits into the picture; it is shown pictures as small as that, and what follows
it is not computed. On grey pictures there are no hues, and no channel is called *colour*.

Sources: concentric rings, Gallant, Braun and Van Essen (1993); preferred orientation and hue as the first harmonic
around their circles, Ringach, Shapley and Hawken (2002), Derrington, Krauskopf and Lennie (1984). Departures: equal
brightness is an equal mean of red, green and blue, for a network has no luminosity curve; hues fill the picture, so a
channel that answers only to a border between two hues of equal brightness gets no word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import MinLen

from seedscope.files.errors import SettingError
from seedscope.lenses import Network, Replica, require_channels

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.figures import Sheet
    from seedscope.lenses.comparison import Comparison


@dataclass(frozen=True)
class Words:
    """The lens.

    Attributes:
        layers: the layers to look at, from the picture on, each with an output (channel, y, x).
        shaped_the_rule: those of them, with these weights, that the rule was fixed on.
    """

    layers: Annotated[Sequence[str], MinLen(1)]
    shaped_the_rule: Sequence[str] = ()

    compares: ClassVar[tuple[str, ...]] = ("answer", "null_count")
    shares: ClassVar[tuple[str, ...]] = ("*",)

    def check(self, network: Network) -> None:
        """Refuse a layer that is not there, or that has no maps, and one that shaped the rule and is not looked at."""
        require_channels(network, self.layers)
        for layer in self.shaped_the_rule:
            if layer not in self.layers:
                raise SettingError("shaped_the_rule", f"{layer!r} is not one of the layers that are looked at")

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return of each layer, as a group, the word of every channel, the numbers that decided it, and its curves.

        ``answer`` (channel) is an index into :data:`.vocabulary.WORDS`, ``met`` (channel, word) the numbers.
        ``null_count`` (answer_of_null): filters of the null by word, ``null_deviation`` (word). ``kernel`` (channel,
        colour, y, x) of layers that see the picture itself.
        """
        from seedscope.lenses.words.measure import measure

        return measure(replica, self.layers, self.shaped_the_rule)

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return the share of each word in each layer, that in the null, and what training added."""
        from seedscope.lenses.words.vocabulary import summarize

        return summarize(measured)

    def draw(self, measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield the shares of all words, and of each layer its channels by word and the curves that say so."""
        from seedscope.lenses.words.draw import draw

        return draw(measured)

    def compare(self, measured: xr.DataTree) -> Comparison:
        """Show the share of each word over seeds, beside that of the untrained networks."""
        from seedscope.lenses.words.compare import compare

        return compare(measured)

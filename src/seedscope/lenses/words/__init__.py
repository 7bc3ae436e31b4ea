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
layer are permuted within the filter, colours and places alike: the same weights, without their order.

**What was known when the rule was fixed.** A first rule, written before any result, took the circular variance of
gratings and limits from the null's quantiles. On VGG16's first layers it called hardly any edge so, since a 3×3
gradient has a selectivity of 1/3 and random filters reach 0.5. The rule above was fixed after looking at the first five
of VGG16's layers and SqueezeNet's first, the limit of spots on differences of Gaussians, before looking at any other
layer, or at any network trained here. Deep in VGG16 most permuted filters are silent, so the null says less there.

A layer must have a receptive field that fits into the picture; it is shown pictures as small as that, and what follows
it is not computed. On grey pictures there are no hues, and no channel is called *colour*.

Sources: concentric rings, Gallant, Braun and Van Essen (1993); preferred orientation and hue as the first harmonic
around their circles, Ringach, Shapley and Hawken (2002), Derrington, Krauskopf and Lennie (1984). Departures: equal
brightness is an equal mean of red, green and blue, for a network has no luminosity curve; hues fill the picture, so a
channel that answers only to a border between two hues of equal brightness gets no word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import MinLen

from seedscope.drawing import Drawing
from seedscope.lenses import Network, Replica, require_channels
from seedscope.lenses.tuning.orientation import ORIENTATIONS
from seedscope.lenses.tuning.receptive_field import sees_the_picture
from seedscope.lenses.words import rule
from seedscope.lenses.words.null import PERMUTED, UNTRAINED, networks_needed, permute
from seedscope.lenses.words.responses import Answers, View, answers, curves, view_of
from seedscope.lenses.words.stimuli import HUES, periods

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses.comparison import Comparison


@dataclass(frozen=True)
class Words:
    """The lens.

    Attributes:
        layers: the layers to look at, from the picture on, each with an output (channel, y, x).
    """

    layers: Annotated[Sequence[str], MinLen(1)]

    def check(self, network: Network) -> None:
        """Refuse a layer that is not there, or that has no maps."""
        require_channels(network, self.layers)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return the word of every channel, the numbers that decided it, its tuning curves, and the null's words.

        ``answer`` (channel) is an index into :data:`.rule.WORDS`, ``met`` (channel, word) the numbers; ``layer`` and
        ``number`` say which channel it is. ``null_count`` (of, answer): filters of the null by word,
        ``null_deviation`` (of, word). ``<layer>_kernel`` (channel, colour, y, x) of layers that see the picture itself.
        """
        import xarray as xr

        depth, height, width = map(int, replica.probe.image.shape[1:])
        shape = depth, height, width
        with replica.network() as network:
            views = {layer: view_of(network, layer, shape) for layer in self.layers}
            own = {layer: answers(network, views[layer]) for layer in self.layers}
        null = self._null(replica, views, {layer: found.channels for layer, found in own.items()})
        longest = max((periods(view.field.side) for view in views.values()), key=len)
        rows: dict[str, list[np.ndarray]] = {}
        counts, deviations = [], []
        for layer, found in own.items():
            pooled = np.concatenate([rule.numbers(one) for one in null[layer]])
            deviation = rule.spread(pooled)
            quiet = np.concatenate([rule.silent(one) for one in null[layer]])
            counts.append(rule.counted(rule.words(pooled, quiet, deviation)))
            deviations.append(deviation)
            number = rule.numbers(found)
            answer = rule.words(number, rule.silent(found), deviation)
            for name, values in {"answer": answer, "met": number, **curves(found, len(longest))}.items():
                rows.setdefault(name, []).append(values)
        inner = {
            "met": ("word",),
            "by_orientation": ("orientation",),
            "by_radius": ("polarity", "period"),
            "by_hue": ("hue",),
        }
        variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            name: (("channel", *inner.get(name, ())), np.concatenate(parts)) for name, parts in rows.items()
        }
        variables["null_count"] = (("of", "answer_of_null"), np.stack(counts))
        variables["null_deviation"] = (("of", "word"), np.stack(deviations))
        variables["receptive_field"] = (("of", "axis"), np.array([views[layer].field.size for layer in self.layers]))
        for layer in self.layers:
            kernel = replica.weights.get(f"{layer}.weight")
            if kernel is not None and sees_the_picture(kernel, views[layer].field, shape):
                variables[f"{layer}_kernel"] = (
                    tuple(f"{layer}_{name}" for name in ("channel", "colour", "y", "x")),
                    kernel,
                )
        channels = [own[layer].channels for layer in self.layers]
        return xr.Dataset(
            variables,
            coords={
                "word": list(rule.MET),
                "answer_of_null": list(rule.WORDS),
                "orientation": ORIENTATIONS,
                "polarity": ["bright", "dark"],
                "period": longest,
                "hue": HUES,
                "layer": ("channel", np.repeat(list(self.layers), channels)),
                "number": ("channel", np.concatenate([np.arange(count) for count in channels])),
                "of": list(self.layers),
                "axis": ["y", "x"],
            },
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "null": PERMUTED if replica.frames is None else UNTRAINED,
                "colours": depth,
            },
        )

    def _null(
        self, replica: Replica, views: Mapping[str, View], channels: Mapping[str, int]
    ) -> dict[str, list[Answers]]:
        """Return what null networks answer, by layer: the untrained one, or as many permuted ones as it takes."""
        if replica.frames is not None:
            with replica.network(0) as network:
                return {layer: [answers(network, views[layer])] for layer in self.layers}
        rng = np.random.default_rng(0)
        needed = {layer: networks_needed(channels[layer]) for layer in self.layers}
        found: dict[str, list[Answers]] = {layer: [] for layer in self.layers}
        with replica.network() as network:
            for draw in range(max(needed.values())):
                permute(network, rng)  # what was permuted, again: as random as from the start
                for layer in self.layers:
                    if draw < needed[layer]:
                        found[layer].append(answers(network, views[layer]))
        return found

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return the share of each word in each layer, that in the null, and what training changed."""
        return rule.summarize(measured)

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield the shares of all words, and of each layer its channels by word and the curves that say so."""
        from seedscope.lenses.words import drawing

        measured = measured.load()
        yield drawing.overview(measured)
        for layer in measured.of.values.tolist():
            yield drawing.words(measured, layer)
            yield drawing.curves(measured, layer)

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Draw the share of each word over seeds, beside that of the untrained networks."""
        from seedscope.lenses.words.across import compare

        return compare(measured)

"""Do weights become templates: does each neuron come to resemble something that it is given?

The claim: an inner product is a similarity; training makes the output follow it; so each neuron's weights come to
resemble some input. It is asked of each layer named in ``layers``, with the activations that the layer takes as its
inputs: pictures, or the units before it. Rows of the layer that gives the logits are centred over classes (adding one
vector to all of them changes no decision). Similarities and the span are those of ``resemblance.py``; the winner of a
picture is the unit with the largest output, bias included, and none where no unit is active.

    winning input   similarity(row of the winner, the picture that it wins), mean over probe pictures
    class mean      similarity(row of the winner, mean training input of the picture's class), mean over probe pictures
    nearest         max over training inputs of similarity(row, input), mean over the live rows

Live: a row that is not all zero, of a unit that is active for some probe picture. Nulls repeat all of it, the choice
of the winner and of the nearest input included; they take the place of the live rows, with their lengths and biases:

    untrained       the network of the same seed at step 0, with its own winners and inputs
    shuffled        the winners' numbers shuffled among live units, the mean over all shuffles (not for the nearest)
    mixture         random mixtures of training inputs: smooth, in the span, a template of none
    turned          the rows with random signs along the inputs' principal directions: as smooth as they are

The last two replace the rows of the trained network: means over 200 networks drawn from the replica's seed, or of wide
layers over as many as have 6,400 rows. The Monte Carlo error of what is held against stands beside it,
``<reading>_monte_carlo_error``, as does that of the share of rows that are templates alone: those nearer to an input
than 95 % of each null's rows are, and above 0.5.

If mixtures are as near to their nearest input as trained rows are, nearness shows no template. The rule, written
before any result was seen (Pearson, rows projected on the span, which is the kinder way to ask), and since made
stricter by the correction for three:

    a reading is supported        if over at least 3 seeds [similarity − the strongest null of the seed] lies above 0
                                  and the similarity above 0.5, one-sided p < 0.025, corrected for three readings (Holm)
    a reading is not supported    if the 95 % interval of one of these lies wholly below
    the verdict on a layer is     supported if one of the three readings is, which then carries it; not supported if
                                  all three are not supported; else undecided

(:mod:`seedscope.formulas.verdict`). The argument's own steps, at each frame:

    winner            share of probe pictures in which argmax w · x is argmax of the cosine (it is not where rows differ
                      in length: 5 · sin has a larger product with sin than sin has); also with the bias; by chance
                      Σ_u p_u q_u, for shares p and q of pictures that unit u wins either way
    losers' products  w · x of all units but the winner, raw rows without bias; the argument says that they go to 0;
                      their size is mean |w · x| of the losers over mean |w · x| of the winners

Centred over classes the losers' mean is −1 / (classes − 1) of the winner's whatever was learned, so a mean says
nothing there; their size does. At most 7 frames are looked at, at log-spaced steps, the first and the
last included, and at most 2,000 probe pictures, as many of each class; but all training pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import MinLen

from seedscope.figures import Sheet
from seedscope.files.errors import SettingError, did_you_mean
from seedscope.lenses import Network, Replica, require_dense_end, require_one_run, require_training
from seedscope.lenses.templates.compare import compare
from seedscope.lenses.templates.draw import sheets
from seedscope.lenses.templates.measure import measure, summarize

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses.comparison import Comparison


@dataclass(frozen=True)
class Templates:
    """The lens.

    Attributes:
        layers: the dense layers that are looked at, each with the layer whose activations it takes.
        head: the layer that gives the logits.
    """

    layers: Annotated[Mapping[str, str], MinLen(1)]
    head: str

    compares: ClassVar[tuple[str, ...]] = ("similarity", "null_similarity", "null_error")
    shares: ClassVar[tuple[str, ...]] = (
        "*_templates",
        "*_winner_is_cosine_winner",
        "*_outside_span*",
    )

    def check(self, network: Network) -> None:
        """Refuse a layer that is not dense, or that does not take what it is said to take."""
        require_training(network)
        require_dense_end(network)
        for name in (*self.layers, *self.layers.values(), self.head):
            if name not in network.layers:
                key = "head" if name == self.head else "layers"
                raise SettingError(key, f"there is no layer {name!r}; {did_you_mean(name, list(network.layers))}")
        require_one_run(network, "layers", [*self.layers, *self.layers.values()])
        for layer, source in self.layers.items():
            shape, width = network.weights.get(f"{layer}.weight", ()), int(np.prod(network.layers[source]))
            if len(shape) != 2:
                raise SettingError("layers", f"layer {layer!r} is not dense: it has no rows of weights")
            if shape[1] != width:
                raise SettingError("layers", f"layer {source!r} has {width} outputs and {layer!r} takes {shape[1]}")

    def measure(self, replica: Replica) -> xr.DataTree:
        """Return what the module's formulas name, a group for each layer."""
        return measure(replica, self.layers, self.head)

    def summarize(self, measured: xr.DataTree) -> dict[str, float]:
        """Return, of each layer, the readings beside their strongest null, the span, and the argument's steps."""
        return summarize(measured)

    def draw(self, measured: xr.DataTree) -> Iterator[Sheet]:
        """Yield, of each layer, winners beside inputs, all rows, nearest inputs, readings and steps over frames."""
        return sheets(measured)

    def compare(self, measured: xr.DataTree) -> Comparison:
        """Give the verdict on each layer, with the numbers and the curves of every seed that it stands on."""
        return compare(measured)

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

The last two replace the rows of the trained network, at least 128 of them, drawn from the replica's seed.

If mixtures are as near to their nearest input as trained rows are, nearness shows no template. The rule, written
before any result was seen (Pearson, rows projected on the span, which is the kinder way to ask):

    a reading is supported        if the 95 % intervals over at least 3 seeds of [similarity − the strongest null of
                                  the seed] and of the similarity lie above 0 and above 0.5
    a reading is not supported    if one of these intervals lies wholly below
    the verdict on a layer is     supported if one of the three readings is; not supported if all three are
                                  not supported; else undecided

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
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import MinLen

from seedscope.drawing import Drawing
from seedscope.files.errors import SeedscopeError, SettingError, did_you_mean
from seedscope.lenses import Network, Replica, require_dense_end, require_one_run, require_training
from seedscope.lenses.templates.evidence import NULLS, OTHERS, PARTS, READINGS, ROW_NULLS, look
from seedscope.lenses.templates.resemblance import MEASURES, mean_of
from seedscope.lenses.templates.winners import Pictures

if TYPE_CHECKING:
    import xarray as xr

    from seedscope.lenses.comparison import Comparison

_JUDGED = {"version": "in_span", "measure": "pearson"}
_FRAMES = 7
_PROBE = 2000


@dataclass(frozen=True)
class Templates:
    """The lens.

    Attributes:
        layers: the dense layers that are looked at, each with the layer whose activations it takes.
        head: the layer that gives the logits.
    """

    layers: Annotated[Mapping[str, str], MinLen(1)]
    head: str

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

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return what the module's formulas name; variables of a layer start with its name.

        ``<layer>_reading`` (frame, version, measure, reading), ``<layer>_null`` (null, measure, reading),
        ``<layer>_weight`` (unit, input), ``<layer>_nearest`` (measure, unit), and what the figures show.
        """
        import xarray as xr

        if replica.frames is None:
            raise SeedscopeError(f"seed {replica.seed} has no frames of its training: run `dvc repro` to make them")
        chosen = _log_spaced(replica.frames.step.values, _FRAMES)
        variables: dict[str, Any] = {}
        pictures = Pictures.of(replica, _PROBE)
        for layer, source in self.layers.items():
            found = look(replica, pictures, layer, source, chosen, is_head=layer == self.head)
            variables |= {f"{layer}_{name}": value for name, value in found.items()}
        _, first = np.unique(pictures.probe_label, return_index=True)
        return xr.Dataset(
            {**variables, "exhibit_label": ("exhibit", pictures.probe_label[first])},
            coords={
                "exhibit": pictures.sample[first],
                "step": ("frame", replica.frames.step.values[chosen]),
                "epoch": ("frame", replica.frames.epoch.values[chosen]),
                "measure": list(MEASURES),
                "version": ["in_span", "whole"],
                "reading": [*READINGS, *OTHERS],
                "null": list(NULLS),
                "row_null": list(ROW_NULLS),
                "gauge": ["raw", "centred"],
                "part": list(PARTS),
                "by": ["product", "product_and_bias"],
            },
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "layers": list(self.layers),
                "sources": list(self.layers.values()),
                "head": self.head,
                "class_names": list(replica.class_names),
            },
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return, of each layer, the readings beside their strongest null, the span, and the argument's steps."""
        summary: dict[str, float] = {}
        for layer in self.layers:
            last = measured[f"{layer}_reading"].isel(frame=-1)
            for reading in READINGS:
                value = float(last.sel(version="in_span", measure="pearson", reading=reading))
                null = strongest_null(measured, layer, reading)
                summary[f"{layer}_{reading}"] = value
                summary[f"{layer}_{reading}_by_chance"] = null
                summary[f"{layer}_{reading}_excess"] = value - null
            curve = measured[f"{layer}_reading"].sel({**_JUDGED, "reading": "nearest"}).values
            peak = int(np.argmax(np.nan_to_num(curve, nan=-np.inf)))
            summary[f"{layer}_nearest_at_its_peak"] = float(curve[peak])
            summary[f"{layer}_nearest_peak_epoch"] = float(measured.epoch[peak]) if np.isfinite(curve[peak]) else np.nan
            summary[f"{layer}_nearest_of_a_probe_input"] = float(
                measured[f"{layer}_probe_nearest"].sel(measure="pearson")
            )
            summary[f"{layer}_templates"] = float(mean_of(measured[f"{layer}_template"].values))
            outside = measured[f"{layer}_outside"].values
            summary[f"{layer}_input_rank"] = float(measured[f"{layer}_rank"][-1])
            summary[f"{layer}_outside_span_at_start"] = float(outside[0])
            summary[f"{layer}_outside_span"] = float(outside[-1])
            agreement = measured[f"{layer}_agreement"].isel(frame=-1, chance=0)
            summary[f"{layer}_winner_is_cosine_winner"] = float(agreement.sel(by="product"))
            summary[f"{layer}_biased_winner_is_cosine_winner"] = float(agreement.sel(by="product_and_bias"))
            size = measured[f"{layer}_products"].sel(part="size", gauge="raw").values
            summary[f"{layer}_losers_size_at_start"] = float(size[0])
            summary[f"{layer}_losers_size"] = float(size[-1])
            summary[f"{layer}_units_that_never_win"] = float((measured[f"{layer}_wins"] == 0).sum())
            summary[f"{layer}_units_not_live"] = float((~measured[f"{layer}_live"]).sum())
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield, of each layer, winners beside inputs, all rows, nearest inputs, readings and steps over frames."""
        from seedscope.lenses.templates import drawing

        measured = measured.load()
        for layer, source in self.layers.items():
            yield drawing.winners(measured, layer, source)
            yield drawing.rows(measured, layer, source)
            yield drawing.nearest(measured, layer)
            yield drawing.readings(measured, layer)
            yield drawing.steps(measured, layer)

    def compare(self, measured: Mapping[int, xr.Dataset]) -> Comparison:
        """Give the verdict on each layer, with the numbers and the curves of every seed that it stands on."""
        from seedscope.lenses.templates.across import compare

        return compare([measured[seed].load() for seed in sorted(measured)], list(self.layers))


def _log_spaced(step: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of at most ``count`` steps, ascending: the first, and the nearest to log-spaced ones."""
    size = np.log(np.maximum(step, 1))
    wanted = np.linspace(size[min(1, len(size) - 1)], size[-1], count - 1)
    later = np.abs(size[1:, None] - wanted).argmin(0) + 1 if len(step) > 1 else []
    return np.unique([0, *later])


def strongest_null(measured: xr.Dataset, layer: str, reading: str) -> float:
    """Return the largest null of a reading as it is judged; NaN where there is none."""
    values = measured[f"{layer}_null"].sel(measure="pearson", reading=reading).values
    return float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")

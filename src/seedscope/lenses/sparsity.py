"""Do fewer channels answer, the deeper the layer: is deeper sparser?

    silent[l, s] = share of the channels c of layer l with map_l[s, c, y, x] = 0 for all y, x
    zeros[l, s]  = share of 0 among all map_l[s, c, y, x]
    dead[l]      = share of the channels that are silent for every probe picture
    silent_live[l, s], zeros_live[l, s]      the same two of the channels that are not dead; no value where all are

for the maps of a layer, after its ReLU where it has one, and the pictures s. A layer's number is the mean over
pictures; from the first layer looked at to the last

    step = number of the last layer − number of the first

"Deeper is sparser" asks for steps above 0, also of the channels that live: a dead channel answers to nothing and tells
of no code, yet is part of ``silent`` and ``zeros``. silent = dead + (1 − dead) · silent_live, and so for the zeros.

A larger field, a negative bias or a narrow map can make a step before anything is learned, so the null of every number
is that of the same network **before its first step** (frame 0), which goes through the same procedure, its own dead
channels included, and its gain is what training added. Weights that are given have no such frame.

Pictures: up to 60 of the probe pictures, classes balanced. A channel that all of these leave silent may answer to
others, so dead is said of all probe pictures; of large ones, of as many as hold 2.5 million pixels, but 60.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import MinLen

from seedscope.figures import Above, Axis, Facts, Grid, Panel, Sheet
from seedscope.figures.over import BEFORE_AND_AFTER, before_and_after, in_words
from seedscope.formulas.intervals import mean_interval
from seedscope.lenses import Network, Replica, require_channels
from seedscope.lenses.comparison import Comparison

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from seedscope.lenses.answers import Answers

_MEASURES = {
    "silent": "silent channels (share)",
    "dead": "dead channels (share)",
    "silent_live": "silent among those not dead (share)",
    "zeros": "zeros among all places (share)",
    "zeros_live": "zeros where channels are not dead (share)",
}
_PICTURES = 60
_PIXELS = 2_500_000  # of the pictures of which dead is said

Values = Mapping[tuple[str, str], np.ndarray]
"""(layer, …) of each network and measure."""


@dataclass(frozen=True)
class Sparsity:
    """The lens.

    Attributes:
        layers: the layers to look at, from the picture on, each with an output (channel, y, x).
    """

    layers: Annotated[Sequence[str], MinLen(1)]

    @property
    def shares(self) -> tuple[str, ...]:
        """All numbers of a layer; the steps from one to another are differences."""
        return tuple(f"{layer}_{name}{null}" for layer in self.layers for name in _MEASURES for null in ("", "_null_*"))

    def check(self, network: Network) -> None:
        """Refuse a layer that is not there, or that has no maps."""
        require_channels(network, self.layers)

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return ``silent``, ``zeros`` and both ``…_live``, (network, layer, sample), and ``dead`` (network, layer)."""
        import xarray as xr

        from seedscope.data import balanced
        from seedscope.lenses.answers import answers

        label, pixels = replica.probe.label.values, math.prod(replica.probe.image.shape[2:])
        chosen = balanced(label, _PICTURES)
        more = np.setdiff1d(balanced(label, max(_PICTURES, _PIXELS // pixels)), chosen)
        samples = replica.probe.sample.values[chosen]
        frames = {"trained": None} | ({} if replica.frames is None else {"untrained": 0})
        found = [
            _sparsity(answers(replica, self.layers, frame), np.concatenate([chosen, more]), len(chosen))
            for frame in frames.values()
        ]
        dims = ("network", "layer", "sample")
        return xr.Dataset(
            {name: (dims[: 2 if name == "dead" else 3], np.stack([one[name] for one in found])) for name in _MEASURES},
            coords={
                "network": list(frames),
                "layer": list(self.layers),
                "sample": samples,
            },
            attrs={"experiment": replica.experiment, "seed": replica.seed},
        )

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return each layer's means over pictures and the steps from first to last layer, with nulls and gains."""
        summary: dict[str, float] = {}
        for name in _MEASURES:
            trained = _numbers(measured[name].sel(network="trained"))
            summary |= {f"{of}_{name}": value for of, value in trained.items()}
            if "untrained" in measured.network:
                null = _numbers(measured[name].sel(network="untrained"))
                summary |= {f"{of}_{name}_null_untrained": value for of, value in null.items()}
                summary |= {f"{of}_{name}_gain_untrained": trained[of] - null[of] for of in trained}
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Sheet]:
        """Yield the share of silent channels and of zeros by layer, with intervals over pictures."""
        values = {key: _of_pictures(measured[key[1]].sel(network=key[0])) for key in _keys(measured)}
        networks = "grey: untrained, blue: trained; a dot for each picture; " if "untrained" in measured.network else ""
        yield _by_layer(
            measured,
            values,
            f"{networks}bars: mean and 95 % interval over pictures",
            f"a dot is one of {measured.sizes['sample']} probe pictures; bars are mean and 95 % interval over these "
            "pictures, which says nothing of other seeds.",
            lines=False,
        )

    def compare(self, measured: xr.Dataset) -> Comparison:
        """Draw each seed's numbers by layer, with intervals over seeds; those of the scalars are made with all."""
        values = {
            (network, name): np.stack(
                [_of_pictures(measured[name].sel(seed=seed, network=network)).mean(-1) for seed in measured.seed], -1
            )
            for network, name in _keys(measured)
        }
        sheet = _by_layer(
            measured,
            values,
            BEFORE_AND_AFTER,
            "mean over probe pictures: each line is a seed, before training (grey) and after (blue), with mean and "
            "95 % interval over seeds. Where the interval of the step's change holds 0, training made no layer sparser "
            "than another that these seeds could show; where that is so without the dead channels, what deeper layers "
            "have more of is dead channels.",
            lines=True,
        )
        return Comparison({}, [sheet])


def _sparsity(answered: Mapping[str, Answers], pictures: np.ndarray, looked_at: int) -> dict[str, np.ndarray]:
    """Return the measures of the first pictures, (layer, sample) each; ``dead`` (layer) is said of all."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in _MEASURES}
    for of_layer in answered.values():
        places = math.prod(of_layer["shape"].tolist())
        zeros = places - of_layer["active"][pictures].astype(np.int64)  # (sample, channel)
        silent = zeros == places
        dead = silent.all(0)
        zeros, silent = zeros[:looked_at], silent[:looked_at]
        found["dead"].append(dead.mean())
        for which, kept in (("", np.ones_like(dead)), ("_live", ~dead)):
            nothing = np.full(len(zeros), np.nan)
            found[f"silent{which}"].append(silent[:, kept].mean(1) if kept.any() else nothing)
            found[f"zeros{which}"].append(zeros[:, kept].mean(1) / places if kept.any() else nothing)
    return {name: np.stack(parts) for name, parts in found.items()}


def _of_pictures(values: xr.DataArray) -> np.ndarray:
    """Return (layer, sample), of what belongs to no picture (layer, 1)."""
    return np.asarray(values.values if "sample" in values.dims else values.values[:, None])


def _numbers(measure: xr.DataArray) -> dict[str, float]:
    """Return each layer's mean over pictures, and the step from the first to the last."""
    layers = measure.layer.values.tolist()
    numbers = dict(zip(layers, _of_pictures(measure).mean(1).tolist(), strict=True))
    if len(layers) > 1:
        numbers[f"{layers[0]}_to_{layers[-1]}"] = numbers[layers[-1]] - numbers[layers[0]]
    return numbers


def _keys(measured: xr.Dataset) -> list[tuple[str, str]]:
    return [(str(network), name) for network in measured.network.values for name in _MEASURES]


def _by_layer(measured: xr.Dataset, values: Values, note: str, words: str, *, lines: bool) -> Sheet:
    """Show (layer, …) of each network and measure; ``words`` end the description."""
    layers = measured.layer.values.tolist()
    panels = [_panel(layers, values, name, lines) for name in _MEASURES]
    return Sheet(
        "sparsity",
        Facts.of(measured),
        "Is deeper sparser?",
        "Of each layer the share of channels that a picture leaves silent and of places with 0, of all channels and of "
        f"those that are not dead, and the share of dead ones, which no probe picture wakes; {words}",
        Above([Grid(panels[:3], 3, gap=0.3), Grid(panels[3:], 2, gap=0.3)]),
        _table(layers, values),
        note=note,
    )


def _panel(layers: list[str], values: Values, name: str, lines: bool) -> Panel:
    """Show one measure of each layer, before and after, and say how it changes from the first to the last."""
    after, before = values["trained", name], values.get(("untrained", name))
    step = ""
    if len(layers) > 1:
        step = f"{layers[0]} → {layers[-1]}: {in_words(after[-1] - after[0])}"
        if before is not None:
            step += f",\nless the untrained network's: {in_words(after[-1] - after[0] - before[-1] + before[0])}"
    rows = [row for one in (after, before) if one is not None for row in one]
    known = [row[np.isfinite(row)] for row in rows]
    largest = max(max(float(row.max(initial=0)), mean_interval(row).high or 0.0) for row in known)
    crowded = max(map(len, layers)) * len(layers) > 40  # their names would run into each other
    return Panel(
        before_and_after(layers, before, after, lines=lines),
        _MEASURES[name],
        Axis(step, range(len(layers)), layers, -0.5, len(layers) - 0.5, turned=45 if crowded else 0, size=9),
        Axis(low=0, high=min(1.02, max(0.05, 1.1 * largest))),
        width=max(3.6, 0.55 * len(layers)),
        height=2.5,
    )


def _table(layers: list[str], values: Values) -> pd.DataFrame:
    """Return the mean of each measure, network and layer."""
    import pandas as pd

    networks = [network for network in ("untrained", "trained") if (network, "silent") in values]
    rows = [
        (name, network, layer, float(row.mean()))
        for name in _MEASURES
        for network in networks
        for layer, row in zip(layers, values[network, name], strict=True)
    ]
    return pd.DataFrame(rows, columns=["measure", "network", "layer", "mean"])

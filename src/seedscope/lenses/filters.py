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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Gt, MinLen

from seedscope.drawing import Drawing
from seedscope.files.errors import SeedscopeError, SettingError, did_you_mean
from seedscope.lenses import Network, Replica, require_one_run

if TYPE_CHECKING:
    import torch
    import xarray as xr
    from torch import nn

_UNTRAINED = 0  # the frame before the first step


@dataclass(frozen=True)
class Climbed:
    """Where an ascent ended.

    Attributes:
        picture: (filter, channel, y, x).
        activation: (filter, step), from the start to the end; with jitter, that of the shifted picture between them.
        silent: (filter), whether no picture on the way raised it.
    """

    picture: torch.Tensor
    activation: torch.Tensor
    silent: torch.Tensor


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

    def measure(self, replica: Replica) -> xr.Dataset:
        """Return, of each layer, the pictures at the end, the activation on the way, and that of the probe pictures.

        ``<layer>_picture`` (<layer>_channel, channel, y, x), ``<layer>_activation`` (<layer>_channel, step),
        ``<layer>_silent`` (<layer>_channel), ``<layer>_probe`` (<layer>_channel): the largest activation that a probe
        picture reaches, ``<layer>_probe_sample`` which it is; of a dense layer <layer>_unit in place of
        <layer>_channel. ``<layer>_untrained_…``: the same at the first frame.
        """
        import xarray as xr

        n = replica.probe.sizes["sample"]
        chosen = np.linspace(0, n - 1, min(n, self.pictures or n)).round().astype(int)
        probe = replica.probe.isel(sample=chosen)
        with replica.network() as model:
            variables = self._look(model, probe, "")
        if replica.frames is not None:
            with replica.network(_UNTRAINED) as model:
                variables |= self._look(model, probe, "untrained_")
        return xr.Dataset(
            variables,
            attrs={
                "experiment": replica.experiment,
                "seed": replica.seed,
                "bounded": int(self.bounded),
                "probe_pictures": len(chosen),
            },
        )

    def _look(self, model: nn.Module, probe: xr.Dataset, which: str) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return the variables of one network, ``which`` in their names."""
        import torch

        from seedscope.activations.capture import activations, followed_by_relu

        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        count = probe.sizes["sample"]
        batches = (
            torch.from_numpy(probe.image[at : at + self.batch_size].values) for at in range(0, count, self.batch_size)
        )
        reached: dict[str, list[np.ndarray]] = {layer: [] for layer in self.layers}
        kind = dict.fromkeys(self.layers, "channel")
        for found in activations(model, self.layers, batches):
            for layer in self.layers:
                values = found[layer]
                if values.ndim == 2:
                    kind[layer], values = "unit", values[..., None, None]
                reached[layer].append(values.mean((2, 3)).numpy())
        shape = tuple(probe.image.shape[1:])
        rectified = followed_by_relu(model, self.layers, torch.zeros(1, *shape))
        start = self.start(shape)
        self._require_room(model, start)
        variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        for layer in self.layers:
            probed = np.concatenate(reached[layer])[:, : self.channels]
            climbed = self.climb_in_batches(model, layer, layer in rectified, range(probed.shape[1]), start)
            own, name = f"{layer}_{kind[layer]}", f"{layer}_{which}"
            variables[f"{name}picture"] = ((own, "channel", "y", "x"), climbed.picture.contiguous().numpy())
            variables[f"{name}activation"] = ((own, "step"), climbed.activation.numpy())
            variables[f"{name}silent"] = ((own,), climbed.silent.numpy())
            variables[f"{name}probe"] = ((own,), probed.max(0))
            variables[f"{name}probe_sample"] = ((own,), probe.sample.values[probed.argmax(0)])
        return variables

    def _require_room(self, model: nn.Module, start: torch.Tensor) -> None:
        """Refuse a ``size`` of which a layer can make nothing."""
        from seedscope.activations.capture import evaluating, output_of

        for layer in self.layers if self.size is not None else ():
            try:
                with evaluating(model):
                    output_of(model, layer, start[None])
            except RuntimeError as error:
                raise SeedscopeError(
                    f"lens filters: a picture of size {self.size} is too small for layer {layer!r}: set a larger size, "
                    "or null for that of the data set"
                ) from error

    def start(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the faint-noise picture (channel, y, x) for pictures of ``shape``: always the same."""
        import torch

        extent = shape[1:] if self.size is None else (self.size, self.size)
        noise = np.random.default_rng(0).standard_normal((shape[0], *extent), dtype=np.float32)
        picture = 0.5 + self.noise * noise
        return torch.from_numpy(np.clip(picture, 0, 1) if self.bounded else picture)

    def climb_in_batches(
        self, model: nn.Module, layer: str, rectified: bool, channels: Sequence[int], start: torch.Tensor
    ) -> Climbed:
        """Return what :meth:`climb` does, ``batch_size`` channels at a time."""
        import torch

        size = self.batch_size
        parts = [
            self.climb(model, layer, rectified, channels[first : first + size], start)
            for first in range(0, len(channels), size)
        ]
        return Climbed(
            torch.cat([part.picture for part in parts]),
            torch.cat([part.activation for part in parts]),
            torch.cat([part.silent for part in parts]),
        )

    def climb(
        self, model: nn.Module, layer: str, rectified: bool, channels: Sequence[int], start: torch.Tensor
    ) -> Climbed:
        """Ascend the mean activation of each of ``channels`` from ``start``, all of them in one batch.

        The pictures of a batch do not touch each other: one channel at a time gives the same.

        Args:
            model: in evaluation mode; no gradient of its parameters is computed where they ask for none.
            layer: its output is (sample, channel, y, x) or (sample, unit).
            rectified: whether a ReLU follows it, whose output is the activation.
            channels: of that output.
            start: (channel, y, x).
        """
        import torch

        from seedscope.activations.capture import narrowed, output_of

        rows = torch.arange(len(channels))
        shifts = np.random.default_rng(1).integers(-self.jitter, self.jitter + 1, (self.steps, 2))
        shifts[0] = 0  # the activation at the start is that of the noise as it is
        picture = start.expand(len(channels), *start.shape).contiguous(memory_format=torch.channels_last)
        activation = []
        moved = torch.zeros(len(channels), dtype=torch.bool)
        with narrowed(model, layer, channels) as few:
            chosen = rows if few else torch.as_tensor(channels)

            def answers(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                output = output_of(model, layer, x)
                own = output[rows, chosen].reshape(len(channels), -1)
                return own, own.relu() if rectified else own

            for down, right in shifts.tolist():
                shifted = picture.roll((down, right), (2, 3)).requires_grad_()
                with torch.enable_grad():
                    own, active = answers(shifted)
                    mean = active.mean(1)
                    raised = torch.where((active == 0).all(1), own.amax(1), mean)
                    (gradient,) = torch.autograd.grad(raised.sum(), shifted)
                activation.append(mean.detach())
                size = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
                moved |= size.flatten() > 0
                direction = (gradient / torch.where(size > 0, size, 1.0)).roll((-down, -right), (2, 3))
                picture = self._changed(picture, direction)
            with torch.no_grad():
                _, active = answers(picture)
        activation.append(active.mean(1))
        climbed = torch.stack(activation, 1)
        return Climbed(picture, climbed, ~moved | (rectified & (climbed == 0).all(1)))

    def _changed(self, picture: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        """Return the pictures after a step in a direction of size 1, or of size 0 for a silent channel."""
        if self.total_variation:
            direction = direction - self.total_variation * variation_gradient(picture)
        picture = picture + self.step_size * direction
        if self.blur:
            picture = blurred(picture, self.blur)
        return picture.clamp(0, 1) if self.bounded else picture

    def summarize(self, measured: xr.Dataset) -> dict[str, float]:
        """Return, of each layer, how many channels are silent, and how far the ascent goes.

        ``woken`` is how many answer to no probe picture and yet to the ascent's,
        ``above_probe`` is the share that ends above every probe picture, of those that the ascent or a probe picture
        raises. Of those that are not silent ``times_probe`` is the median of end ÷ best
        probe picture (of channels that answer to any; where no ReLU follows, 0 is no origin and a ratio says little),
        ``rises`` the share of steps that raise the activation.
        """
        summary = {}
        for layer in self.layers:
            silent = measured[f"{layer}_silent"].values
            woken = (measured[f"{layer}_probe"].values <= 0) & (measured[f"{layer}_activation"].values[:, -1] > 0)
            summary[f"{layer}_silent"] = float(silent.sum())
            summary[f"{layer}_woken"] = float((~silent & woken).sum())
            for which, ending in (("", ""), ("untrained_", "_untrained")):
                if f"{layer}_{which}silent" in measured:
                    numbers = _numbers(measured, f"{layer}_{which}")
                    summary |= {f"{layer}_{name}{ending}": value for name, value in numbers.items()}
        return summary

    def draw(self, measured: xr.Dataset) -> Iterator[Drawing]:
        """Yield, of each layer, the pictures, those of the untrained network, and how high they climbed."""
        from seedscope.drawing.filters import ascent_figure, filters_figure

        for layer in self.layers:
            yield filters_figure(measured, layer, trained=True)
            if f"{layer}_untrained_picture" in measured:
                yield filters_figure(measured, layer, trained=False)
            yield ascent_figure(measured, layer)


def _numbers(measured: xr.Dataset, name: str) -> dict[str, float]:
    live, of = ~measured[f"{name}silent"].values, raised(measured, name)
    activation, probe = measured[f"{name}activation"].values, measured[f"{name}probe"].values
    above = float((activation[of, -1] > probe[of]).mean()) if of.any() else float("nan")
    if not live.any():
        return {"above_probe": above, "times_probe": float("nan"), "rises": float("nan")}
    activation, probe = activation[live], probe[live]
    end, answering = activation[:, -1], probe > 0
    return {
        "above_probe": above,
        "times_probe": float(np.median(end[answering] / probe[answering])) if answering.any() else float("nan"),
        "rises": float((np.diff(activation, axis=1) > 0).mean()),
    }


def raised(measured: xr.Dataset, name: str) -> np.ndarray:
    """Return which channels the ascent or a probe picture raises; ``name`` begins the names of the variables."""
    silent: np.ndarray = measured[f"{name}silent"].values
    return ~silent | (measured[f"{name}probe"].values > 0)


def variation_gradient(picture: torch.Tensor) -> torch.Tensor:
    """Return the gradient of Σ |x[y + 1] − x[y]| + |x[x + 1] − x[x]|, shaped as the picture (…, y, x)."""
    import torch

    gradient = torch.zeros_like(picture)
    down, right = picture.diff(dim=-2).sign(), picture.diff(dim=-1).sign()
    gradient[..., 1:, :] += down
    gradient[..., :-1, :] -= down
    gradient[..., 1:] += right
    gradient[..., :-1] -= right
    return gradient


def blurred(picture: torch.Tensor, deviation: float) -> torch.Tensor:
    """Return (sample, channel, y, x) smoothed by a Gaussian, its border values continued outside."""
    import torch
    from torch.nn import functional

    reach = int(np.ceil(3 * deviation))
    weight = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=picture.dtype) / deviation) ** 2)
    weight /= weight.sum()
    flat = picture.flatten(0, 1)[:, None]
    padded = functional.pad(flat, (reach, reach, reach, reach), mode="replicate")
    smooth = functional.conv2d(functional.conv2d(padded, weight[None, None, :, None]), weight[None, None, None, :])
    return smooth.reshape(picture.shape).contiguous(memory_format=torch.channels_last)

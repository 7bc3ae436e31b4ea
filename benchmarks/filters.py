"""Filters by gradient ascent against a plain loop, on one core, in turn.

The plain loop is what a tutorial writes: one channel at a time, the layer read by a forward hook while the whole
network runs, contiguous layout, parameters that ask for gradients, ``loss.backward()``. A second one stops at the layer
by itself. The lens works in ``channels_last`` without gradients of weights, stops at the layer, computes no more
channels of the layer than it was asked for, and takes two pictures at a time (of 150×150 more would be slower). All
take the same steps from the same noise in the convolutions of VGG16's first three blocks with random weights: time
does not depend on them. That all find the same pictures is checked in float64 before anything is measured.

Nearly all time is spent in convolutions: forward, back to the input and, in the plain loop, back to the weights.
Leaving out the last alone makes 1.5 ×.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from benchmarks import Row, seconds
from seedscope.lenses.filters import Filters

_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256)  # 0: pooling
_LENS = Filters(["10"], channels=4, steps=10, size=150, batch_size=2)
_LAYERS = {"10": "conv3_1", "14": "conv3_3"}
_ROUNDS = 3


def network() -> nn.Sequential:
    """Return the convolutions, numbered as in torchvision's VGG16."""
    layers: list[nn.Module] = []
    depth = 3
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for width in _WIDTHS:
            if not width:
                layers.append(nn.MaxPool2d(2))
                continue
            convolution = nn.Conv2d(depth, width, 3, padding=1)
            nn.init.kaiming_normal_(convolution.weight)
            with torch.no_grad():  # kernels that sum to 0, and no bias: no channel is silent for faint noise on grey
                convolution.weight -= convolution.weight.mean((1, 2, 3), keepdim=True)
                convolution.bias.zero_()  # type: ignore[union-attr]  # there is one
            layers += [convolution, nn.ReLU()]
            depth = width
    return nn.Sequential(*layers).eval()


def plain_loop(model: nn.Sequential, lens: Filters, start: torch.Tensor, whole: bool) -> torch.Tensor:
    """Ascend channel after channel as a tutorial does; ``whole`` runs what follows the layer, too."""
    layer = int(lens.layers[0])
    run = model if whole else model[: layer + 1]
    seen: list[torch.Tensor] = []
    handle = model[layer].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    pictures = []
    for channel in range(lens.channels or 0):
        picture = start[None].clone().requires_grad_()
        for _ in range(lens.steps):
            seen.clear()
            run(picture)
            loss = seen[0][0, channel].relu().mean()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            with torch.no_grad():
                gradient = picture.grad
                assert gradient is not None
                picture += lens.step_size * gradient / gradient.square().mean().sqrt()
                picture.clamp_(0, 1)
                gradient.zero_()
        pictures.append(picture.detach()[0])
    handle.remove()
    return torch.stack(pictures)


def measure() -> list[Row]:
    """Return seconds per picture and step of all three, and the two ratios round by round, of both layers."""
    torch.set_num_threads(1)
    plain = network()
    quick = network().to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]  # torch's stub lacks it
    start = _LENS.ascent.start((3, 150, 150))

    def work(lens: Filters) -> torch.Tensor:
        return lens.ascent.climb_in_batches(quick, lens.layers[0], True, range(lens.channels or 0), start).picture

    rows = []
    for layer, called in _LAYERS.items():
        lens = replace(_LENS, layers=[layer])
        _require_the_same(replace(lens, steps=2), start.double())
        ours, whole, cut = [], [], []
        each = lens.steps * (lens.channels or 0)
        for _ in range(_ROUNDS):
            ours.append(seconds(lambda: work(lens)) / each)  # noqa: B023  # used within the round
            whole.append(seconds(lambda: plain_loop(plain, lens, start, True)) / each)  # noqa: B023
            cut.append(seconds(lambda: plain_loop(plain, lens, start, False)) / each)  # noqa: B023
        rows += [
            Row.of(f"filters of {called}, one core: a picture's step", ours, "s"),
            Row.of(f"filters of {called}, one core: a plain loop's step", whole, "s"),
            Row.of(
                f"filters of {called}: plain loop ÷ lens",
                [b / a for a, b in zip(ours, whole, strict=True)],
                "×",
                "≥ 1.8",
            ),
            Row.of(
                f"filters of {called}: plain loop that stops at the layer ÷ lens",
                [b / a for a, b in zip(ours, cut, strict=True)],
                "×",
            ),
        ]
    return rows


def _require_the_same(lens: Filters, start: torch.Tensor) -> None:
    """Stop where the two ways part; in float32 rounding alone may decide which pixel wins a pool."""
    model, channels = network().double().requires_grad_(False), range(lens.channels or 0)
    ours = lens.ascent.climb_in_batches(model, lens.layers[0], True, channels, start).picture.contiguous()
    model.requires_grad_(True)
    torch.testing.assert_close(ours, plain_loop(model, lens, start, False), rtol=0, atol=1e-9)

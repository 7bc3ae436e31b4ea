"""What can be stacked: found out before anything is trained, by trying.

    (a) two networks, stacked:              answers, gradients and buffers are those of each alone, but for rounding
    (b) copies of one, in all the places:   equal to the bit after some steps, and when they are evaluated

(a) refuses what ``vmap`` cannot run or runs otherwise, at once where the experiment is composed; (b), before each
training, refuses networks whose bits would depend on their place on the processor at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import torch
from torch import nn

from seedscope.files.errors import SettingError, in_one_line
from seedscope.replicas.determinism import deterministic
from seedscope.replicas.stack import Stack, StackedPictures, evaluate_stack
from seedscope.replicas.training import Training

_PLACES = 32  # numbers that torch's widest vector loop takes at once (two registers of 16)
_DROPS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_MOST = 32  # times as many places, on an accelerator
_VALUES = 2**28  # outputs of layers in one step: 1 GiB in float32, and about three times that with gradients and copies


def width(model: nn.Module, shape: Sequence[int], training: Training) -> int:
    """Return how many places the stacks of a network have.

    On a processor 32, the fewest that keep a seed's bits its own: wider stacks of tiny networks are up to 1.7 times
    faster, and leave more places empty. On an accelerator as many as fill it, from 32 to 1024, while the outputs of
    the layers in one step take no more than 1 GiB; of a network that has more than that already with 32 it is 32.

    Args:
        model: the network.
        shape: (channel, y, x) of a picture.
        training: how it is trained: its device and its batches count.
    """
    if training.resolved_device().type == "cpu":
        return _PLACES
    values = 0

    def count(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal values
        values += output.numel()

    hooks = [module.register_forward_hook(count) for module in model.modules() if not list(module.children())]
    with torch.no_grad():
        model.eval()(torch.zeros(1, *shape, dtype=next(model.parameters()).dtype))
    for hook in hooks:
        hook.remove()
    fit = _VALUES // max(1, values * training.batch_size * _PLACES)
    return _PLACES * int(min(_MOST, 2 ** math.floor(math.log2(max(1, fit)))))


def check_stackable(network: Callable[[], nn.Module], training: Training, shape: Sequence[int]) -> None:
    """Refuse a network that a stack would not train as it is trained alone.

    Two networks with other weights look at some noise and learn from it, stacked and each alone: answers, gradients
    and buffers must be the same but for rounding.

    Raises:
        SettingError: it draws at random, keeps numbers that are neither parameters nor buffers, does what ``vmap``
            cannot, or more than one thread is asked for.
    """
    if training.threads > 1:
        raise SettingError("threads", "with `stacked` it must be 1: several threads cut the stack between its seeds")
    with deterministic(1):
        alone = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            alone.append(network().train())
        drops = [name for name, module in alone[0].named_modules() if isinstance(module, _DROPS) and module.p > 0]
        if drops:
            raise SettingError(
                "stacked", f"the network has dropout ({', '.join(drops)}), whose draws would depend on who is stacked"
            )
        dtype = next(alone[0].parameters()).dtype
        image = torch.rand(4, 2, *shape, dtype=dtype)
        stack = Stack.of(alone, training.learning_rate)
        try:
            stacked = stack.logits(image)
            stacked.square().sum().backward()  # type: ignore[no-untyped-call]  # torch's own
        except RuntimeError as error:  # what vmap refuses, and what it cannot do
            raise SettingError("stacked", f"the network cannot be stacked: {in_one_line(error)}") from error
        for place, model in enumerate(alone):
            logits = model(image[:, place])
            logits.square().sum().backward()
            _require_same(stack.many, stacked[:, place], model, logits, place)


def _require_same(many: nn.Module, stacked: torch.Tensor, model: nn.Module, logits: torch.Tensor, place: int) -> None:
    pairs = {"its answers": (stacked.detach(), logits.detach(), float(logits.detach().abs().max()))}
    for name, buffer in model.named_buffers():
        if buffer.numel():
            pairs[name] = (many.get_buffer(name)[place], buffer, float(buffer.double().abs().max()))
    own = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    # Of all gradients: some are rounding alone, as that of a bias that batch norm takes away again.
    scale = max(float(gradient.abs().max()) for gradient in own.values())
    for name, gradient in own.items():
        pairs[f"the gradient of {name}"] = (_gradient(many, name)[place], gradient, scale)
    for what, (ours, theirs, size) in pairs.items():
        if not torch.allclose(ours.double(), theirs.double(), rtol=0, atol=1e-3 * size):
            raise SettingError(
                "stacked",
                f"a stack of this network does not do what the network does ({what}): what it keeps must be a "
                "parameter, or a buffer that is changed in place",
            )


def _gradient(many: nn.Module, name: str) -> torch.Tensor:
    parameter = many.get_parameter(name)
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def require_own_bits(
    model: nn.Module, training: Training, pictures: Mapping[str, StackedPictures], places: int
) -> None:
    """Refuse a network whose bits depend on its place: copies of it must stay equal in all places of a stack.

    They take a step on a batch of each size that occurs, and are evaluated.

    Args:
        model: the network.
        training: how it is trained.
        pictures: by split; all places are shown those of the first.
        places: of the stack.

    Raises:
        SettingError: some copy comes out otherwise than the first.
    """
    shown = {name: replace(part, start=torch.zeros_like(part.start)) for name, part in pictures.items()}
    stack = Stack.of([model] * places, training.learning_rate)
    stack.one.train()
    for batch in {len(batch): batch for batch in shown["train"].in_order(training.batch_size)}.values():
        with suppress(ValueError):  # batch norm of one picture: the training tells of it
            stack.step(*shown["train"].take(batch))
    found = {name: tensor.detach() for name, tensor in (*stack.many.named_parameters(), *stack.many.named_buffers())}
    for name, parameter in stack.many.named_parameters():
        # Adam's first step is nearly the sign of the gradient; the moments show its bits.
        found |= {f"{kind} of {name}": tensor for kind, tensor in stack.optimizer.state[parameter].items()}
        found.pop(f"step of {name}", None)  # one number for all places
    for name in ("validation", "probe"):
        if shown[name].count:
            loss, _ = evaluate_stack(stack, shown[name], training.batch_size)
            found[f"the {name} loss"] = torch.tensor(loss, dtype=torch.float64)
    for what, values in found.items():
        # NaN is equal to NaN here: a network that diverges is the training's to tell of.
        if not torch.allclose(values, values[:1].expand_as(values), rtol=0, atol=0, equal_nan=True):
            raise SettingError(
                "stacked",
                f"on this processor the bits of the network would depend on its place in the stack ({what}): "
                "train its seeds one by one",
            )

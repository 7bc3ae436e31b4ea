"""Read the activations of any module by name, and leave the network exactly as found.

A layer that is followed by a ReLU is read **after** it and before pooling: the tensor that the next layer sees is
the one that votes. Since max-pooling and the ReLU commute, this holds too for a network that pools first. Which
layers are followed by a ReLU is found by watching one forward pass (``torch.relu``, ``nn.ReLU``, ``clamp(min=0)``, in
place or not; through max-pooling, reshaping and dropout), not by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from seedscope.files.errors import SeedscopeError, did_you_mean

_RECTIFIERS = frozenset({"relu", "relu_"})
_CLAMPS = frozenset({"clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_min_"})
_COMMUTE = (
    *("max_pool", "adaptive_max_pool", "boolean_dispatch", "dropout", "feature_dropout"),
    *("flatten", "unflatten", "reshape", "view", "squeeze", "unsqueeze", "permute", "transpose", "contiguous", "clone"),
)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Put the network into evaluation mode without gradients; give every module's training flag back."""
    flags = {module: module.training for module in model.modules()}
    try:
        with torch.no_grad():
            yield model.eval()
    finally:
        for module, training in flags.items():
            module.training = training


@contextmanager
def hooked(model: nn.Module, layers: Iterable[str], seen: Callable[[str, torch.Tensor], None]) -> Iterator[None]:
    """Call ``seen(layer, output)`` whenever one of the named modules has run; remove the hooks at the end.

    Raises:
        SeedscopeError: there is no module of that name, or it does not return one tensor.
    """
    modules = dict(model.named_modules())
    handles = []

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def after(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if not isinstance(output, torch.Tensor):
                raise SeedscopeError(f"layer {name!r} returns {type(output).__name__}, not one tensor")
            seen(name, output)

        return after

    try:
        for name in layers:
            if name not in modules or not name:
                raise SeedscopeError(unknown_layer(name, modules))
            handles.append(modules[name].register_forward_hook(hook(name)))
        yield
    finally:
        for handle in handles:
            handle.remove()


class _ReachedError(Exception):
    """Ends a forward pass at the layer whose output it carries."""

    def __init__(self, output: torch.Tensor) -> None:
        super().__init__()
        self.output = output


def output_of(model: nn.Module, layer: str, batch: torch.Tensor) -> torch.Tensor:
    """Return what a layer answers to a batch, before a ReLU that follows it; nothing after the layer is computed.

    Gradients flow back to the batch. Of a layer that runs several times in one pass this is the first run.

    Raises:
        SeedscopeError: there is no such layer, or it did not run.
    """

    def stop(_layer: str, output: torch.Tensor) -> None:
        raise _ReachedError(output)

    try:
        with hooked(model, [layer], stop):
            model(batch.clone())  # as below
    except _ReachedError as reached:
        return reached.output
    raise SeedscopeError(f"layer {layer!r} did not run in the forward pass")


@contextmanager
def narrowed(model: nn.Module, layer: str, channels: Sequence[int]) -> Iterator[bool]:
    """Let a plain convolution or dense layer compute these of its channels only; give it its weights back.

    Yields whether it does: any other module goes on to compute all.
    """
    module = model.get_submodule(layer)
    # Subclasses and parametrized layers make their weights in ways of their own; their type is another.
    if type(module) not in (nn.Conv2d, nn.Linear) or getattr(module, "groups", 1) != 1:
        yield False
        return
    assert isinstance(module, nn.Conv2d | nn.Linear)
    weight, bias = module.weight, module.bias
    try:
        module.weight = nn.Parameter(weight[channels].detach(), requires_grad=False)
        if bias is not None:
            module.bias = nn.Parameter(bias[channels].detach(), requires_grad=False)
        yield True
    finally:
        module.weight, module.bias = weight, bias


def unknown_layer(name: str, known: Collection[str]) -> str:
    """Return the sentence that refuses a layer's name: the nearest one, or all there are."""
    return f"there is no layer {name!r}; {did_you_mean(name, [layer for layer in known if layer])}"


class _WatchReLU(TorchFunctionMode):
    """Marks the layers whose output reaches a ReLU through operations that commute with it."""

    def __init__(self) -> None:
        super().__init__()
        self.origins: dict[int, frozenset[str]] = {}
        self.rectified: set[str] = set()
        self._alive: list[torch.Tensor] = []  # ids stay unique only while their tensors live

    def mark(self, layer: str, output: torch.Tensor) -> None:
        self._tag(output, self.origins.get(id(output), frozenset()) | {layer})

    def marked(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor comes from a marked one, through operations that commute with a ReLU."""
        return bool(self.origins.get(id(tensor)))

    def forget(self) -> None:
        """Forget the tensors of one forward pass, so that they can be freed."""
        self.origins.clear()
        self._alive.clear()

    def _tag(self, tensor: torch.Tensor, layers: frozenset[str]) -> None:
        self.origins[id(tensor)] = layers
        self._alive.append(tensor)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name, options = getattr(func, "__name__", ""), dict(kwargs or {})
        layers = self.origins.get(id(args[0] if args else options.get("input")), frozenset())
        output = func(*args, **options)
        if _is_relu(name, args, options):
            self.rectified |= layers
        elif layers and name.startswith(_COMMUTE) and isinstance(output, torch.Tensor):
            self._tag(output, self.origins.get(id(output), frozenset()) | layers)
        return output


class _PassReLU(_WatchReLU):
    """Leaves out the ReLU behind a marked tensor that went through one already: it would change nothing."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = args[0] if args else (kwargs or {}).get("input")
        if self.origins.get(id(given)) and _is_relu(getattr(func, "__name__", ""), args, kwargs or {}):
            return given
        return super().__torch_function__(func, types, args, kwargs)


def _is_relu(name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
    return name in _RECTIFIERS or (name in _CLAMPS and _clamps_at_0(*args[1:], **options))


def _clamps_at_0(min: Any = None, max: Any = None, **_: Any) -> bool:  # torch's own names
    return isinstance(min, int | float) and min == 0 and max is None


def followed_by_relu(model: nn.Module, layers: Collection[str], example: torch.Tensor) -> frozenset[str]:
    """Return those of ``layers`` whose output goes into a ReLU; ``example`` is one batch of pictures."""
    watch = _WatchReLU()
    with evaluating(model), hooked(model, layers, watch.mark), watch:
        model(example.clone())  # a clone: a network may change its input in place
    return frozenset(watch.rectified)


def before_relu(model: nn.Module, layer: str, batches: Iterable[torch.Tensor]) -> list[torch.Tensor] | None:
    """Return what a layer gives to the ReLU that follows it, batch by batch; ``None`` where none does.

    With the pooling between the two, where the network pools first: the ReLU of it is what :func:`activations` returns.
    """
    batches = iter(batches)
    first = next(batches)
    if layer not in followed_by_relu(model, [layer], first[:1]):
        return None
    found: list[torch.Tensor] = []

    def keep(_name: str, output: torch.Tensor) -> None:
        found.append(output.clone())  # an in-place ReLU would change it

    with evaluating(model), hooked(model, [layer], keep):
        for batch in chain([first], batches):
            model(batch.clone())  # a network may change its input in place
    return found


@contextmanager
def differentiable_from(
    model: nn.Module, layers: Sequence[str], example: torch.Tensor
) -> Iterator[dict[str, torch.Tensor]]:
    """Let gradients be taken with respect to layers' activations, after their ReLU where they have one.

    Each forward pass while this is entered fills the mapping: by layer, the tensor that the rest of the network is
    computed from, the same that :func:`activations` returns. Convolution → pool → ReLU is run as convolution → ReLU →
    pool, which is the same function of the picture. The later ReLU is left out, since its gradient at 0 is not that of
    the layer behind it. In-place operations work on a copy. ``example`` is one batch of pictures.

    Raises:
        SeedscopeError: an unknown layer, one that runs several times in one pass, or one that the network also uses
            without its ReLU.
    """
    rectified = followed_by_relu(model, layers, example)
    with evaluating(model):
        unchanged = model(example)
    for layer in layers:
        with _branching(model, [layer], rectified) as found, evaluating(model), torch.enable_grad():
            moved = model(example).detach()
            if layer not in found:
                raise SeedscopeError(f"layer {layer!r} did not run in the forward pass")
            if not torch.allclose(moved, unchanged, rtol=1e-4, atol=1e-4 * float(unchanged.abs().max())):
                raise SeedscopeError(f"layer {layer!r} is used both with and without its ReLU: name a layer behind it")
    with _branching(model, layers, rectified) as found, evaluating(model), torch.enable_grad():
        yield found


@contextmanager
def _branching(model: nn.Module, layers: Sequence[str], rectified: frozenset[str]) -> Iterator[dict[str, torch.Tensor]]:
    """Let the network go on from the activations of ``layers``, and keep those of the last pass by layer."""
    passing = _PassReLU()
    found: dict[str, torch.Tensor] = {}

    def start(_module: nn.Module, _inputs: Any) -> None:
        found.clear()
        passing.forget()

    def branch(layer: str) -> Callable[[nn.Module, Any, torch.Tensor], torch.Tensor]:
        def after(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            if layer in found:
                raise SeedscopeError(f"layer {layer!r} runs several times in one forward pass: name one that runs once")
            # What comes from a layer behind its ReLU, as a pool does, is not below 0: its gradient at 0 would be lost.
            own = output.relu() if layer in rectified and not passing.marked(output) else output
            if not found or not own.requires_grad:  # none of the other layers stands before it
                own = own.detach().requires_grad_()
            found[layer] = own
            onward = own.clone()  # an in-place operation may follow, which a leaf refuses
            if layer in rectified:
                passing.mark(layer, onward)
            return onward

        return after

    modules = dict(model.named_modules())
    handles = [model.register_forward_pre_hook(start)]
    handles += [modules[layer].register_forward_hook(branch(layer)) for layer in layers]
    try:
        with passing:
            yield found
    finally:
        for handle in handles:
            handle.remove()


def layer_shapes(model: nn.Module, example: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """Return the shape of one sample's output by layer name, and of the logits under ``logit``.

    Modules that return something else than one tensor, or that did not run, are left out.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    names = [name for name, _ in model.named_modules() if name]
    handles = [
        module.register_forward_hook(
            lambda _m, _i, output, name=name: (
                shapes.__setitem__(name, tuple(output.shape[1:])) if isinstance(output, torch.Tensor) else None
            )
        )
        for name, module in model.named_modules()
        if name in names
    ]
    try:
        with evaluating(model):
            shapes["logit"] = tuple(model(example).shape[1:])
    finally:
        for handle in handles:
            handle.remove()
    return {name: shapes[name] for name in [*names, "logit"] if name in shapes}


def repeated_layers(model: nn.Module, example: torch.Tensor) -> frozenset[str]:
    """Return the layers that run several times in one forward pass: such a layer has no one output."""
    runs = {name: 0 for name, _ in model.named_modules() if name}

    def count(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def after(_module: nn.Module, _inputs: Any, _output: Any) -> None:
            runs[name] += 1

        return after

    handles = [module.register_forward_hook(count(name)) for name, module in model.named_modules() if name]
    try:
        with evaluating(model):
            model(example.clone())  # a network may change its input in place
    finally:
        for handle in handles:
            handle.remove()
    return frozenset(name for name, times in runs.items() if times > 1)


def untrained_layers(model: nn.Module, layers: Collection[str], example: torch.Tensor) -> frozenset[str]:
    """Return those of ``layers`` that training cannot change: no parameter that is learned stands before or in them.

    A network with buffers, such as running means, has none: whether they reach a layer is not seen.
    """
    if next(model.buffers(), None) is not None:
        return frozenset()
    changed: set[str] = set()

    def watch(name: str, output: torch.Tensor) -> None:
        if output.requires_grad:
            changed.add(name)

    with evaluating(model), hooked(model, layers, watch), torch.enable_grad():
        model(example)
    return frozenset(layers) - changed


def activations(
    model: nn.Module, layers: Collection[str], batches: Iterable[torch.Tensor]
) -> Iterator[dict[str, torch.Tensor]]:
    """Yield, batch by batch, the output of each layer (after its ReLU where it has one), and ``logit``.

    Raises:
        SeedscopeError: an unknown layer, or one that runs several times in one pass (each run would be another
            layer's answer: name a module that runs once).
    """
    rectified: frozenset[str] | None = None
    captured: dict[str, torch.Tensor] = {}

    def keep(name: str, output: torch.Tensor) -> None:
        if name in captured:
            raise SeedscopeError(f"layer {name!r} runs several times in one forward pass: name one that runs once")
        assert rectified is not None
        # A copy: an in-place ReLU would change what the hook saw.
        captured[name] = output.relu() if name in rectified else output.clone()

    for batch in batches:
        if rectified is None:
            rectified = followed_by_relu(model, layers, batch[:1])
        captured.clear()
        with evaluating(model), hooked(model, layers, keep):
            logit = model(batch.clone())  # as above
        missing = [name for name in layers if name not in captured]
        if missing:
            raise SeedscopeError(f"layer {missing[0]!r} did not run in the forward pass")
        yield {**captured, "logit": logit}

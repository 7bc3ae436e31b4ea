"""Refuse settings that cannot work, before anything runs: each with its key, its file and the nearest valid name.

A component's settings are held against the signature of its ``_target_`` (names, types, bounds), then against
each other (what its constructor refuses), then against the network: one blank picture runs through it, and every
layer, unit and lens is checked against the shapes that come out.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_type_hints

from seedscope.components import build, find
from seedscope.errors import SeedscopeError, SettingError, did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

    from seedscope.compose import Composed


def validate(composed: Composed) -> None:
    """Check the whole of one experiment; raise the first mistake."""
    for section in ("data", "model", "train", "dump", "engine"):
        validate_settings(composed, section)
    for lens in composed.settings["lenses"]:
        validate_settings(composed, "lenses", lens)
    _validate_network(composed)


def validate_settings(composed: Composed, *place: str) -> None:
    """Hold one component's settings against the signature of its ``_target_``, then construct it."""
    from pydantic import ValidationError

    spec: Any = composed.settings
    for key in place:
        spec = spec[key]
    settings = {key: value for key, value in spec.items() if key != "_target_"}
    try:
        target = find(spec["_target_"])
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where(*place, '_target_')}: {error}") from error
    model = _arguments(target)
    try:
        model.model_validate_json(json.dumps(settings))
    except ValidationError as error:
        raise SeedscopeError(_sentence(composed, place, spec, model, error)) from error
    if place[0] != "model":  # a network is constructed once, where it is looked at
        _construct(composed, place, spec)


def _construct(composed: Composed, place: tuple[str, ...], spec: Mapping[str, Any]) -> Any:
    try:
        return build(spec)
    except SettingError as error:
        raise SeedscopeError(f"{composed.where(*place, error.key)}: {error.problem}") from error
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where(*place)}: {error}") from error


def _arguments(target: Any) -> type[BaseModel]:
    """Return a model with one field per parameter of the target; unannotated parameters take anything."""
    from pydantic import ConfigDict, create_model

    hints = get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)
    fields: dict[str, Any] = {}
    extra = "forbid"
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[name] = (hints.get(name, Any), default)
    config = ConfigDict(extra=extra, strict=True, arbitrary_types_allowed=True, protected_namespaces=())  # type: ignore[typeddict-item]  # one of its literals
    return create_model("Arguments", __config__=config, **fields)


def _sentence(
    composed: Composed,
    place: tuple[str, ...],
    spec: Mapping[str, Any],
    model: type[BaseModel],
    error: Any,
) -> str:
    """Put the first of pydantic's findings into words."""
    finding = error.errors()[0]
    path: list[str] = []
    value: Any = spec
    for step in finding["loc"]:  # for a union pydantic adds the branch it tried: that is no key of ours
        if isinstance(value, dict) and step in value:
            path.append(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            pass
        else:
            break
        value = value[step]
    if finding["type"] == "missing":
        return f"{composed.where(*place)}: {finding['loc'][-1]!r} is missing"
    where = composed.where(*place, *path)
    if finding["type"] == "extra_forbidden":
        return f"{where}: {spec['_target_']} takes no {path[-1]!r}; {did_you_mean(path[-1], list(model.model_fields))}"
    message = finding["msg"][0].lower() + finding["msg"][1:]
    return f"{where}: {message}, not {value!r}"


def _validate_network(composed: Composed) -> None:
    import torch

    from seedscope.capture import followed_by_relu, layer_shapes, unknown_layer
    from seedscope.lenses import Network

    settings = composed.settings
    source, dump = build(settings["data"]), build(settings["dump"])
    model = _construct(composed, ("model",), settings["model"])
    blank = torch.zeros(1, *source.shape)
    try:
        layers = layer_shapes(model, blank)
    except RuntimeError as error:
        raise SeedscopeError(
            f"{composed.where('model')}: the network does not take pictures of shape {tuple(source.shape)} "
            f"(channel, y, x): {str(error).splitlines()[0]}"
        ) from error
    n_classes = len(source.class_names)
    if layers["logit"] != (n_classes,) and not (layers["logit"] == (1,) and n_classes == 2):
        raise SeedscopeError(
            f"{composed.where('model')}: the network answers with shape {layers['logit']}, and the data set has "
            f"{n_classes} classes"
        )
    for layer in dump.layers:
        if layer not in layers or layer == "logit":
            raise SeedscopeError(f"{composed.where('dump', 'layers', layer)}: {unknown_layer(layer, layers)}")
    try:
        followed_by_relu(model, dump.layers, blank)
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where('dump', 'layers')}: {error}") from error
    weights = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    network = Network(layers, weights, dump.layers, n_classes)
    for name, spec in settings["lenses"].items():
        try:
            build(spec).check(network)
        except SettingError as error:
            raise SeedscopeError(f"{composed.where('lenses', name, error.key)}: {error.problem}") from error

"""Refuse settings that cannot work, before anything runs: each with its key, its file and the nearest valid name.

A component's settings are held against the signature of its ``_target_`` (names, types, bounds), then against
each other (what its constructor refuses), then against the network: one blank picture runs through it, and every
layer, unit and lens is checked against the shapes that come out.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_type_hints

from seedscope.files.components import build, find
from seedscope.files.errors import SeedscopeError, SettingError, did_you_mean, in_one_line
from seedscope.files.weights import shapes_of

if TYPE_CHECKING:
    from pydantic import BaseModel

    from seedscope.settings.said import Composed

# What the stages use of each component: a class of another kind in its place is refused.
_OFFERS = {
    "data": ("shape", "class_names", "inputs", "training", "probe"),
    "model": ("state_dict", "named_modules"),
    "weights": ("digest", "shapes", "tensors"),
    "train": ("epochs", "batch_size", "learning_rate", "vary", "stacked", "resolved_device", "environment"),
    "dump": ("layers", "exhibits_per_class", "batch_size"),
    "engine": ("folder", "outcomes"),
    "store": ("evict",),
    "lenses": ("check", "measure", "draw", "summarize"),
}


def validate(composed: Composed) -> None:
    """Check the whole of one experiment; raise the first mistake."""
    for section in ("data", "model", "weights", "train", "dump", "engine", "store"):
        if composed.settings[section] is not None:
            validate_settings(composed, section)
    for lens in composed.settings["lenses"]:
        validate_settings(composed, "lenses", lens)
    _validate_network(composed)


def validate_settings(composed: Composed, *place: str) -> None:
    """Hold one component's settings against the signature of its ``_target_``, then construct it."""
    from pydantic import ValidationError

    spec: Mapping[str, Any] = composed.at(*place)
    settings = {key: value for key, value in spec.items() if key != "_target_"}
    try:
        model = _arguments(find(spec["_target_"]))
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where(*place, '_target_')}: {error}") from error
    try:
        model.model_validate_json(json.dumps(settings))
    except ValidationError as error:
        raise SeedscopeError(_sentence(composed, place, spec, model, error)) from error
    if place[0] != "model":  # a network is constructed once, where it is looked at
        _construct(composed, *place)


def _construct(composed: Composed, *place: str) -> Any:
    """Return the component; what it refuses is told with its place, and so is a component of another kind."""
    spec = composed.at(*place)
    try:
        component = build(spec)
    except SettingError as error:
        raise SeedscopeError(f"{composed.where(*place, error.key)}: {error.problem}") from error
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where(*place)}: {error}") from error
    lacking = [name for name in _OFFERS[place[0]] if not hasattr(component, name)]
    if lacking:
        raise SeedscopeError(
            f"{composed.where(*place, '_target_')}: {spec['_target_']} cannot stand here: it has no {lacking[0]!r}"
        )
    return component


def _arguments(target: Any) -> type[BaseModel]:
    """Return a model with one field per parameter of the target; unannotated parameters take anything."""
    from pydantic import ConfigDict, Field, create_model

    try:
        hints = get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)
    except Exception:  # annotations that only a type checker can read are none here
        hints = {}
    fields: dict[str, Any] = {}
    extra = "forbid"
    for index, (name, parameter) in enumerate(inspect.signature(target).parameters.items()):
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            default = ... if parameter.default is parameter.empty else parameter.default
            # An alias: some names (copy, schema, _x) cannot be those of a field.
            fields[f"argument_{index}"] = (hints.get(name, Any), Field(default, alias=name))
    config = ConfigDict(extra=extra, strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)  # type: ignore[typeddict-item]  # one of its literals
    return create_model("Arguments", __config__=config, **fields)


def _sentence(
    composed: Composed,
    place: tuple[str, ...],
    spec: Mapping[str, Any],
    model: type[BaseModel],
    error: Any,
) -> str:
    """Put one of pydantic's findings into words: an unknown key first, for it may be why another is missing."""
    finding = min(error.errors(), key=lambda finding: finding["type"] != "extra_forbidden")
    path: list[str] = []
    value: Any = spec
    for step in finding["loc"]:  # for a union pydantic adds the branch it tried: that is no key of ours
        if isinstance(value, dict) and step in value:
            path.append(str(step))
        elif not (isinstance(value, list) and isinstance(step, int) and step < len(value)):
            break
        value = value[step]
    if finding["type"] == "missing":
        return f"{composed.where(*place)}: {finding['loc'][-1]!r} is missing"
    where = composed.where(*place, *path)
    if finding["type"] == "extra_forbidden":
        known = [str(field.alias) for field in model.model_fields.values()]
        refused = f"{where}: {spec['_target_']} takes no {path[-1]!r}"
        target = composed.where(*place, "_target_")
        file = where.partition(":")[0]
        folder = file.rpartition("/")[0]
        if folder not in ("", "conf", "conf/experiment") and not target.startswith(file):
            return (
                f"{refused}; {target} replaced the class that this file is for: give it a file of its own in {folder}"
            )
        return f"{refused}; {did_you_mean(path[-1], known)}"
    problem = finding["msg"]
    for theirs, ours in (("a valid array", "a list"), ("an object", "a block"), ("a valid integer", "a whole number")):
        problem = problem.replace(theirs, ours)
    return f"{where}: {problem[0].lower()}{problem[1:]}, not {value!r}"


def _validate_network(composed: Composed) -> None:
    import torch

    from seedscope.activations.capture import activations, layer_shapes, repeated_layers, unknown_layer
    from seedscope.data import VariedSource, is_labelled
    from seedscope.lenses import Network
    from seedscope.models.chain import gives_logits
    from seedscope.replicas.given import names_alone

    settings = composed.settings
    source, dump = build(settings["data"]), build(settings["dump"])
    if settings["train"] is None:
        with names_alone(settings["model"]):
            _construct(composed, "model")
        model = _filled(composed)
    else:
        model = _construct(composed, "model")
        training = build(settings["train"])
        try:
            training.resolved_device()
            training.check_head(model)
            training.check_frames(sum(tensor.nbytes for tensor in model.state_dict().values()))
        except SettingError as error:
            raise SeedscopeError(f"{composed.where('train', error.key)}: {error.problem}") from error
    blank = torch.zeros(1, *source.shape)
    try:
        layers = layer_shapes(model, blank)
    except Exception as error:  # whatever stands in a network of the user's
        raise SeedscopeError(
            f"{composed.where('model')}: the network fails on a picture of shape {tuple(source.shape)} "
            f"(channel, y, x): {in_one_line(error)}"
        ) from error
    labelled = is_labelled(source)
    if settings["train"] is not None:
        _validate_stacked(composed, source.shape)
    if settings["train"] is not None and not labelled:
        raise SeedscopeError(
            f"{composed.where('data')}: the data set does not say of which class its pictures are, so nothing can be "
            "learned from it: give weights instead, with `train: null`"
        )
    n_classes = len(source.class_names)
    if settings["train"] is None and not gives_logits(model, layers["logit"]):
        del layers["logit"]
    elif layers["logit"] != (n_classes,) and not (layers["logit"] == (1,) and n_classes == 2):
        raise SeedscopeError(
            f"{composed.where('model')}: the network answers with shape {layers['logit']}, and the data set has "
            f"{n_classes} classes"
        )
    inner = layers.keys() - {"logit"}
    for layer in dump.layers:
        if layer not in inner:
            raise SeedscopeError(f"{composed.where('dump', 'layers', layer)}: {unknown_layer(layer, sorted(inner))}")
    try:
        list(activations(model, dump.layers, [blank]))
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where('dump', 'layers')}: {error}") from error
    weights = shapes_of(model)
    network = Network(
        layers,
        weights,
        dump.layers,
        n_classes,
        varied=isinstance(source, VariedSource),
        labelled=labelled,
        trained=settings["train"] is not None,
        repeated=repeated_layers(model, blank),
    )
    for name, spec in settings["lenses"].items():
        try:
            build(spec).check(network)
        except SettingError as error:
            raise _refused(composed, name, composed.where("lenses", name, error.key), error.problem) from error
        except SeedscopeError as error:
            raise _refused(composed, name, composed.where("lenses", name), str(error)) from error


def _validate_stacked(composed: Composed, shape: Sequence[int]) -> None:
    """Refuse to stack a network that a stack would not train as it is trained alone."""
    training = build(composed.settings["train"])
    if not training.stacked:
        return
    from seedscope.replicas.stackable import check_stackable

    try:
        check_stackable(partial(build, composed.settings["model"]), training, shape)
    except SettingError as error:
        raise SeedscopeError(f"{composed.where('train', error.key)}: {error.problem}") from error


def _refused(composed: Composed, lens: str, where: str, problem: str) -> SeedscopeError:
    """Return what refuses a lens; the place that decides its setting may be one that several lenses share."""
    named = f"lenses.{lens}" in where and composed.name in where
    return SeedscopeError(f"{where}: {problem}" + ("" if named else f" (lens {lens} of experiment {composed.name})"))


def _filled(composed: Composed) -> Any:
    """Return the network as given weights leave it: cut where they end."""
    from seedscope.replicas.given import fitted

    try:
        shapes = build(composed.settings["weights"]).shapes()
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where('weights')}: {error}") from error
    try:
        return build(fitted(composed.settings["model"], shapes))
    except SeedscopeError as error:
        raise SeedscopeError(f"{composed.where('model')}: {error}") from error

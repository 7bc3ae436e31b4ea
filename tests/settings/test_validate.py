"""Settings that cannot work are refused before anything runs, each with its key and what would be right."""
# ruff: noqa: ARG002  # of the components below only the signatures matter

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Annotated, Any

import pytest
import torch
from annotated_types import Ge
from torch import nn

from seedscope.data.squares import Squares
from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.settings.said import Composed, Said
from seedscope.settings.validate import validate, validate_settings

if TYPE_CHECKING:
    from nowhere import OnlyForTheTypeChecker

FILE = "conf/experiment/toy.yaml"
HEAD = {"features": "fc1", "head": "fc2"}
TOY: dict[str, Any] = {
    "data": {"_target_": "seedscope.data.squares.Squares", "n_train": 9, "n_probe": 9, "size": 12, "side": 3},
    "model": {
        "_target_": "seedscope.models.convnet.ConvNet",
        "shape": [1, 12, 12],
        "classes": 9,
        "channels": [2],
        "hidden": [4],
    },
    "weights": None,
    "train": {"_target_": "seedscope.replicas.training.Training", "epochs": 1, "vary": ["weights"]},
    "dump": {"_target_": "seedscope.activations.dump.Dump", "layers": {"conv1": "exhibits", "fc1": "probe"}},
    "engine": {"_target_": "seedscope.replicas.mapping.Engine", "workers": None},
    "store": {"_target_": "seedscope.replicas.eviction.Eviction", "limit_gb": 10},
    "lenses": {
        "contribution": {"_target_": "seedscope.lenses.contribution.Contribution", **HEAD, "top": 4, "watch": [3]},
        "mistakes": {"_target_": "seedscope.lenses.mistakes.Mistakes", **HEAD},
    },
}


def composed(*path: str, value: Any = None) -> Composed:
    """Return the toy experiment, with ``value`` at ``path``."""
    settings = deepcopy(TOY)
    block = settings
    for key in path[:-1]:
        block = block[key]
    if path:
        block[path[-1]] = value
    return Composed("toy", settings, (Said(FILE, settings),))


def refusal(*path: str, value: Any) -> str:
    """Return the sentence that refuses ``value`` at ``path``, without the file's name."""
    with pytest.raises(SeedscopeError) as refused:
        validate(composed(*path, value=value))
    file, _, sentence = str(refused.value).partition(": ")
    assert file == FILE
    assert "\n" not in sentence
    return sentence


def here(name: str) -> str:
    return f"{__name__}.{name}"


def test_the_toy_experiment_is_right() -> None:
    validate(composed())


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("train.epochs", "eight", "train.epochs: input should be a whole number, not 'eight'"),
        ("train.epochs", 3.5, "train.epochs: input should be a whole number, not 3.5"),
        ("train.epochs", True, "train.epochs: input should be a whole number, not True"),
        ("train.epochs", None, "train.epochs: input should be a whole number, not None"),
        ("train.epochs", -1, "train.epochs: input should be greater than or equal to 0, not -1"),
        ("train.batch_size", 0, "train.batch_size: input should be greater than or equal to 1, not 0"),
        ("train.learning_rate", 0, "train.learning_rate: input should be greater than 0, not 0"),
        ("train.learning_rate", float("inf"), "train.learning_rate: input should be a finite number, not inf"),
        ("train.learning_rate", float("nan"), "train.learning_rate: input should be a finite number, not nan"),
        ("train.vary", ["weight"], "train.vary: input should be 'weights', 'order', 'draw' or 'head', not 'weight'"),
        ("train.streams", {"order": -1}, "train.streams.order: input should be greater than or equal to 0, not -1"),
        ("train.streams", {"head": 1}, "train.head: the stream 'head' is asked for, and the network has no layer ''"),
        ("train.vary", ["head"], "train.head: the stream 'head' is asked for, and the network has no layer ''"),
        ("train.device", "gpu", "train.device: input should be 'auto', 'cpu' or 'cuda', not 'gpu'"),
        ("train.threads", 0, "train.threads: input should be greater than or equal to 1, not 0"),
        ("model.hidden", 64, "model.hidden: input should be a list, not 64"),
        ("model.hidden", [64, "a"], "model.hidden: input should be a whole number, not 'a'"),
        ("model.hidden", [0], "model.hidden: input should be greater than or equal to 1, not 0"),
        ("model.shape", [1, 12], "model.shape: value should have at least 3 items"),
        ("data.polarity", "brigth", "data.polarity: input should be 'bright', 'dark' or 'both', not 'brigth'"),
        ("data.noise", -1, "data.noise: input should be greater than or equal to 0, not -1"),
        ("data.side", 13, "data.side: a square of 13 pixels does not fit a picture of 12"),
        ("data.grid", 12, "data.grid: some of 12 cells per axis hold no place of a 3-pixel square"),
        ("dump.layers", ["fc1"], "dump.layers: input should be a block, not ['fc1']"),
        ("dump.layers.fc1", "prob", "dump.layers.fc1: input should be 'probe' or 'exhibits', not 'prob'"),
        ("dump.batch_size", 0, "dump.batch_size: input should be greater than or equal to 1, not 0"),
        ("engine.workers", 0, "engine.workers: input should be greater than or equal to 1, not 0"),
        ("store.limit_gb", -1, "store.limit_gb: input should be greater than or equal to 0, not -1"),
        ("lenses.contribution.top", 0, "lenses.contribution.top: input should be greater than or equal to 1, not 0"),
        ("lenses.contribution.watch", [-1], "lenses.contribution.watch: input should be greater than or equal to 0"),
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_its_bounds_is_refused(path: str, value: Any, sentence: str) -> None:
    assert refusal(*path.split("."), value=value).startswith(sentence)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("train.learning_rate", 1),
        ("train.epochs", 0),
        ("train.vary", []),
        ("train.streams", {"order": 0}),
        ("data.noise", 0),
        ("engine.workers", 3),
    ],
)
def test_a_value_at_its_bound_passes(path: str, value: Any) -> None:
    validate(composed(*path.split("."), value=value))


@pytest.mark.parametrize(
    ("section", "key", "right"),
    [
        ("data", "n_trian", "n_train"),
        ("model", "hiden", "hidden"),
        ("train", "epoch", "epochs"),
        ("dump", "layer", "layers"),
        ("engine", "worker", "workers"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(section: str, key: str, right: str) -> None:
    sentence = refusal(section, key, value=1)
    assert sentence == f"{section}.{key}: {TOY[section]['_target_']} takes no {key!r}; did you mean {right!r}?"


def test_a_misspelt_key_is_told_rather_than_the_one_that_it_leaves_missing() -> None:
    model = {"_target_": "seedscope.models.convnet.ConvNet", "shape": [1, 12, 12], "clases": 9}
    assert refusal("model", value=model).endswith("takes no 'clases'; did you mean 'classes'?")


def test_a_missing_key_is_named() -> None:
    model = {"_target_": "seedscope.models.convnet.ConvNet", "shape": [1, 12, 12]}
    assert refusal("model", value=model) == "model: 'classes' is missing"


# --- against the network --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("data.size", 16, "model: the network fails on a picture of shape (1, 16, 16) (channel, y, x): RuntimeError: "),
        ("model.classes", 8, "model: the network answers with shape (8,), and the data set has 9 classes"),
        ("model.classes", 1, "model: the network answers with shape (1,), and the data set has 9 classes"),
        ("data.grid", 2, "model: the network answers with shape (9,), and the data set has 4 classes"),
        ("model.channels", [2, 2, 2, 2], "model.channels: a picture of (1, 12, 12) is too small for 4 blocks"),
        ("dump.layers.fc3", "probe", "dump.layers.fc3: there is no layer 'fc3'; did you mean 'fc2'?"),
        (
            "dump.layers.logit",
            "probe",
            "dump.layers.logit: there is no layer 'logit'; there are: conv1, fc1, fc2, pool1",
        ),
        ("dump.layers.fc1", "exhibits", "lenses.contribution.features: layer 'fc1' is not dumped for all probe"),
        ("lenses.mistakes.features", "fc9", "lenses.mistakes.features: there is no layer 'fc9'"),
        ("lenses.mistakes.head", "fc9", "lenses.mistakes.head: there is no layer 'fc9'"),
        ("lenses.mistakes.head", "fc1", "lenses.mistakes.head: layer 'fc1' is not a dense layer that gives the logits"),
        (
            "lenses.mistakes.features",
            "conv1",
            "lenses.mistakes.features: layer 'conv1' has 288 outputs and 'fc2' takes 4",
        ),
        ("lenses.contribution.top", 5, "lenses.contribution.top: 5 is out of range: 'fc1' has 4 units"),
        ("lenses.contribution.watch", [4], "lenses.contribution.watch: unit 4 is out of range: 'fc1' has units 0 to 3"),
    ],
)
def test_what_the_network_does_not_have_is_refused(path: str, value: Any, sentence: str) -> None:
    assert refusal(*path.split("."), value=value).startswith(sentence)


def test_one_logit_answers_for_two_classes() -> None:
    two = composed("data", value={"_target_": here("TwoClasses")})
    two.settings["model"]["classes"] = 1
    validate(two)


def test_asking_for_an_accelerator_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert refusal("train", "device", value="cuda").startswith("train.device: cuda was asked for and there is none")


# --- components of the user's ---------------------------------------------------------------------------------


class TwoClasses(Squares):
    @property
    def class_names(self) -> Sequence[str]:
        return ("here", "there")

    @property
    def shape(self) -> tuple[int, int, int]:
        return (1, 12, 12)


class Bare(nn.Module):
    """A network whose parts the tests below replace."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(144, 4), nn.Linear(4, 9)

    def forward(self, x: torch.Tensor) -> Any:
        return self.fc2(self.fc1(x.flatten(1)).relu())


class AnswersTwice(Bare):
    def forward(self, x: torch.Tensor) -> Any:
        return super().forward(x), x


class Fails(Bare):
    def forward(self, x: torch.Tensor) -> Any:
        raise ValueError("only\nat night")


class RunsALayerTwice(Bare):
    def forward(self, x: torch.Tensor) -> Any:
        self.fc1(x.flatten(1))
        return super().forward(x)


class CannotBeMade(Bare):
    def __init__(self) -> None:
        raise KeyError("weights")


class Named(Bare):
    """Names that a pydantic model keeps for itself, and an annotation that does not exist at run time."""

    def __init__(self, schema: Annotated[int, Ge(1)] = 1, copy: int = 1, _x: int = 1, model_config: int = 1) -> None:
        super().__init__()


class Unreadable(Bare):
    def __init__(self, what: OnlyForTheTypeChecker, width: int = 3) -> None:
        super().__init__()


class TakesAnything(Bare):
    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()


class Glance:
    def __init__(self, at: str = "") -> None:
        self.at = at

    def check(self, network: Any) -> None:
        if self.at:
            raise SettingError("at", f"{self.at} is no place")
        raise SeedscopeError("not on a Sunday")

    def measure(self, replica: Any) -> None: ...
    def draw(self, measured: Any) -> None: ...
    def summarize(self, measured: Any) -> None: ...


@pytest.mark.parametrize(
    ("section", "spec", "sentence"),
    [
        ("model", {"_target_": "AnswersTwice"}, "model: the network fails on a picture of shape (1, 12, 12)"),
        (
            "model",
            {"_target_": "Fails"},
            "model: the network fails on a picture of shape (1, 12, 12) (channel, y, x): V",
        ),
        ("model", {"_target_": "CannotBeMade"}, "model: HERE.CannotBeMade: KeyError: 'weights'"),
        (
            "model",
            {"_target_": "Named", "schema": 0},
            "model.schema: input should be greater than or equal to 1, not 0",
        ),
        ("model", {"_target_": "Named", "coyp": 0}, "model.coyp: HERE.Named takes no 'coyp'; did you mean 'copy'?"),
        ("model", {"_target_": "Unreadable"}, "model: 'what' is missing"),
        (
            "model",
            {"_target_": "TwoClasses"},
            "model._target_: HERE.TwoClasses cannot stand here: it has no 'state_dict'",
        ),
        ("model", {"_target_": "Bear"}, "model._target_: HERE has no class or function 'Bear'; did you mean 'Bare'?"),
        ("model", {"_target_": "FILE"}, "model._target_: HERE has no class or function 'FILE'; "),
        ("data", {"_target_": "Bare"}, "data._target_: HERE.Bare cannot stand here: it has no 'shape'"),
        ("train", {"_target_": "Bare"}, "train._target_: HERE.Bare cannot stand here: it has no 'epochs'"),
        ("dump", {"_target_": "Bare"}, "dump._target_: HERE.Bare cannot stand here: it has no 'layers'"),
        ("engine", {"_target_": "Bare"}, "engine._target_: HERE.Bare cannot stand here: it has no 'folder'"),
        ("lenses", {"a": {"_target_": "Bare"}}, "lenses.a._target_: HERE.Bare cannot stand here: it has no 'check'"),
        ("lenses", {"a": {"_target_": "Glance", "at": "x"}}, "lenses.a.at: x is no place"),
        ("lenses", {"a": {"_target_": "Glance"}}, "lenses.a: not on a Sunday"),
    ],
)
def test_a_component_of_the_users_that_cannot_work_is_refused(
    section: str, spec: dict[str, Any], sentence: str
) -> None:
    for one in spec.values() if section == "lenses" else [spec]:
        one["_target_"] = here(one["_target_"])
    assert refusal(section, value=spec).startswith(sentence.replace("HERE", __name__))


def test_a_network_that_cannot_be_stacked_is_refused_with_the_place_of_the_setting() -> None:
    toy = composed("train", "stacked", value=True)
    validate(toy)
    toy.settings["model"]["dropout"] = 0.5
    with pytest.raises(SeedscopeError, match=rf"^{FILE}: train\.stacked: the network has dropout \(dropout\), whose"):
        validate(toy)


def test_a_layer_that_runs_twice_is_refused_before_it_is_dumped() -> None:
    toy = composed("model", value={"_target_": here("RunsALayerTwice")})
    toy.settings["dump"]["layers"] = {"fc1": "probe"}
    with pytest.raises(SeedscopeError, match=r"dump\.layers: layer 'fc1' runs several times"):
        validate(toy)


@pytest.mark.parametrize(
    "settings",
    [
        {"_target_": "Named", "copy": 2},
        {"_target_": "Unreadable", "what": 1, "width": "3"},
        {"_target_": "TakesAnything", "a": 1},
    ],
)
def test_a_signature_that_says_little_takes_what_it_can(settings: Mapping[str, Any]) -> None:
    validate_settings(composed("model", value={**settings, "_target_": here(settings["_target_"])}), "model")

"""Every lens on every kind of network: it works from end to end, or says by name why not, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from seedscope.activations.capture import repeated_layers
from seedscope.activations.dump import dump_replica
from seedscope.data import pictures
from seedscope.data.generation import generate_data
from seedscope.files.components import build
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.names import GIVEN
from seedscope.files.weights import save_weights
from seedscope.looks.analysis import analyze_replica
from seedscope.replicas.given import place_weights
from seedscope.replicas.store import train_replica
from seedscope.settings.said import Composed, Said
from seedscope.settings.validate import validate

FILE = "conf/experiment/toy.yaml"


class Spots:
    """A bright spot in noise; its place is the class."""

    def __init__(self, classes: int = 3, channels: int = 1, labelled: bool = True):
        self.shape = (channels, 12, 12)
        self.labelled = labelled
        self.class_names = [f"place {k}" for k in range(classes)]
        self.inputs = ()

    def _make(self, n, split):
        rng = np.random.default_rng(len(split))
        label = np.arange(n) % max(1, len(self.class_names))
        image = rng.uniform(0, 0.4, (n, *self.shape)).astype(np.float32)
        for row, k in zip(image, label, strict=True):
            row[:, 4 * (k % 3) : 4 * (k % 3) + 3, 4:8] += 0.5
        return pictures(image, label if self.labelled else np.full(n, -1), split, top=4 * (label % 3))

    def training(self, _draw):
        return self._make(36 if self.labelled else 0, "train")

    def probe(self):
        return self._make(24, "probe")


class Fcn(nn.Module):
    """Convolutions only: a map per class, whose mean is the logit."""

    def __init__(self, classes: int = 3):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, classes, 1)

    def forward(self, x):
        return self.conv2(torch.relu(self.conv1(x))).mean((2, 3))


class Odd(nn.Module):
    """Stride, groups, 1×1, dilated and one-sided kernels, without bias; a map of a single place at the end."""

    def __init__(self, classes: int = 3):
        super().__init__()
        self.strided = nn.Conv2d(2, 4, 3, stride=2, bias=False)
        self.grouped = nn.Conv2d(4, 4, 3, groups=2, padding=1)
        self.point = nn.Conv2d(4, 6, 1)
        self.flat = nn.Conv2d(6, 6, (1, 3), dilation=(1, 2))
        self.single = nn.Conv2d(6, 5, (5, 1))
        self.head = nn.Linear(5, classes)

    def forward(self, x):
        for layer in (self.strided, self.grouped, self.point, self.flat):
            x = torch.relu(layer(x))
        return self.head(torch.relu(self.single(x)).flatten(1))


class Rows(nn.Module):
    """Convolutions along the rows of a picture, whose maps are (channel, x)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(12, 4, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(48, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(torch.relu(self.conv1(x[:, 0])).flatten(1))))


class Reused(nn.Module):
    """Convolution and ReLU used twice, batch norm, dropout."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.relu, self.twice = nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1)
        self.last, self.pool = nn.Conv2d(4, 4, 3, padding=1), nn.MaxPool2d(3)
        self.fc1, self.drop, self.fc2 = nn.Linear(64, 6), nn.Dropout(0.3), nn.Linear(6, 3)

    def forward(self, x):
        x = self.relu(self.stem(x))
        x = self.relu(self.twice(self.relu(self.twice(x))))
        x = self.pool(self.relu(self.last(x)))
        return self.fc2(self.drop(self.relu(self.fc1(x.flatten(1)))))


class Headless(nn.Module):
    """Maps and nothing behind them."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 3, 3)

    def forward(self, x):
        return self.conv2(torch.relu(self.conv1(x)))


CONVNET = "seedscope.models.convnet.ConvNet"
PERCEPTRON = "seedscope.models.perceptron.Perceptron"


def here(name: str) -> str:
    return f"{__name__}.{name}"


@dataclass(frozen=True)
class Case:
    """A network, the names that its lenses are given, and what it sees."""

    model: dict[str, Any]
    maps: tuple[str, ...] = ("conv1", "conv2")
    features: str = "fc1"
    head: str = "fc2"
    dense: tuple[str, ...] = ("fc1", "fc2")
    last: str = "pool2"
    data: tuple[tuple[str, Any], ...] = ()
    given: bool = False

    @property
    def source(self) -> dict[str, Any]:
        """The settings of the data set."""
        return {"_target_": here("Spots"), **dict(self.data)}

    @property
    def shape(self) -> tuple[int, ...]:
        """(channel, y, x) of its pictures."""
        return (dict(self.data).get("channels", 1), 12, 12)

    @property
    def layers(self) -> dict[str, str]:
        """The layers that are named, and for which pictures they are kept."""
        return {**dict.fromkeys(self.maps, "exhibits"), self.features: "probe"}


def convnet(classes: int = 3, **options: Any) -> dict[str, Any]:
    return {"_target_": CONVNET, "shape": [1, 12, 12], "classes": classes, "channels": [3, 4], "hidden": [6], **options}


CASES = {
    "convnet": Case(convnet()),
    "one logit": Case(convnet(1), data=(("classes", 2),)),
    "one class": Case(convnet(1), data=(("classes", 1),)),
    "one convolution": Case(convnet(channels=[3]), maps=("conv1",), last="pool1"),
    "no convolution": Case({"_target_": PERCEPTRON, "shape": [1, 12, 12], "classes": 3, "hidden": [6]}),
    "a single layer": Case(
        {"_target_": PERCEPTRON, "shape": [1, 12, 12], "classes": 3, "hidden": []},
        features="input",
        head="fc1",
        dense=("fc1",),
    ),
    "no dense head": Case({"_target_": here("Fcn")}, last="conv1"),
    "odd kernels": Case(
        {"_target_": here("Odd")},
        maps=("strided", "grouped", "point", "flat", "single"),
        features="single",
        head="head",
        dense=("head",),
        last="single",
        data=(("channels", 2),),
    ),
    "rows": Case({"_target_": here("Rows")}, maps=("conv1",), last="conv1"),
    "reused": Case({"_target_": here("Reused")}, maps=("stem.1", "last"), last="pool"),
    "a layer that is reused": Case({"_target_": here("Reused")}, maps=("stem.1", "twice"), last="twice"),
    "given": Case(convnet(), given=True),
    "given, no labels": Case(convnet(), given=True, data=(("labelled", False),)),
    "given, no logits": Case({"_target_": here("Headless")}, given=True, data=(("classes", 0), ("labelled", False))),
}


CONF = Path(__file__).resolve().parents[2] / "conf" / "lens"
SMALL = {"top": 2, "shown": 2, "pictures": 6, "steps": 4, "batch_size": 16}


def lenses(case: Case) -> dict[str, dict[str, Any]]:
    """Return every lens that there is, with the layers of this network where its file has those of others."""
    readout = {"features": case.features, "head": case.head}
    named = {
        ("conv1", "conv2"): list(case.maps),
        ("conv1", "conv2", "pool2"): list(case.maps),
        ("fc1", "fc2"): list(case.dense),
        ("fc1",): {case.head: case.features},
        "pool2": case.last,
    }
    found = {}
    for path in sorted(CONF.glob("*.yaml")):
        parts = {"readout": readout, "data": case.source, "lenses": {path.stem: OmegaConf.load(path)}}
        whole = OmegaConf.create(parts)
        settings: Any = OmegaConf.to_container(whole, resolve=True)["lenses"][path.stem]  # type: ignore[index,call-overload]
        for key, value in settings.items():
            known = value if isinstance(value, str) else tuple(value) if isinstance(value, list | dict) else None
            settings[key] = SMALL.get(key, named.get(known, value) if known else value)  # type: ignore[arg-type]
        found[path.stem] = settings
    return found


def settings_of(case: Case, kept: dict[str, Any]) -> dict[str, Any]:
    """Return a whole experiment with these lenses; of the layers that it names those are dumped that can be."""
    network = build(case.model)
    names = {name for name, _ in network.named_modules()} - repeated_layers(network, torch.zeros(1, *case.shape))
    layers = {name: which for name, which in case.layers.items() if name in {*names, "input"}}
    weights = {"_target_": "seedscope.replicas.given.GivenWeights", "file": "toy.safetensors"}
    train = {"_target_": "seedscope.replicas.training.Training", "epochs": 2, "batch_size": 9, "device": "cpu"}
    return {
        "experiment": "toy",
        "seeds": [GIVEN] if case.given else [0],
        "drawn": [GIVEN] if case.given else [0],
        "data": case.source,
        "model": case.model,
        "weights": weights if case.given else None,
        "train": None if case.given else train,
        "dump": {"_target_": "seedscope.activations.dump.Dump", "layers": layers, "exhibits_per_class": 2},
        "engine": {"_target_": "seedscope.replicas.mapping.Engine", "workers": 1},
        "store": {"_target_": "seedscope.replicas.eviction.Eviction", "limit_gb": 10},
        "lenses": kept,
        "inputs": {},
        "code": {"replica": {}, "analyze": {kind: {lens: {} for lens in kept} for kind in ("measure", "draw")}},
    }


NOT_VARIED = "the data set makes no pictures in which one thing changes at a time: give it `variations()`"
NO_LAYER = "the network has no layer with maps (channel, y, x), and so no"
NO_MAPS = f".layers: {NO_LAYER} 'conv1'"
NO_DENSE = "no dense layer gives the logits of this network, which this lens needs: take it out of the experiment"
NO_SQUARE = "the data set does not move one square over the picture, which this lens needs: take it out"
ONE_CLASS = "the data set has one class, so there is nothing to decide: take this lens out of the experiment"
TWICE = "layer 'twice' runs several times in one forward pass: name one that runs once"
UNTRAINED = "the network was not trained here, so there is no training to follow: take this lens out of the experiment"
NO_LABELS = "the data set does not say of which class its pictures are, which this lens needs: take it out"
NO_LOGITS = "the network gives no logits, which this lens needs: it ends with 'conv2'; take the lens out"
FLAT = ".layers: layer 'conv1' has no maps: its output is (4, 12), not (channel, y, x)"

ON_MAPS = ("feature_maps", "sparsity", "tuning", "words", "heat_maps", "evolution")
ON_VOTES = (
    "contribution",
    "ablation",
    "transplants",
    "alignment",
    "mistakes",
    "dominance",
    "variation",
    "evolution",
    "place_fields",
    "prototypes",
    "patterns",
)
ON_CHAINS = ("learning_rule", "teacher", "templates")
FOLLOWING = ("space", "evolution", "tuning", "alignment", *ON_CHAINS)


def each(lenses: tuple[str, ...], sentence: str) -> dict[str, str]:
    return dict.fromkeys(lenses, sentence)


# What does not apply, and the sentence that says so: it follows `lenses.<lens>`. Everything else applies.
REFUSED = {
    "convnet": {},
    "one logit": {},
    "one class": {
        **each((*ON_VOTES, *ON_CHAINS, "heat_maps", "places", "same_places", "agreement"), f": {ONE_CLASS}"),
        "top_classes": ".top: there are 1 classes",
    },
    "one convolution": {},
    "no convolution": {
        **each(ON_MAPS, NO_MAPS),
        "filters": ".layers: there is no layer 'conv1'; did you mean 'fc1'?",
        **each(("places", "same_places"), f".maps: {NO_LAYER} 'pool2'"),
    },
    "a single layer": {
        **each(ON_MAPS, NO_MAPS),
        "filters": ".layers: there is no layer 'conv1'; did you mean 'fc1'?",
        **each(("places", "same_places"), f".maps: {NO_LAYER} 'pool2'"),
        "teacher": ".layers: 'fc1' alone has no hidden layer before it: nothing is taught",
        **each(
            ("transplants", "alignment"), ".features: 'input' is the picture itself, which is the same in every seed"
        ),
    },
    "no dense head": {
        **each((*ON_VOTES, *ON_CHAINS, "places", "same_places"), f": {NO_DENSE}"),
        "space": ".features: there is no layer 'fc1' (layers: conv1, conv2, logit)",
    },
    "odd kernels": {
        "evolution": ".features: layer 'single' has maps: frames keep only their means over space",
        "teacher": ".layers: 'head' alone has no hidden layer before it: nothing is taught",
    },
    "rows": {
        **each(ON_MAPS, NO_MAPS),
        "filters": ".layers: layer 'conv1' has no channels: it gives (4, 12), neither (channel, y, x) nor (unit)",
        **each(("places", "same_places"), f".maps: {NO_LAYER} 'conv1'"),
    },
    "reused": {},
    "a layer that is reused": {
        **each((*ON_MAPS, "filters"), f".layers: {TWICE}"),
        **each(("places", "same_places"), f".maps: {TWICE}"),
    },
    "given": each(FOLLOWING, f": {UNTRAINED}"),
    "given, no labels": {
        **each(FOLLOWING, f": {UNTRAINED}"),
        **each(("space", "agreement", *ON_VOTES), f": {NO_LABELS}"),
    },
    "given, no logits": {
        **each(FOLLOWING, f": {UNTRAINED}"),
        **each((*ON_VOTES, "heat_maps", "places", "same_places", "agreement", "top_classes"), f": {NO_LOGITS}"),
        "space": ".features: there is no layer 'fc1' (layers: conv1, conv2)",
    },
}


ALWAYS = {"variation": f": {NOT_VARIED}", "place_fields": f": {NO_SQUARE}"}  # of the data set of all these cases


@pytest.fixture
def here_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_a_lens_applies_to_a_network_or_says_by_name_why_not(name: str, here_only: Path) -> None:
    case = CASES[name]
    if case.given:
        save_weights(build(case.model), here_only / "toy.safetensors")
    for lens, spec in lenses(case).items():
        settings = settings_of(case, {lens: spec})
        wanted = REFUSED[name].get(lens, ALWAYS.get(lens))
        try:
            validate(Composed("toy", settings, (Said(FILE, settings),)))
        except SeedscopeError as refused:
            said = str(refused)
        else:
            said = None
        if wanted is None:
            assert said is None, lens
        else:
            assert said is not None, lens
            assert said.startswith(f"{FILE}: lenses.{lens}{wanted}"), lens
            assert "\n" not in said


LOOKS_AT_PICTURES = (
    "feature_maps",
    "sparsity",
    "tuning",
    "words",
    "filters",
    "heat_maps",
    "places",
    "top_classes",
    "same_places",
    "agreement",
)


@pytest.mark.parametrize(
    "name",
    ["one class", "one convolution", "no dense head", "odd kernels", "reused", "given, no labels", "given, no logits"],
)
def test_a_lens_that_applies_gives_numbers_and_figures(name: str, here_only: Path) -> None:
    case = CASES[name]
    if case.given:
        save_weights(build(case.model), here_only / "toy.safetensors")
    looks = {lens: spec for lens, spec in lenses(case).items() if lens in LOOKS_AT_PICTURES}
    looks = {lens: spec for lens, spec in looks.items() if lens not in REFUSED[name]}
    experiment = Experiment("toy", settings_of(case, looks), here_only)
    (replica,) = experiment.replicas

    def report(_done: int, _total: int) -> None: ...

    generate_data(experiment)
    if case.given:
        place_weights(experiment, "data", replica, report)
    else:
        train_replica(experiment, "data", int(replica), report)
    dump_replica(experiment, replica, report)
    scalars = analyze_replica(experiment, replica, report).scalars
    for lens in looks:
        assert any(value is not None for value in scalars[lens].values()), lens
        assert list(experiment.at.figures(replica, lens).glob("*.png")), lens
    if not case.given:
        assert set(looks) >= {"feature_maps", "sparsity", "tuning", "filters"}


def given(
    here: Path, change: Callable[[nn.Module], None], **looks: dict[str, Any]
) -> dict[str, dict[str, float | None]]:
    """Put the convnet with changed weights through all stages, and return what the lenses saw of it."""
    case = CASES["given"]
    model = build(case.model)
    with torch.no_grad():
        change(model)
    save_weights(model, here / "toy.safetensors")
    kept = {lens: {**lenses(case)[lens], **settings} for lens, settings in looks.items()}
    experiment = Experiment("toy", settings_of(case, kept), here)
    generate_data(experiment)
    place_weights(experiment, "data", GIVEN, lambda _done, _total: None)
    dump_replica(experiment, GIVEN, lambda _done, _total: None)
    return analyze_replica(experiment, GIVEN, lambda _done, _total: None).scalars


def test_given_weights_that_are_no_numbers_are_named(here_only: Path) -> None:
    with pytest.raises(
        SeedscopeError, match=r"^toy\.safetensors: 'conv2\.weight' has values that are no numbers: give"
    ):
        given(here_only, lambda model: model.conv2.weight[0, 0].fill_(torch.nan), heat_maps={})


@pytest.mark.filterwarnings("error")
def test_weights_of_0_give_no_heat_no_filters_and_no_votes_and_never_nan_in_a_figure(here_only: Path) -> None:
    def zeros(model: nn.Module) -> None:
        for parameter in model.parameters():
            parameter.zero_()

    saw = given(here_only, zeros, filters={}, heat_maps={}, places={}, feature_maps={}, sparsity={})
    assert saw["filters"]["conv1_silent"] == 3
    assert saw["filters"]["conv1_above_probe"] is None
    assert saw["heat_maps"]["grad_cam_conv2_no_heat_logit"] == 1
    assert saw["places"]["places_for_80_percent"] is None
    assert saw["feature_maps"]["conv2_silent_channels"] == 4


def test_batches_beyond_all_pictures_take_no_memory_for_what_there_is_not(here_only: Path) -> None:
    huge: dict[str, Any] = {"batch_size": 10**9}
    once = given(here_only, lambda _: None, heat_maps=huge, places=huge, filters=huge)
    assert once["places"]["completeness_error"] is not None


def test_a_picture_too_small_for_a_layer_is_refused(here_only: Path) -> None:
    with pytest.raises(SeedscopeError, match=r"a picture of size 1 is too small for layer 'conv2': set a larger size"):
        given(here_only, lambda _: None, filters={"size": 1})
    given(here_only, lambda _: None, filters={"size": 2})

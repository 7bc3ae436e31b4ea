"""Files of given weights: where they are looked for, what is refused, and that they are downloaded once and checked."""

import hashlib
import http.server
import threading
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from seedscope.files.errors import SeedscopeError, SettingError
from seedscope.files.experiment import Experiment
from seedscope.files.names import GIVEN, folder_name, in_a_sentence, in_order, parsed, run_of
from seedscope.files.reading import read_json
from seedscope.files.weights import read_weights
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.given import GivenWeights, place_weights

MODEL = {"_target_": "seedscope.models.perceptron.Perceptron", "shape": [1, 2, 2], "classes": 3, "hidden": [4]}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("SEEDSCOPE_DATA", raising=False)
    return tmp_path


def toy(path, dtype=torch.float32):
    torch.manual_seed(0)
    weights = {name: tensor.to(dtype) for name, tensor in Perceptron((1, 2, 2), 3, (4,)).state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path)
    return weights


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_names_of_replicas():
    assert [folder_name(3), folder_name(GIVEN)] == ["seed-3", "given"]
    assert [in_a_sentence(3), in_a_sentence(np.int64(3)), in_a_sentence(GIVEN)] == ["seed 3", "seed 3", "given weights"]
    assert [run_of(3), run_of(GIVEN)] == ["seed=3", "given"]
    assert [parsed("3"), parsed("given")] == [3, GIVEN]
    assert sorted([10, GIVEN, 9], key=in_order) == [9, 10, GIVEN]


def test_a_file_is_looked_for_in_the_project_then_where_data_lies_then_in_the_cache(here, monkeypatch):
    monkeypatch.setenv("SEEDSCOPE_DATA", "data")
    weights = GivenWeights("toy.safetensors")
    with pytest.raises(SettingError, match=r"there is no file toy\.safetensors or data/toy\.safetensors or") as refused:
        weights.path()
    assert refused.value.key == "file"
    for folder in ("home/.cache/seedscope/weights", "data/weights", "data", "."):
        toy(here / folder / "toy.safetensors")
        assert weights.path().resolve() == (here / folder / "toy.safetensors").resolve()


def test_another_file_than_asked_for_is_refused(here):
    toy(here / "toy.safetensors")
    right = sha256(here / "toy.safetensors")
    assert GivenWeights("toy.safetensors").digest() == GivenWeights("toy.safetensors", right).digest() == right
    with pytest.raises(SettingError, match=f"is another file .SHA-256 {right[:12]}…, not 000000000000…"):
        GivenWeights("toy.safetensors", "0" * 64).digest()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"sha256": "abc"}, "sha256"),
        ({"mirrors": ["ftp://example.org/"], "sha256": "0" * 64}, "mirrors"),
        ({"mirrors": ["https://example.org/"]}, "sha256"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, key):
    with pytest.raises(SettingError) as refused:
        GivenWeights("toy.safetensors", **options)
    assert refused.value.key == key


def test_a_file_that_holds_no_weights_is_refused_in_one_sentence(here):
    (here / "toy.safetensors").write_bytes(b"no weights")
    with pytest.raises(SeedscopeError, match=r"cannot be read as weights \(.*\): a file in the safetensors format"):
        GivenWeights("toy.safetensors").shapes()


@pytest.fixture
def mirror(here):
    """Serve ``published/`` and count what is asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(f"{self.command} {self.path}")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(here / "published")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", asked
    server.shutdown()
    server.server_close()


def test_a_published_file_is_downloaded_once_and_named_before_that(here, mirror):
    address, asked = mirror
    toy(here / "published" / "toy.safetensors")
    weights = GivenWeights("toy.safetensors", sha256(here / "published" / "toy.safetensors"), [address])
    assert weights.digest() == weights.sha256
    assert asked == []
    for _ in range(2):
        assert weights.shapes()["fc2.bias"] == (3,)
    assert [one for one in asked if one.startswith("GET")] == ["GET /toy.safetensors"]
    assert (here / "home/.cache/seedscope/weights/toy.safetensors").is_file()


def test_wrong_bytes_and_dead_mirrors_are_named(here, mirror):
    address, _ = mirror
    toy(here / "published" / "toy.safetensors")
    with pytest.raises(SeedscopeError, match="it sent another file"):
        GivenWeights("toy.safetensors", "0" * 64, [address]).path()
    with pytest.raises(SeedscopeError, match="it answered 404"):
        GivenWeights("other.safetensors", "0" * 64, [address]).path()
    with pytest.raises(SeedscopeError, match="no connection"):
        GivenWeights("toy.safetensors", "0" * 64, ["http://127.0.0.1:9/"]).path()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_replica_holds_the_given_tensors_and_says_whose_they_are(here, dtype):
    weights = toy(here / "toy.safetensors", dtype)
    settings = {
        "model": MODEL,
        "weights": {"_target_": "seedscope.replicas.given.GivenWeights", "file": "toy.safetensors"},
        "code": {"replica": {"digest": "0"}},
    }
    experiment = Experiment("toy", settings, here)
    place_weights(experiment, "digest of the data", GIVEN, lambda _done, _total: None)
    kept = read_weights(experiment.at.model(GIVEN))
    for name, tensor in weights.items():
        np.testing.assert_array_equal(kept[name], tensor.float().numpy())
    identity = read_json(experiment.at.identity(GIVEN))
    assert identity["model"] == MODEL
    assert identity["weights"] == sha256(here / "toy.safetensors")
    before = experiment.at.identity(GIVEN).read_bytes(), experiment.at.model(GIVEN).read_bytes()
    place_weights(experiment, "digest of the data", GIVEN, lambda _done, _total: None)
    assert before == (experiment.at.identity(GIVEN).read_bytes(), experiment.at.model(GIVEN).read_bytes())

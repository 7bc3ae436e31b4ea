"""A replica is trained once: what determines it finds it again, and nothing else does."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from seedscope.activations.dump import dump_replica
from seedscope.data import assemble
from seedscope.files.arrays import read_dataset, write_dataset
from seedscope.files.digests import digest, digest_of
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.paths import PACKAGE_ROOT
from seedscope.files.reading import read_history, read_json
from seedscope.files.weights import read_weights
from seedscope.files.writing import write_text
from seedscope.lenses import Replica
from seedscope.replicas import store
from seedscope.replicas.mapping import Engine, Report, map_seeds
from seedscope.replicas.store import identity, train_replica
from seedscope.replicas.training import Training

FILES = ("model.safetensors", "history.csv", "frames.nc", "identity.json")
SETTINGS: dict[str, Any] = {
    "experiment": "toy",
    "seeds": [0, 1],
    "data": {"_target_": "seedscope.data.squares.Squares", "n_train": 63, "n_probe": 18, "size": 12, "side": 3},
    "model": {
        "_target_": "seedscope.models.convnet.ConvNet",
        "shape": [1, 12, 12],
        "classes": 9,
        "channels": [2, 3],
        "hidden": [4],
    },
    "train": {
        "_target_": "seedscope.replicas.training.Training",
        "epochs": 3,
        "batch_size": 16,
        "vary": ["weights", "order"],
        "device": "cpu",
    },
    "engine": {"_target_": "seedscope.replicas.mapping.Engine", "workers": 1},
    "dump": {"_target_": "seedscope.activations.dump.Dump", "layers": {}},
    "store": {"_target_": "seedscope.replicas.eviction.Eviction"},
    "lenses": {},
    "inputs": {},
    "code": {"replica": {"digest": "0"}, "train": {"digest": "1"}},
}


def quiet(_done: int, _total: int) -> None:
    """Report to nobody."""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """A small experiment with its data set made, in a folder of its own."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    experiment = Experiment("toy", deepcopy(SETTINGS), tmp_path)
    write_text(experiment.at.config, json.dumps(SETTINGS))
    write_dataset(experiment.at.data, assemble(experiment.component("data")))
    return experiment


def changed(experiment: Experiment, *path: str, value: Any) -> Experiment:
    settings: Any = deepcopy(dict(experiment.settings))
    block = settings
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    return replace(experiment, settings=settings)


def fingerprint(experiment: Experiment, seed: int = 1, data_digest: str = "data") -> str:
    return digest_of(identity(experiment, experiment.component("train"), data_digest, seed))


def trained(experiment: Experiment, seed: int = 1, report: Report = quiet) -> bool:
    return train_replica(experiment, digest(experiment.at.data), seed, report)


def result(experiment: Experiment, seed: int = 1) -> dict[str, bytes]:
    return {name: (experiment.at.replica(seed) / name).read_bytes() for name in FILES}


def kept(experiment: Experiment) -> Path:
    """Return the one folder of the store."""
    (folder,) = (experiment.root / ".replicas").iterdir()
    return folder


# --- what determines a replica --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.hidden", [5]),
        ("model.channels", [2, 4]),
        ("model._target_", "seedscope.models.perceptron.Perceptron"),
        ("train.epochs", 4),
        ("train.batch_size", 17),
        ("train.learning_rate", 2e-3),
        ("train.threads", 2),
        ("train.stacked", True),
        ("train.vary", ["weights"]),
        ("train.vary", ["weights", "order", "draw"]),
        ("code.replica.digest", "2"),
        ("code.replica.torch", "9.9"),
    ],
)
def test_another_setting_is_another_replica(toy: Experiment, path: str, value: Any) -> None:
    assert fingerprint(changed(toy, *path.split("."), value=value)) != fingerprint(toy)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("experiment", "other"),
        ("seeds", [5, 1, 7]),
        ("engine.workers", 8),
        ("lenses", {"mistakes": {"_target_": "seedscope.lenses.mistakes.Mistakes"}}),
        ("data.contrast", 0.1),  # the digest of the data speaks for it
        ("inputs", {"mine.csv": "0" * 64}),  # so does it for what they were made of
        ("code.train.digest", "2"),
        ("train.vary", ["order", "weights"]),
    ],
)
def test_what_does_not_change_the_bits_is_the_same_replica(toy: Experiment, path: str, value: Any) -> None:
    assert fingerprint(changed(toy, *path.split("."), value=value)) == fingerprint(toy)


def test_the_experiments_name_and_the_order_of_keys_do_not_matter(toy: Experiment) -> None:
    backwards = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value
        for key, value in reversed(toy.settings.items())
    }
    assert fingerprint(Experiment("other", backwards, toy.root)) == fingerprint(toy)


def test_other_data_are_another_replica(toy: Experiment) -> None:
    assert fingerprint(toy, data_digest="other") != fingerprint(toy)


def test_a_seed_counts_where_a_stream_varies_and_nowhere_else(toy: Experiment) -> None:
    for vary in (["weights"], ["order"], ["draw"], ["weights", "order"]):
        varied = changed(toy, "train", "vary", value=vary)
        assert fingerprint(varied, seed=1) != fingerprint(varied, seed=2)
    alike = changed(toy, "train", "vary", value=[])
    assert fingerprint(alike, seed=1) == fingerprint(alike, seed=2)


def test_seed_0_is_the_same_replica_whatever_varies_besides_the_draw(toy: Experiment) -> None:
    """A stream that does not vary takes seed 0: these replicas are equal to the bit."""
    assert fingerprint(changed(toy, "train", "vary", value=[]), seed=0) == fingerprint(toy, seed=0)


@pytest.mark.parametrize(
    "change", [("data", "contrast", 0.1), ("inputs", "mine.csv", "0" * 64)], ids=["setting", "input"]
)
def test_where_the_draw_varies_the_generator_counts(toy: Experiment, change: tuple[str, str, Any]) -> None:
    section, key, value = change
    drawing = changed(toy, "train", "vary", value=["draw"])
    assert fingerprint(changed(drawing, section, key, value=value)) != fingerprint(drawing)


@pytest.mark.parametrize("patched", ["torch.__version__", "numpy.__version__"])
def test_another_library_is_another_replica(toy: Experiment, monkeypatch: pytest.MonkeyPatch, patched: str) -> None:
    before = fingerprint(toy)
    monkeypatch.setattr(patched, "0.0")
    assert fingerprint(toy) != before


@pytest.mark.parametrize(
    ("where", "returned"),
    [
        ("torch.backends.cpu.get_cpu_capability", "AVX9"),
        ("platform.machine", "abacus"),
        ("platform.python_version_tuple", ("9", "9", "9")),
    ],
)
def test_another_machine_is_another_replica(
    toy: Experiment, monkeypatch: pytest.MonkeyPatch, where: str, returned: Any
) -> None:
    before = fingerprint(toy)
    monkeypatch.setattr(where, lambda: returned)
    assert fingerprint(toy) != before


def test_auto_is_the_device_that_it_resolves_to(toy: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert fingerprint(changed(toy, "train", "device", value="auto")) == fingerprint(toy)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    assert fingerprint(changed(toy, "train", "device", value="auto")) != fingerprint(toy)


# --- a replica is trained once --------------------------------------------------------------------------------


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after which training anything fails the test."""

    def forbid() -> None:
        monkeypatch.setattr("seedscope.replicas.training.train", lambda *_, **__: pytest.fail("it was trained again"))

    return forbid


def test_a_finished_replica_is_taken_from_the_store(toy: Experiment, no_training: Callable[[], None]) -> None:
    assert trained(toy)
    first = result(toy)
    shutil.rmtree(toy.root / "runs" / "toy" / "replicas")
    no_training()
    assert not trained(toy)
    assert result(toy) == first


def test_another_experiment_with_the_same_question_takes_it_too(
    toy: Experiment, no_training: Callable[[], None]
) -> None:
    trained(toy)
    other = replace(toy, name="other")
    shutil.copytree(toy.at.data.parent, other.at.data.parent)
    no_training()
    assert not trained(other)
    assert result(other) == result(toy)


def test_a_new_seed_is_trained_and_the_old_one_is_kept(toy: Experiment) -> None:
    assert [trained(toy, seed) for seed in (0, 1)] == [True, True]
    assert [trained(toy, seed) for seed in (0, 1, 2)] == [False, False, True]


def test_a_replica_of_no_epochs_is_whole_untrained_and_kept_like_any_other(
    toy: Experiment, no_training: Callable[[], None]
) -> None:
    untrained = changed(toy, "train", "epochs", value=0)
    assert trained(untrained)
    columns = ("epoch", "train_loss", "train_accuracy", "probe_loss", "probe_accuracy")
    assert read_history(untrained.at.history(1)) == {column: [] for column in columns}
    with read_dataset(untrained.at.frames(1)) as frames:
        assert frames.step.values.tolist() == [0]
        for name, values in read_weights(untrained.at.model(1)).items():
            np.testing.assert_array_equal(frames[name].values[0], values)
    no_training()
    assert not trained(untrained)


def test_a_replica_carries_its_identity(toy: Experiment) -> None:
    trained(toy)
    content = read_json(toy.at.identity(1))
    assert content["fingerprint"] == kept(toy).name == fingerprint(toy, data_digest=digest(toy.at.data))
    assert content["streams"] == {"weights": 1, "order": 1, "draw": 0}
    assert content["environment"]["torch"] == torch.__version__
    assert content["files"]["model.safetensors"] == digest(toy.at.model(1))
    assert sorted(path.name for path in kept(toy).iterdir()) == sorted(FILES)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: _flip(folder / "model.safetensors"),
        lambda folder: (folder / "model.safetensors").write_bytes(b""),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "history.csv").write_text("epoch\n"),
        lambda folder: _flip(folder / "frames.nc"),
        lambda folder: (folder / "identity.json").write_text("{"),
        lambda folder: (folder / "identity.json").write_text("{}"),
        lambda folder: (folder / "identity.json").write_text("[]"),
    ],
    ids=["bit", "empty", "gone", "history", "frames", "broken identity", "empty identity", "other identity"],
)
def test_a_damaged_replica_is_told_and_trained_again(
    toy: Experiment, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object]
) -> None:
    trained(toy)
    first = result(toy)
    damage(kept(toy))
    assert trained(toy)
    assert capsys.readouterr().err == f"{kept(toy)} was damaged after it was finished: it is trained again\n"
    assert result(toy) == first


# --- killed half-way ------------------------------------------------------------------------------------------


KILLED = """
import os, signal, sys
from pathlib import Path
from seedscope.files.digests import digest
from seedscope.files.experiment import Experiment
from seedscope.replicas.store import train_replica

def report(done, total):
    if done == {epoch}:
        os.kill(os.getpid(), signal.SIGKILL)

experiment = Experiment.load("toy", Path({root!r}))
train_replica(experiment, digest(experiment.at.data), 1, report)
"""


def test_a_replica_killed_half_way_resumes_and_ends_in_the_same_bytes(
    toy: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT), "DVC_ROOT": str(tmp_path)}
    code = KILLED.format(epoch=2, root=str(tmp_path))
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -9
    assert sorted(path.name for path in kept(toy).iterdir()) == ["checkpoint.safetensors", "frames.nc.parts"]
    assert not toy.at.replica(1).exists()

    epochs: list[int] = []
    assert trained(toy, report=lambda done, _: epochs.append(done))
    assert epochs[0] == 2
    resumed = result(toy)
    assert sorted(path.name for path in kept(toy).iterdir()) == sorted(FILES)

    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "elsewhere"))
    assert trained(toy)
    assert result(toy) == resumed


def test_a_replica_killed_before_its_identity_is_written_is_finished_without_training(toy: Experiment) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            trained(toy)
    epochs: list[int] = []
    assert trained(toy, report=lambda done, _: epochs.append(done))
    assert epochs == [3, 1]


def test_a_truncated_checkpoint_is_told_and_the_replica_starts_again(
    toy: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(toy)
    undisturbed = result(toy)
    checkpoint = kept(toy) / "checkpoint.safetensors"
    for path in kept(toy).iterdir():
        path.unlink()
    checkpoint.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    assert trained(toy)
    assert capsys.readouterr().err == f"{checkpoint} is damaged: this replica starts again from its first epoch\n"
    assert result(toy) == undisturbed


def _same_replica(experiment: Experiment, _index: int, report: Report) -> bool:
    return trained(experiment, 1, report)


def test_two_writers_of_one_replica_do_not_harm_each_other(toy: Experiment, tmp_path: Path) -> None:
    map_seeds(lambda index, report: _same_replica(toy, index, report), [0, 1, 2, 3], Engine(2), "train toy")
    twice = result(toy)
    shutil.rmtree(tmp_path / ".replicas")
    trained(toy)
    assert result(toy) == twice


# --- the disk -------------------------------------------------------------------------------------------------


def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(toy: Experiment) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(SeedscopeError) as refused:
            trained(toy)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(refused.value) == f"{kept(toy)}/checkpoint.safetensors cannot be written: File too large"
    assert all(path.stat().st_size < 2000 for path in kept(toy).rglob("*.*") if path.is_file())  # whole frames only
    assert not list(kept(toy).rglob("*.tmp"))
    assert not (kept(toy) / "checkpoint.safetensors").exists()
    assert not toy.at.replica(1).exists()


def test_a_store_that_cannot_be_written_is_one_sentence(toy: Experiment, tmp_path: Path) -> None:
    (tmp_path / ".replicas").write_text("in the way of the folder")
    with pytest.raises(SeedscopeError, match=r"step-0\.safetensors cannot be written: (Not a dir|File exists)"):
        trained(toy)


def test_the_store_lies_in_the_repository_that_dvc_root_names(
    toy: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_training: Callable[[], None]
) -> None:
    real, clone = tmp_path / "real", tmp_path / "clone"
    shutil.copytree(tmp_path / "runs", clone / "runs")
    monkeypatch.setenv("DVC_ROOT", str(real))
    trained(replace(toy, root=clone))
    assert (real / ".replicas").is_dir()
    assert not (clone / ".replicas").exists()
    assert not (tmp_path / ".replicas").exists()
    monkeypatch.delenv("DVC_ROOT")
    monkeypatch.chdir(real)
    no_training()
    assert not trained(toy)


# --- a draw of its own ----------------------------------------------------------------------------------------


def _learned_from(experiment: Experiment, seed: int, monkeypatch: pytest.MonkeyPatch) -> xr.Dataset:
    """Return the data set that training is given."""
    seen: list[xr.Dataset] = []

    def watched(_network: object, _training: Training, data: xr.Dataset, *_: object, **__: object) -> None:
        seen.append(data)
        raise SeedscopeError("seen")

    with monkeypatch.context() as patch:
        patch.setattr("seedscope.replicas.training.train", watched)
        with pytest.raises(SeedscopeError, match="seen"):
            trained(experiment, seed)
    return seen[0]


def test_replicas_share_the_training_pictures_unless_the_draw_varies(
    toy: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = _learned_from(toy, 1, monkeypatch)
    assert np.array_equal(shared.image, _learned_from(toy, 2, monkeypatch).image)

    drawing = changed(toy, "train", "vary", value=["draw"])
    draws = {seed: _learned_from(drawing, seed, monkeypatch) for seed in (0, 1, 2)}
    training = {seed: draw.isel(sample=draw.split.values == "train").image.values for seed, draw in draws.items()}
    assert np.array_equal(training[0], shared.image.values[shared.split.values == "train"])
    assert not np.array_equal(training[1], training[0])
    assert not np.array_equal(training[1], training[2])
    for draw in draws.values():
        probe = draw.isel(sample=draw.split.values == "probe")
        assert np.array_equal(probe.image, shared.image.values[shared.split.values == "probe"])
        assert np.array_equal(probe.label, shared.label.values[shared.split.values == "probe"])


def test_a_replica_with_its_own_draw_differs_by_nothing_else(toy: Experiment) -> None:
    drawing = changed(toy, "train", "vary", value=["draw"])
    for seed in (1, 2):
        trained(drawing, seed)
    assert result(drawing, 1)["model.safetensors"] != result(drawing, 2)["model.safetensors"]
    identities = [read_json(drawing.at.identity(seed)) for seed in (1, 2)]
    for content in identities:
        for own in ("fingerprint", "files", "streams"):
            content.pop(own)
    assert identities[0] == identities[1]


def test_a_lens_sees_the_training_pictures_that_its_replica_learned_from(toy: Experiment) -> None:
    drawing = changed(toy, "train", "vary", value=["draw"])
    for experiment, seed in ((toy, 1), (drawing, 1), (drawing, 2)):
        trained(experiment, seed)
        dump_replica(experiment, seed, quiet)
        seen = Replica.open(experiment.at, seed).training
        source = experiment.component("data").training(seed if experiment is drawing else 0)
        learned = source.isel(sample=source.split.values == "train")
        assert np.array_equal(seen.image, learned.image)
        assert np.array_equal(seen.label, learned.label)


def test_a_lens_computes_with_the_network_as_it_was_trained_and_as_it_was_at_a_frame(toy: Experiment) -> None:
    trained(toy)
    dump_replica(toy, 1, quiet)
    replica = Replica.open(toy.at, 1)
    pictures = torch.from_numpy(replica.probe.image.values)
    before = torch.get_num_threads()
    for frame, expected in ((None, replica.activations["logit"]), (0, replica.activations["logit_frames"][0])):
        with replica.network(frame) as network:
            assert torch.get_num_threads() == 1
            assert not any(weight.requires_grad for weight in network.parameters())
            logit = network(pictures).numpy()
        seen = np.isin(replica.probe.sample, expected.sample)
        assert np.array_equal(logit[seen], expected.values)
    assert torch.get_num_threads() == before
    with pytest.raises(SeedscopeError, match="no frames"), replace(replica, frames=None).network(0):
        pass

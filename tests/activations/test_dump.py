import os
import pickle
import subprocess
import sys
import tracemalloc
from copy import deepcopy
from itertools import chain

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seedscope.activations.dump import dump_replica
from seedscope.data import assemble, pictures
from seedscope.data.squares import Squares
from seedscope.files.arrays import groups, read_dataset, write_dataset
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.weights import save_weights
from seedscope.files.writing import write_json
from seedscope.lenses import Replica
from seedscope.lenses.contribution import Contribution
from seedscope.lenses.space import Space
from seedscope.models.convnet import ConvNet
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.frames import Frames

MODEL = {
    "_target_": "seedscope.models.convnet.ConvNet",
    "shape": [1, 12, 12],
    "classes": 4,
    "channels": [3],
    "hidden": [6],
}
LAYERS = {"conv1": "exhibits", "pool1": "exhibits", "fc1": "probe"}


def settings(model=MODEL, layers=LAYERS, **dump):
    return {
        "seeds": [5],
        "model": model,
        "dump": {"_target_": "seedscope.activations.dump.Dump", "layers": layers, "exhibits_per_class": 2, **dump},
    }


def keep(model, experiment):
    """Put a network where its experiment looks for it; three steps before, its weights were half as large."""
    save_weights(model, experiment.at.model(5))
    write_json(experiment.at.identity(5), {"model": experiment.settings["model"]})
    frames = Frames(experiment.root / "parts", (0, 3))
    half = deepcopy(model)
    half.load_state_dict({name: tensor / 2 for name, tensor in model.state_dict().items()})
    frames.take(0, half)
    frames.take(3, model)
    frames.assemble(experiment.at.frames(5), steps_per_epoch=3)


@pytest.fixture
def experiment(tmp_path):
    """Return an experiment whose probe pictures stand between the training pictures, and its trained network."""
    data = assemble(Squares(n_train=30, n_probe=41, size=12, side=3, grid=2))
    data = data.isel(sample=np.random.default_rng(0).permutation(71)).assign_coords(sample=np.arange(71))
    experiment = Experiment("toy", settings(), tmp_path)
    write_dataset(experiment.at.data, data)
    torch.manual_seed(7)
    keep(ConvNet((1, 12, 12), 4, (3,), hidden=(6,)), experiment)
    return experiment


def dump(experiment, **changes):
    changed = Experiment("toy", settings(**changes), experiment.root)
    write_json(changed.at.identity(5), {"model": changed.settings["model"]})
    dump_replica(changed, 5, lambda _done, _total: None)
    return changed


def layer(experiment, name):
    with read_dataset(experiment.at.activations(5), group=name) as file:
        return file[name].load()


def by_hand(experiment, image=None, scale=1):
    """Return each layer's values of pictures (all of the data set), with the weights from the file times a factor."""
    from safetensors.torch import load_file

    weights = {name: tensor * scale for name, tensor in load_file(experiment.at.model(5)).items()}
    if image is None:
        with read_dataset(experiment.at.data) as data:
            image = torch.from_numpy(data.image.values)
    conv1 = F.relu(F.conv2d(image, weights["conv1.weight"], weights["conv1.bias"], padding=1))
    pool1 = F.max_pool2d(conv1, 2)
    fc1 = F.relu(pool1.flatten(1) @ weights["fc1.weight"].T + weights["fc1.bias"])
    logit = fc1 @ weights["fc2.weight"].T + weights["fc2.bias"]
    return {"conv1": conv1, "pool1": pool1, "fc1": fc1, "logit": logit}


def probe_and_exhibits(experiment):
    with read_dataset(experiment.at.data) as data:
        split, label = data.split.values, data.label.values
    probe = [i for i in range(71) if split[i] == "probe"]
    return probe, [[i for i in probe if label[i] == k][:2] for k in range(4)]


@pytest.mark.parametrize("batch_size", [1, 7, 256])
def test_each_value_is_that_of_an_independent_forward_of_the_sample_it_is_filed_under(experiment, batch_size):
    dump(experiment, batch_size=batch_size)
    probe, shown = probe_and_exhibits(experiment)
    for name, expected in by_hand(experiment).items():
        values = layer(experiment, name)
        samples = sorted(chain(*shown)) if name in ("conv1", "pool1") else probe
        assert values.sample.values.tolist() == samples
        assert values.dtype == np.float32
        assert np.ptp(values.values) > 0.01
        np.testing.assert_allclose(values.values, expected[samples].numpy(), rtol=0, atol=1e-6)


def test_dimensions_have_the_names_of_the_house(experiment):
    dump(experiment)
    assert layer(experiment, "conv1").dims == ("sample", "channel", "y", "x")
    assert layer(experiment, "fc1").dims == ("sample", "unit")
    assert layer(experiment, "logit").dims == ("sample", "target")
    with read_dataset(experiment.at.activations(5)) as root:
        assert root.attrs["exhibits"].tolist() == list(chain(*probe_and_exhibits(experiment)[1]))


def test_the_same_network_gives_the_same_bytes(experiment):
    dump(experiment)
    first = experiment.at.activations(5).read_bytes()
    dump(experiment)
    assert experiment.at.activations(5).read_bytes() == first


def test_a_lens_reads_what_was_dumped_and_its_votes_add_up(experiment):
    dump(experiment)
    replica = Replica.open(experiment.at, 5)
    measured = Contribution("fc1", "fc2", top=2).measure(replica)
    probe, shown = probe_and_exhibits(experiment)
    assert measured.sample.values.tolist() == probe
    assert measured.sample.values[measured.exhibit_position.values].tolist() == shown
    assert measured.completeness_error.max() < 1e-5
    np.testing.assert_allclose(measured.logit, by_hand(experiment)["logit"][probe].numpy(), atol=1e-6)


def test_the_votes_of_a_pooled_feature_map_add_up_too(experiment):
    """Its places and channels have the order in which the network flattens them, else the lens would refuse."""
    torch.manual_seed(1)
    keep(ConvNet((1, 12, 12), 4, (3,), hidden=()), experiment)
    dump(experiment, model={**MODEL, "hidden": []}, layers={"pool1": "probe"})
    measured = Contribution("pool1", "fc1", top=2).measure(Replica.open(experiment.at, 5))
    assert measured.sizes["unit"] == 3 * 6 * 6
    assert measured.completeness_error.max() < 1e-5


@pytest.mark.parametrize("batch_size", [3, 256])
def test_frames_are_the_answers_of_the_network_as_it_was_then(experiment, batch_size):
    dump(experiment, batch_size=batch_size, frame_pictures=12, frame_exhibits_per_class=1)
    probe, shown = probe_and_exhibits(experiment)
    with read_dataset(experiment.at.data) as data:
        label = data.label.values
    then = [by_hand(experiment, scale=0.5), by_hand(experiment)]
    for name in ("conv1", "pool1", "fc1", "logit"):
        followed = layer(experiment, f"{name}_frames")
        samples = followed.sample.values.tolist()
        assert followed.dims == ("frame", "sample", "target" if name == "logit" else "unit")
        assert followed.step.values.tolist() == [0, 3]
        assert followed.epoch.values.tolist() == [0, 1]
        assert set(samples) <= set(probe)
        assert np.bincount(label[samples]).tolist() == [3, 3, 3, 3]  # balanced, exhibits included
        assert {one for two in shown for one in two} <= set(samples)
        for frame in (0, 1):
            expected = then[frame][name][samples].numpy()
            expected = expected.mean((2, 3)) if expected.ndim == 4 else expected
            assert np.ptp(followed.values[frame]) > 0.01
            np.testing.assert_allclose(followed.values[frame], expected, rtol=0, atol=1e-6)
    for name in ("conv1", "pool1"):
        maps = layer(experiment, f"{name}_exhibit_frames")
        assert maps.dims == ("frame", "sample", "channel", "y", "x")
        assert maps.sample.values.tolist() == sorted(first for first, *_ in shown)
        for frame in (0, 1):
            expected = then[frame][name][maps.sample.values.copy()].numpy()
            np.testing.assert_allclose(maps.values[frame], expected, rtol=0, atol=1e-6)


def test_a_layer_that_training_cannot_change_has_no_frames(experiment):
    model = {"_target_": "seedscope.models.perceptron.Perceptron", "shape": [1, 12, 12], "classes": 4, "hidden": [6]}
    keep(Perceptron((1, 12, 12), 4, (6,)), experiment)
    dump(experiment, model=model, layers={"input": "probe", "fc1": "probe"})
    assert set(groups(experiment.at.activations(5))) == {"input", "fc1", "logit", "fc1_frames", "logit_frames"}
    write_json(experiment.at.identity(5), {"model": model})
    replica = Replica.open(experiment.at, 5)
    assert "fc1_frames" in replica.activations
    assert "input_frames" not in replica.activations
    assert Space("input").measure(replica).sizes["frame"] == 1


def test_fewer_probe_pictures_than_are_to_be_followed_are_all_followed(experiment):
    dump(experiment)
    assert layer(experiment, "fc1_frames").sample.values.tolist() == probe_and_exhibits(experiment)[0]


def test_pictures_in_which_one_thing_changes_are_answered_too(experiment):
    rng = np.random.default_rng(1)
    varied = pictures(rng.random((9, 1, 12, 12)), np.arange(9) % 4, "probe", place=np.arange(9) % 3)
    varied = varied.assign_coords(sample=np.arange(9))
    with read_dataset(experiment.at.data) as data:
        write_dataset(experiment.at.data, data.load(), variations=varied)
    dump(experiment, batch_size=4)
    expected = by_hand(experiment, torch.from_numpy(varied.image.values))
    for name in ("fc1", "logit"):
        values = layer(experiment, f"{name}_variations")
        assert values.sample.values.tolist() == list(range(9))
        np.testing.assert_allclose(values, expected[name].numpy(), rtol=0, atol=1e-6)
    replica = Replica.open(experiment.at, 5)
    assert "conv1_variations" not in list(replica.activations)  # it is kept for exhibits only
    assert replica.variations.place.values.tolist() == varied.place.values.tolist()


def test_without_such_pictures_there_is_nothing_of_them(experiment):
    dump(experiment)
    replica = Replica.open(experiment.at, 5)
    assert replica.variations is None
    assert not [name for name in replica.activations if name.endswith("_variations")]


def test_progress_is_told_frame_by_frame(experiment):
    told = []
    dump_replica(experiment, 5, lambda *done: told.append(done))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_the_surroundings_are_left_as_found(experiment):
    torch.manual_seed(3)
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    dump(experiment)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[1:]


class Odd(nn.Module):
    """A network with an output of two axes, and a layer that runs twice."""

    def __init__(self):
        super().__init__()
        self.rows, self.twice, self.fc = nn.Linear(12, 5), nn.Linear(5, 5), nn.Linear(60, 4)

    def forward(self, x):
        return self.fc(self.twice(self.twice(self.rows(x[:, 0]))).flatten(1))


def test_a_layer_of_another_rank_gets_numbered_axes(experiment):
    torch.manual_seed(0)
    keep(Odd(), experiment)
    dump(experiment, model={"_target_": f"{__name__}.Odd"}, layers={"rows": "probe"})
    assert layer(experiment, "rows").dims == ("sample", "axis_1", "axis_2")
    assert layer(experiment, "rows").shape == (41, 12, 5)


def test_a_dump_that_fails_leaves_no_file_behind_and_keeps_the_old_one(experiment):
    folder = experiment.at.activations(5).parent
    with pytest.raises(SeedscopeError, match="did you mean 'conv1'"):
        dump(experiment, layers={"konv1": "probe"})
    assert not folder.exists()
    dump(experiment)
    kept = experiment.at.activations(5).read_bytes()
    keep(Odd(), experiment)
    with pytest.raises(SeedscopeError, match="several times"):
        dump(experiment, model={"_target_": f"{__name__}.Odd"}, layers={"twice": "probe"})
    assert [file.name for file in folder.iterdir()] == ["seed-5.nc"]
    assert experiment.at.activations(5).read_bytes() == kept


def test_weights_of_another_network_are_refused(experiment):
    keep(ConvNet((1, 12, 12), 4, (3,), hidden=(8,)), experiment)
    with pytest.raises(SeedscopeError, match="fc1"):
        dump(experiment)


def test_memory_does_not_grow_with_the_number_of_pictures(experiment):
    """4,000 pictures are 16 MB; a batch of 64 is 0.3 MB, and the 512 that are followed are 2 MB."""
    write_dataset(experiment.at.data, assemble(Squares(n_train=1, n_probe=4000)))
    keep(Perceptron((1, 32, 32), 9, hidden=(4,)), experiment)
    model = {"_target_": "seedscope.models.perceptron.Perceptron", "shape": [1, 32, 32], "classes": 9, "hidden": [4]}
    tracemalloc.start()
    try:
        dump(experiment, model=model, layers={"fc1": "probe"}, batch_size=64)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert layer(experiment, "fc1").shape == (4000, 4)
    assert peak < 8e6


def test_the_composed_file_is_all_that_a_dump_needs(experiment):
    write_json(experiment.at.config, settings())
    dump_replica(Experiment.load("toy", experiment.root), 5, lambda _done, _total: None)
    assert layer(experiment, "fc1").shape == (41, 6)


def test_a_full_disk_is_told_before_anything_is_written(experiment):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))"
    code = f"""{limit}
import pickle, signal, sys
from seedscope.activations.dump import dump_replica
from seedscope.files.errors import SeedscopeError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    dump_replica(pickle.load(sys.stdin.buffer), 5, lambda done, total: None)
except SeedscopeError as error:
    print(error)
"""
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(experiment),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "seed-5.nc cannot be written: File too large" in done.stdout.decode()
    assert list(experiment.at.activations(5).parent.iterdir()) == []

import os
import pickle
import subprocess
import sys
import tracemalloc
from itertools import chain

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import nn

from seedscope.artifacts import read_dataset, write_dataset, write_text
from seedscope.data import assemble
from seedscope.data.squares import Squares
from seedscope.dump import dump_replica
from seedscope.errors import SeedscopeError
from seedscope.experiment import Experiment
from seedscope.lenses import Replica
from seedscope.lenses.contribution import Contribution
from seedscope.models.convnet import ConvNet
from seedscope.models.perceptron import Perceptron
from seedscope.training import save_weights

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
        "dump": {"_target_": "seedscope.dump.Dump", "layers": layers, "exhibits_per_class": 2, **dump},
    }


@pytest.fixture
def experiment(tmp_path):
    """Return an experiment whose probe pictures stand between the training pictures, and its trained network."""
    data = assemble(Squares(n_train=30, n_probe=41, size=12, side=3, grid=2))
    data = data.isel(sample=np.random.default_rng(0).permutation(71)).assign_coords(sample=np.arange(71))
    experiment = Experiment("toy", settings(), tmp_path)
    write_dataset(experiment.at.data, data)
    torch.manual_seed(7)
    save_weights(ConvNet((1, 12, 12), 4, (3,), hidden=(6,)), experiment.at.model(5))
    return experiment


def dump(experiment, **changes):
    changed = Experiment("toy", settings(**changes), experiment.root)
    dump_replica(changed, 5, lambda _done, _total: None)
    return changed


def layer(experiment, name):
    with read_dataset(experiment.at.activations(5), group=name) as file:
        return file[name].load()


def by_hand(experiment):
    """Return each layer's values of every picture of the data set, with the weights from the file."""
    from safetensors.torch import load_file

    weights = load_file(experiment.at.model(5))
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
    assert measured.sample.values[measured.exhibit.values].tolist() == shown
    assert measured.completeness_error.max() < 1e-5
    np.testing.assert_allclose(measured.logit, by_hand(experiment)["logit"][probe].numpy(), atol=1e-6)


def test_the_votes_of_a_pooled_feature_map_add_up_too(experiment):
    """Its places and channels have the order in which the network flattens them, else the lens would refuse."""
    torch.manual_seed(1)
    save_weights(ConvNet((1, 12, 12), 4, (3,), hidden=()), experiment.at.model(5))
    dump(experiment, model={**MODEL, "hidden": []}, layers={"pool1": "probe"})
    measured = Contribution("pool1", "fc1", top=2).measure(Replica.open(experiment.at, 5))
    assert measured.sizes["unit"] == 3 * 6 * 6
    assert measured.completeness_error.max() < 1e-5


def test_progress_is_told_picture_by_picture_of_the_probe_set(experiment):
    told = []
    dump_replica(Experiment("toy", settings(batch_size=20), experiment.root), 5, lambda *done: told.append(done))
    assert told == [(20, 41), (40, 41), (41, 41)]


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
    save_weights(Odd(), experiment.at.model(5))
    dump(experiment, model={"_target_": f"{__name__}.Odd"}, layers={"rows": "probe"})
    assert layer(experiment, "rows").dims == ("sample", "axis_1", "axis_2")
    assert layer(experiment, "rows").shape == (41, 12, 5)


def test_a_dump_that_fails_leaves_no_file_behind_and_keeps_the_old_one(experiment):
    folder = experiment.at.activations(5).parent
    with pytest.raises(SeedscopeError, match="did you mean 'conv1'"):
        dump(experiment, layers={"konv1": "probe"})
    assert list(folder.iterdir()) == []
    dump(experiment)
    kept = experiment.at.activations(5).read_bytes()
    save_weights(Odd(), experiment.at.model(5))
    with pytest.raises(SeedscopeError, match="several times"):
        dump(experiment, model={"_target_": f"{__name__}.Odd"}, layers={"twice": "probe"})
    assert [file.name for file in folder.iterdir()] == ["seed-5.nc"]
    assert experiment.at.activations(5).read_bytes() == kept


def test_weights_of_another_network_are_refused(experiment):
    save_weights(ConvNet((1, 12, 12), 4, (3,), hidden=(8,)), experiment.at.model(5))
    with pytest.raises(SeedscopeError, match="fc1"):
        dump(experiment)


def test_memory_does_not_grow_with_the_number_of_pictures(experiment):
    """4,000 pictures are 16 MB; a batch of 64 is 0.3 MB."""
    write_dataset(experiment.at.data, assemble(Squares(n_train=1, n_probe=4000)))
    save_weights(Perceptron((1, 32, 32), 9, hidden=(4,)), experiment.at.model(5))
    model = {"_target_": "seedscope.models.perceptron.Perceptron", "shape": [1, 32, 32], "classes": 9, "hidden": [4]}
    tracemalloc.start()
    try:
        dump(experiment, model=model, layers={"fc1": "probe"}, batch_size=64)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert layer(experiment, "fc1").shape == (4000, 4)
    assert peak < 4e6


def test_the_composed_file_is_all_that_a_dump_needs(experiment):
    write_text(experiment.at.config, yaml.safe_dump(settings()))
    dump_replica(Experiment.load("toy", experiment.root), 5, lambda _done, _total: None)
    assert layer(experiment, "fc1").shape == (41, 6)


def test_a_full_disk_is_told_before_anything_is_written(experiment):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))"
    code = f"""{limit}
import pickle, signal, sys
from seedscope.dump import dump_replica
from seedscope.errors import SeedscopeError
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

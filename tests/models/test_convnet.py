from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from seedscope.files.components import build
from seedscope.files.errors import SettingError
from seedscope.models.convnet import ConvNet

ROOT = Path(__file__).resolve().parents[2]


def parameters(model):
    return sum(tensor.numel() for tensor in model.parameters())


def test_the_default_network_has_136521_parameters():
    assert parameters(ConvNet((1, 32, 32), 9)) == 136_521


def test_the_digit_network_has_12810_parameters():
    assert parameters(ConvNet((1, 28, 28), 10, padding=0, hidden=())) == 12_810


@pytest.mark.parametrize(
    ("shape", "channels", "padding", "hidden"),
    [
        ((1, 32, 32), (16, 32), 1, (64,)),
        ((1, 28, 28), (16, 32), 0, ()),
        ((3, 13, 17), (4,), 1, (7, 5)),
        ((2, 24, 23), (3, 4, 5), 1, (6,)),
    ],
)
def test_it_computes_what_convolution_relu_and_pooling_in_that_order_compute(shape, channels, padding, hidden):
    """The module pools before its ReLU; the textbook order, from the same weights, gives the same logits."""
    torch.manual_seed(0)
    model = ConvNet(shape, 5, channels, padding, hidden).double()
    weights = model.state_dict()
    pictures = torch.rand(6, *shape, dtype=torch.float64)
    x = pictures
    for block in range(1, len(channels) + 1):
        x = F.conv2d(x, weights[f"conv{block}.weight"], weights[f"conv{block}.bias"], padding=padding)
        x = F.max_pool2d(F.relu(x), 2)
    x = x.reshape(6, -1)
    for layer in range(1, len(hidden) + 1):
        x = F.relu(x @ weights[f"fc{layer}.weight"].T + weights[f"fc{layer}.bias"])
    last = len(hidden) + 1
    x = x @ weights[f"fc{last}.weight"].T + weights[f"fc{last}.bias"]
    assert x.std() > 0.01
    torch.testing.assert_close(model(pictures), x, rtol=0, atol=1e-12)


def test_each_layer_is_a_module_of_its_own_name():
    names = [name for name, _ in ConvNet((1, 32, 32), 9).named_modules() if name]
    assert names == ["conv1", "pool1", "conv2", "pool2", "fc1", "fc2"]


def test_one_class_more_is_one_logit_more():
    assert ConvNet((1, 12, 12), 1, (4,), hidden=(3,))(torch.zeros(2, 1, 12, 12)).shape == (2, 1)
    assert ConvNet((1, 12, 12), 4, (4,), hidden=(3,))(torch.zeros(2, 1, 12, 12)).shape == (2, 4)


@pytest.mark.parametrize(("shape", "padding"), [((1, 3, 32), 1), ((1, 8, 8), 0), ((1, 1, 1), 0)])
def test_a_picture_too_small_for_its_blocks_is_refused(shape, padding):
    with pytest.raises(SettingError, match="too small for 2 blocks") as refused:
        ConvNet(shape, 9, padding=padding)
    assert refused.value.key == "channels"


def test_the_smallest_picture_that_fits_runs():
    assert ConvNet((1, 4, 4), 2)(torch.zeros(1, 1, 4, 4)).shape == (1, 2)


def test_the_network_of_textures_has_the_published_layers():
    model = build(OmegaConf.to_container(OmegaConf.load(ROOT / "conf/model/textures_cnn.yaml")))
    counts = {name: parameters(module) for name, module in model.named_children() if parameters(module)}
    assert counts == {
        "conv1": 896,
        "conv2": 18_496,
        "conv3": 73_856,
        "conv4": 147_584,
        "fc1": 3_211_776,
        "fc2": 513,
    }
    assert [name for name, _ in model.named_children()] == [
        *(f"{kind}{block}" for block in (1, 2, 3, 4) for kind in ("conv", "pool")),
        *("dropout", "fc1", "fc2"),
    ]
    assert model.dropout.p == 0.5
    assert model.fc1.in_features == 6272
    assert model(torch.zeros(2, 3, 150, 150)).shape == (2, 1)


def test_dropout_acts_in_training_only_and_without_it_there_is_no_such_layer():
    torch.manual_seed(0)
    model = ConvNet((1, 12, 12), 3, (4,), hidden=(6,), dropout=0.5)
    assert [name for name, _ in model.named_children()] == ["conv1", "pool1", "dropout", "fc1", "fc2"]
    pictures = torch.rand(3, 1, 12, 12)
    assert not torch.equal(model(pictures), model(pictures))
    model.eval()
    torch.testing.assert_close(model(pictures), model(pictures), rtol=0, atol=0)


def test_brightness_is_taken_off_before_the_first_layer():
    torch.manual_seed(0)
    plain, shifted = ConvNet((1, 12, 12), 3, (4,)), ConvNet((1, 12, 12), 3, (4,), brightness=(0.4, 0.25))
    shifted.load_state_dict(plain.state_dict())
    pictures = torch.rand(3, 1, 12, 12)
    torch.testing.assert_close(shifted(pictures), plain((pictures - 0.4) / 0.25))


def test_initial_weights_of_he_have_their_variance():
    torch.manual_seed(0)
    model = ConvNet((3, 40, 40), 2, (64,), hidden=(300,), initial="he")
    for name, inputs in (("conv1", 27), ("fc1", 64 * 20 * 20)):
        weight = model.get_submodule(name).weight
        assert abs(float(weight.detach().var()) * inputs / 2 - 1) < 0.1
        assert not model.get_submodule(name).bias.any()

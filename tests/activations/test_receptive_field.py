import numpy as np
import pytest
import torch
from torch import nn

from seedscope.activations.receptive_field import effective_fields, effective_side, receptive_fields
from seedscope.files.errors import SeedscopeError
from seedscope.models.convnet import ConvNet

DIGITS = {"shape": (1, 28, 28), "classes": 10, "channels": (16, 32), "padding": 0, "hidden": ()}


@pytest.mark.parametrize(
    ("options", "sizes", "strides", "seen"),
    [
        (DIGITS, ((3, 3), (8, 8)), (1, 2), (26, 11)),
        ({**DIGITS, "padding": 1}, ((3, 3), (8, 8)), (1, 2), (26, 10)),
    ],
)
def test_the_receptive_field_is_that_of_the_closed_form(options, sizes, strides, seen):
    """The oracle: conv 3, pool 2 with stride 2, conv 3 see 3, 4 and 4 + 2·2 = 8 pixels."""
    torch.manual_seed(0)
    fields = receptive_fields(ConvNet(**options), ["conv1", "conv2"], (1, 28, 28))
    for field, size, stride, inside in zip(fields.values(), sizes, strides, seen, strict=True):
        assert field.size == size
        assert field.side == size[0]
        assert field.stride == (stride, stride)
        assert field.inside.sum() == inside**2


def test_fields_of_other_shapes():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide = nn.Conv2d(2, 1, (2, 5), stride=(1, 3))
            self.spread = nn.Conv2d(1, 2, 3, dilation=2, padding=2)
            self.norm = nn.BatchNorm2d(2)
            self.all = nn.AdaptiveAvgPool2d(1)
            self.stuck = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            seen = self.all(self.norm(self.spread(self.wide(x))))
            return (seen + self.stuck(torch.ones(len(x), 2, 1, 1, dtype=x.dtype))).flatten(1)

    fields = receptive_fields(Odd().eval(), ["wide", "spread", "norm", "all"], (2, 20, 30))
    assert fields["wide"].size == (2, 5)
    assert fields["wide"].stride == (1, 3)
    assert fields["spread"].size == fields["norm"].size == (2 + 4, 5 + 4 * 3)
    assert fields["spread"].inside.sum() == (19 - 4) * (9 - 4)
    assert fields["all"].size == (20, 29)  # the last column is skipped by the stride
    assert np.isnan(fields["all"].stride).all()
    with pytest.raises(SeedscopeError, match="'stuck' does not depend on the picture"):
        receptive_fields(Odd().eval(), ["stuck"], (2, 20, 30))


def test_weights_of_0_change_no_receptive_field_and_the_network_stays_as_it_was():
    network = ConvNet(**DIGITS)
    for parameter in network.parameters():
        parameter.data.zero_()
    fields = receptive_fields(network, ["conv2"], (1, 28, 28))
    assert fields["conv2"].size == (8, 8)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_the_effective_field_by_differences():
    """The oracle: the slope of the output before its ReLU, pixel by pixel, in double precision."""
    torch.manual_seed(1)
    network = ConvNet(shape=(2, 11, 11), classes=3, channels=(3, 2), padding=0, hidden=()).double()
    network.requires_grad_(requires_grad=False)
    pictures = torch.rand(3, 2, 11, 11, dtype=torch.float64)
    found = effective_fields(network, "conv2", pictures, (1, 0))

    def before_relu(x):
        return network.conv2(torch.relu(network.pool1(network.conv1(x))))[:, :, 1, 0]

    slow = np.zeros((2, 11, 11))
    for colour in range(2):
        for y in range(11):
            for x in range(11):
                step = torch.zeros_like(pictures)
                step[:, colour, y, x] = 1e-6
                slope = (before_relu(pictures + step) - before_relu(pictures - step)) / 2e-6
                slow[:, y, x] += slope.abs().mean(0).numpy()
    np.testing.assert_allclose(found, slow, atol=1e-6)
    assert not pictures.requires_grad


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_the_effective_side_of_an_even_square_is_its_side(size):
    field = np.zeros((2, 12, 15))
    field[0, 3 : 3 + size, 5 : 5 + size] = 0.2
    side = effective_side(field)
    assert side[0] == pytest.approx(size)
    assert np.isnan(side[1])

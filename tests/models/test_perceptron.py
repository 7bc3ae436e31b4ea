import pytest
import torch

from seedscope.models.perceptron import Perceptron


@pytest.mark.parametrize("hidden", [(), (32,), (7, 5, 3)])
def test_it_computes_dense_layers_with_a_relu_between_them(hidden):
    torch.manual_seed(0)
    model = Perceptron((1, 8, 8), 10, hidden).double()
    weights = model.state_dict()
    pictures = torch.randn(6, 1, 8, 8, dtype=torch.float64)
    x = pictures.reshape(6, 64)
    for layer in range(1, len(hidden) + 2):
        x = x @ weights[f"fc{layer}.weight"].T + weights[f"fc{layer}.bias"]
        if layer <= len(hidden):
            x = x.clamp(min=0)
    torch.testing.assert_close(model(pictures), x, rtol=0, atol=1e-12)


def test_the_digits_network_has_2410_parameters():
    assert sum(tensor.numel() for tensor in Perceptron((1, 8, 8), 10).parameters()) == 64 * 32 + 32 + 32 * 10 + 10

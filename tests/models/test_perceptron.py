import pytest
import torch

from seedscope.activations.capture import activations, layer_shapes
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


@pytest.mark.parametrize(
    ("shape", "hidden", "parameters"),
    [((1, 8, 8), (), 650), ((1, 28, 28), (), 7_850), ((1, 8, 8), (128,), 9_610), ((1, 28, 28), (128,), 101_770)],
)
def test_the_single_layer_and_the_two_layer_network_have_as_many_parameters_as_dense_layers(shape, hidden, parameters):
    assert sum(tensor.numel() for tensor in Perceptron(shape, 10, hidden).parameters()) == parameters


def test_the_input_is_a_layer_that_can_be_dumped_and_votes_without_a_hidden_layer():
    model = Perceptron((1, 8, 8), 10, ())
    pictures = torch.randn(5, 1, 8, 8)
    assert layer_shapes(model, pictures) == {"input": (64,), "fc1": (10,), "logit": (10,)}
    (captured,) = activations(model, ["input"], [pictures])
    torch.testing.assert_close(captured["input"], pictures.reshape(5, 64), rtol=0, atol=0)  # no ReLU: also negatives
    weights = model.state_dict()
    votes = captured["input"][:, None, :] * weights["fc1.weight"]
    torch.testing.assert_close(votes.sum(2) + weights["fc1.bias"], captured["logit"])

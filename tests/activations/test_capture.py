import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seedscope.activations.capture import (
    activations,
    evaluating,
    followed_by_relu,
    hooked,
    layer_shapes,
    narrowed,
    output_of,
    repeated_layers,
    untrained_layers,
)
from seedscope.files.errors import SeedscopeError
from seedscope.models.convnet import ConvNet
from seedscope.models.perceptron import Perceptron


def pictures(n=5, shape=(1, 8, 8), seed=0):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed))


def capture(model, layers, batches):
    """Return all batches joined, by layer."""
    parts = list(activations(model, layers, batches))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


class Written(nn.Module):
    """conv → something → fc, with what happens between them given as a function of (self, convolved)."""

    def __init__(self, between, **modules):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        for name, module in modules.items():
            self.add_module(name, module)
        self.fc = nn.LazyLinear(4)
        self.between = between
        self(torch.zeros(2, 1, 8, 8))

    def forward(self, x):
        return self.fc(self.between(self, self.conv(x)).flatten(1))


RECTIFIED = {
    "nn.ReLU": (lambda m, x: m.relu(x), {"relu": nn.ReLU()}),
    "nn.ReLU in place": (lambda m, x: m.relu(x), {"relu": nn.ReLU(inplace=True)}),
    "torch.relu": (lambda _, x: torch.relu(x), {}),
    "torch.relu_": (lambda _, x: torch.relu_(x), {}),
    "F.relu": (lambda _, x: F.relu(x), {}),
    "F.relu in place": (lambda _, x: F.relu(x, inplace=True), {}),
    "Tensor.relu": (lambda _, x: x.relu(), {}),
    "Tensor.relu_": (lambda _, x: x.relu_(), {}),
    "torch.relu by keyword": (lambda _, x: torch.relu(input=x), {}),
    "clamp": (lambda _, x: x.clamp(0), {}),
    "torch.clamp": (lambda _, x: torch.clamp(x, min=0.0), {}),
    "torch.clamp_min_": (lambda _, x: x.clamp_min_(0), {}),
    "pool before relu": (lambda _, x: torch.relu(F.max_pool2d(x, 2)), {}),
    "nn.MaxPool2d before relu": (lambda m, x: torch.relu(m.pool(x)), {"pool": nn.MaxPool2d(2)}),
    "adaptive pool before relu": (lambda _, x: torch.relu(F.adaptive_max_pool2d(x, 2)), {}),
    "pool after relu": (lambda m, x: m.pool(torch.relu(x)), {"pool": nn.MaxPool2d(2)}),
    "flatten between": (lambda _, x: torch.relu(x.flatten(1)), {}),
    "nn.Flatten between": (lambda m, x: torch.relu(m.flat(x)), {"flat": nn.Flatten()}),
    "reshape between": (lambda _, x: torch.relu(x.reshape(len(x), 3, -1)), {}),
    "permute between": (lambda _, x: torch.relu(x.permute(0, 2, 3, 1).contiguous()), {}),
    "dropout between": (lambda m, x: torch.relu(m.drop(x)), {"drop": nn.Dropout(0.5)}),
    "dropout2d between": (lambda m, x: torch.relu(m.drop(x)), {"drop": nn.Dropout2d(0.5)}),
    "identity between": (lambda m, x: torch.relu(m.same(x)), {"same": nn.Identity()}),
}
NOT_RECTIFIED = {
    "batch norm": (lambda m, x: torch.relu(m.norm(x)), {"norm": nn.BatchNorm2d(3)}),
    "GELU": (lambda _, x: F.gelu(x), {}),
    "leaky ReLU": (lambda m, x: m.leaky(x), {"leaky": nn.LeakyReLU(0.1)}),
    "mean pooling": (lambda _, x: torch.relu(F.avg_pool2d(x, 2)), {}),
    "nothing": (lambda _, x: x, {}),
    "ReLU6": (lambda _, x: F.relu6(x), {}),
    "clamp from both sides": (lambda _, x: x.clamp(0, 1), {}),
    "clamp from above": (lambda _, x: x.clamp(max=0), {}),
    "clamp by place": (lambda _, x: torch.clamp(x, min=torch.tensor([[[0.0, 1, 2, 3, 4, 5]]])), {}),
    "clamp elsewhere": (lambda _, x: x.clamp(-1), {}),
    "a sum": (lambda _, x: torch.relu(x + 1), {}),
}


@pytest.mark.parametrize("case", RECTIFIED)
def test_a_layer_followed_by_a_relu_is_read_after_it_and_before_pooling(case):
    torch.manual_seed(0)
    between, modules = RECTIFIED[case]
    model = Written(between, **modules)
    assert "conv" in followed_by_relu(model, ["conv", "fc"], pictures(1))
    assert "fc" not in followed_by_relu(model, ["conv", "fc"], pictures(1))
    seen = capture(model, ["conv"], [pictures()])
    own = F.conv2d(pictures(), model.conv.weight, model.conv.bias).detach()
    assert (own < 0).any()
    torch.testing.assert_close(seen["conv"], own.clamp(min=0))
    torch.testing.assert_close(seen["logit"], model.eval()(pictures()))


@pytest.mark.parametrize("case", NOT_RECTIFIED)
def test_a_layer_not_followed_by_a_relu_is_read_as_it_is(case):
    torch.manual_seed(0)
    between, modules = NOT_RECTIFIED[case]
    model = Written(between, **modules)
    assert "conv" not in followed_by_relu(model, ["conv"], pictures(1))
    own = F.conv2d(pictures(), model.conv.weight, model.conv.bias).detach()
    torch.testing.assert_close(capture(model, ["conv"], [pictures()])["conv"], own)


def test_a_tensor_in_the_place_of_a_forgotten_one_is_not_taken_for_it():
    """A tensor's id is free again once the tensor is gone."""

    class Forgetful(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(64, 6), nn.Linear(6, 3)

        def forward(self, x):
            x = F.gelu(self.fc1(x.flatten(1)))
            others = [x - 0.1 for _ in range(200)]  # some of them move into the memory that is free again
            return self.fc2(sum(torch.relu(other) for other in others))

    for _ in range(20):  # whether memory is used again is not ours to say
        assert followed_by_relu(Forgetful(), ["fc1"], pictures(1)) == frozenset()


def test_with_batch_norm_it_is_the_norm_that_is_read_after_the_relu():
    between, modules = NOT_RECTIFIED["batch norm"]
    assert followed_by_relu(Written(between, **modules), ["conv", "norm"], pictures(1)) == {"norm"}


def test_a_pool_before_its_relu_is_read_after_the_relu_too():
    torch.manual_seed(0)
    model = ConvNet((1, 8, 8), 4, channels=(3,), hidden=(6,))
    seen = capture(model, ["conv1", "pool1", "fc1", "fc2"], [pictures()])
    weights = model.state_dict()
    conv1 = F.relu(F.conv2d(pictures(), weights["conv1.weight"], weights["conv1.bias"], padding=1))
    pool1 = F.max_pool2d(conv1, 2)
    fc1 = (pool1.reshape(5, -1) @ weights["fc1.weight"].T + weights["fc1.bias"]).clamp(min=0)
    fc2 = fc1 @ weights["fc2.weight"].T + weights["fc2.bias"]
    for name, expected in {"conv1": conv1, "pool1": pool1, "fc1": fc1, "fc2": fc2, "logit": fc2}.items():
        torch.testing.assert_close(seen[name], expected, rtol=0, atol=1e-6)
    assert (seen["fc1"] == 0).any()
    assert (seen["fc2"] < 0).any()


def test_what_was_captured_stays_when_the_network_goes_on_in_place():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(64, 6), nn.Linear(6, 3)

        def forward(self, x):
            x = self.fc1(x.flatten(1))
            x += 10
            return self.fc2(x)

    model = InPlace()
    seen = capture(model, ["fc1"], [pictures()])
    torch.testing.assert_close(seen["fc1"], model.fc1(pictures().flatten(1)).detach())


def test_the_batch_size_does_not_change_the_values():
    torch.manual_seed(0)
    model = ConvNet((1, 8, 8), 4, channels=(3,), hidden=(6,))
    image = pictures(23)
    whole = capture(model, ["conv1", "fc1"], [image])
    for size in (1, 7, 22):
        batched = capture(model, ["conv1", "fc1"], image.split(size))
        for name, values in whole.items():
            assert batched[name].shape == values.shape
            assert (batched[name] - values).abs().max() < 1e-6


def test_pictures_are_taken_batch_by_batch_as_they_are_needed():
    taken = []

    def batches():
        for number in range(4):
            taken.append(number)
            yield pictures(3, seed=number)

    outputs = activations(Perceptron((1, 8, 8), 4), ["fc1"], batches())
    assert taken == []
    for number in range(4):
        next(outputs)
        assert taken == list(range(number + 1))


class Fails(nn.Module):
    """A network that fails in the middle of its forward pass once asked to."""

    def __init__(self):
        super().__init__()
        self.fc1, self.drop, self.fc2 = nn.Linear(64, 6), nn.Dropout(0.5), nn.Linear(6, 3)
        self.failing = False

    def forward(self, x):
        x = self.drop(torch.relu(self.fc1(x.flatten(1))))
        if self.failing:
            raise ZeroDivisionError
        return self.fc2(x)


def state_of(model):
    """Return everything about a network and its surroundings that looking at it could change."""
    return {
        "flags": {name: module.training for name, module in model.named_modules()},
        "hooks": {
            name: [len(hooks) for key, hooks in vars(module).items() if key.endswith("hooks")]
            for name, module in model.named_modules()
        },
        "grads": {name: None if p.grad is None else p.grad.tolist() for name, p in model.named_parameters()},
        "requires": {name: p.requires_grad for name, p in model.named_parameters()},
        "weights": {name: tensor.tolist() for name, tensor in model.state_dict().items()},
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),
        "gradients enabled": torch.is_grad_enabled(),
    }


@pytest.fixture
def lived_in():
    """Return a network with mixed training flags, a gradient, a frozen weight and a hook of the user's."""
    torch.manual_seed(0)
    model = Fails()
    model(pictures()).sum().backward()
    model.fc1.bias.requires_grad_(False)
    model.train()
    model.fc2.eval()
    model.fc1.register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize("failing", [False, True])
def test_the_network_and_its_surroundings_are_left_as_found(lived_in, failing):
    before = state_of(lived_in)
    lived_in.failing = failing
    for look in (
        lambda: list(activations(lived_in, ["fc1", "drop"], [pictures(), pictures()])),
        lambda: followed_by_relu(lived_in, ["fc1", "fc2"], pictures(1)),
        lambda: layer_shapes(lived_in, pictures(1)),
    ):
        if failing:
            with pytest.raises(ZeroDivisionError):
                look()
        else:
            look()
        assert state_of(lived_in) == before


def test_the_network_is_left_as_found_when_it_fails_in_a_later_batch_or_is_abandoned(lived_in):
    before = state_of(lived_in)
    outputs = activations(lived_in, ["fc1"], [pictures(), pictures()])
    next(outputs)
    assert state_of(lived_in) == before  # also between two batches
    lived_in.failing = True
    with pytest.raises(ZeroDivisionError):
        next(outputs)
    lived_in.failing = False
    assert state_of(lived_in) == before


def test_a_wrong_name_among_the_layers_leaves_no_hook_behind(lived_in):
    before = state_of(lived_in)
    with pytest.raises(SeedscopeError), hooked(lived_in, ["fc1", "nonsense"], lambda *_: None):
        pass
    assert state_of(lived_in) == before


def test_dropout_and_batch_norm_are_asked_for_their_answer_in_use():
    torch.manual_seed(0)
    model = Written(lambda m, x: m.drop(m.norm(x)), norm=nn.BatchNorm2d(3), drop=nn.Dropout(0.5)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first, again = (capture(model, ["drop"], [pictures()])["drop"] for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_captured_values_carry_no_graph(lived_in):
    outputs = capture(lived_in, ["fc1"], [pictures()])
    assert not any(values.requires_grad for values in outputs.values())


def test_evaluating_turns_gradients_off_inside_only(lived_in):
    with evaluating(lived_in) as model:
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 64), nn.Linear(64, 3)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(torch.relu(self.fc1(x.flatten(1))))))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.fc = nn.GRU(8, 5, batch_first=True), nn.Linear(5, 3)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return self.fc(self.gru(x[:, 0])[0][:, -1])


@pytest.mark.parametrize(
    ("model", "layer", "words"),
    [
        (Reused(), "fc1", "'fc1' runs several times in one forward pass"),
        (Recurrent(), "gru", "'gru' returns tuple, not one tensor"),
        (Recurrent(), "unused", "'unused' did not run"),
        (ConvNet((1, 8, 8), 3, (2,), hidden=(4,)), "convl", "did you mean 'conv1'"),
        (ConvNet((1, 8, 8), 3, (2,), hidden=(4,)), "zzz", "there are: conv1, pool1, fc1, fc2"),
        (ConvNet((1, 8, 8), 3, (2,), hidden=(4,)), "", "no layer ''"),
    ],
)
def test_a_layer_that_cannot_be_read_is_refused_in_one_sentence(model, layer, words):
    before = state_of(model)
    with pytest.raises(SeedscopeError, match=words) as refused:
        list(activations(model, [layer], [pictures()]))
    assert "\n" not in str(refused.value)
    assert state_of(model) == before


def test_shapes_are_those_of_one_sample_and_leave_out_what_is_not_one_tensor():
    shapes = layer_shapes(ConvNet((1, 8, 8), 3, (2,), hidden=(4,)), pictures(2))
    assert shapes == {"conv1": (2, 8, 8), "pool1": (2, 4, 4), "fc1": (4,), "fc2": (3,), "logit": (3,)}
    assert layer_shapes(Recurrent(), pictures(2)) == {"fc": (3,), "logit": (3,)}


def test_layers_inside_other_modules_go_by_their_full_name():
    model = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(64, 6), nn.ReLU()), nn.Linear(6, 3))
    seen = capture(model, ["1.0", "1", "2"], [pictures()])
    torch.testing.assert_close(seen["1.0"], seen["1"])
    torch.testing.assert_close(seen["2"], seen["logit"])


def test_layers_before_any_learned_weight_are_those_that_training_cannot_change():
    model = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3))
    layers, blank = ["0", "1", "2", "3", "4"], torch.zeros(1, 1, 8, 8)
    assert untrained_layers(model, layers, blank) == {"0", "1"}
    assert all(tensor.requires_grad for tensor in model.parameters())
    model[2].requires_grad_(False)  # frozen: it stays as it was drawn
    assert untrained_layers(model, layers, blank) == {"0", "1", "2", "3"}
    with_means = nn.Sequential(nn.BatchNorm2d(1, affine=False), *model)
    assert untrained_layers(with_means, ["0", "1"], blank) == set()


class Shifts(nn.Sequential):
    """Changes its input in place before anything else."""

    def forward(self, x):
        return super().forward(x.sub_(0.5))


def test_pictures_that_a_network_changes_in_place_are_left_as_they_were():
    model = Shifts(nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.Conv2d(3, 2, 3))
    batch = pictures()
    found = capture(model, ["0"], [batch])
    assert torch.equal(batch, pictures())
    torch.testing.assert_close(found["0"], model[0](batch - 0.5).relu())
    assert torch.equal(output_of(model, "0", batch), model[0](batch - 0.5))
    assert torch.equal(batch, pictures())


def test_the_output_of_a_layer_is_had_without_what_follows():
    class Never(nn.Module):
        def forward(self, x):
            raise AssertionError(x.shape)

    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), Never())
    batch = pictures().requires_grad_()
    output = output_of(model, "0", batch)
    assert torch.equal(output, model[0](batch))
    output.sum().backward()
    assert batch.grad is not None
    assert torch.equal(output_of(model, "2", batch), model[:3](batch))
    assert not any(module._forward_hooks for module in model.modules())


def test_the_output_of_a_layer_that_does_not_run_or_is_not_there_is_refused():
    model = Written(lambda _, x: x, spare=nn.Linear(2, 2))
    with pytest.raises(SeedscopeError, match="layer 'spare' did not run"):
        output_of(model, "spare", pictures())
    with pytest.raises(SeedscopeError, match="no layer 'cnv'; did you mean 'conv'"):
        output_of(model, "cnv", pictures())


@pytest.mark.parametrize(
    ("layer", "narrows"),
    [
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, padding_mode="reflect"), True),
        (nn.Conv2d(4, 6, 3, bias=False), True),
        (nn.Conv2d(4, 6, 3, groups=2), False),
        (nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 6, 3)), False),
        (nn.Linear(8, 6), True),
        (nn.BatchNorm2d(4), False),
    ],
)
def test_a_narrowed_layer_computes_the_chosen_channels_and_gets_its_weights_back(layer, narrows):
    model = nn.Sequential(layer).eval()
    batch = pictures(shape=(4, 8, 8))
    before = dict(model.named_parameters())
    whole = model(batch)
    axis = -1 if isinstance(layer, nn.Linear) else 1
    with narrowed(model, "0", [3, 1]) as few:
        assert few == narrows
        chosen = whole.index_select(axis, torch.tensor([3, 1])) if narrows else whole
        torch.testing.assert_close(model(batch), chosen)
    after = dict(model.named_parameters())
    assert before.keys() == after.keys()
    assert all(after[name] is before[name] for name in before)
    torch.testing.assert_close(model(batch), whole)


def test_layers_that_run_several_times_are_found_and_the_pictures_left_alone():
    before = pictures(1)
    assert repeated_layers(Reused(), before) == {"fc1"}
    assert torch.equal(before, pictures(1))
    assert repeated_layers(ConvNet((1, 8, 8), 3, (2,), hidden=(4,)), before) == frozenset()

"""Units matched by weights: planted permutations of whole networks are undone; what is no chain is not one."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import torch
from torch import nn

from seedscope.formulas.weight_matching import chain_of, matched_by_weights, only


def network(seed: int, *, head: int = 3) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, head)),
    )


def weights_of(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy().astype(np.float64) for name, tensor in model.state_dict().items()}


def permuted(
    weights: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Return the same network with the units of every hidden layer in another order."""
    order = [rng.permutation(n) for n in (4, 5, 6)]
    blocks = np.arange(20).reshape(5, 4)[order[1]].ravel()  # a dense layer's block for each channel
    moved = {
        "0.weight": weights["0.weight"][order[0]],
        "0.bias": weights["0.bias"][order[0]],
        "2.weight": weights["2.weight"][order[1]][:, order[0]],
        "2.bias": weights["2.bias"][order[1]],
        "5.weight": weights["5.weight"][order[2]][:, blocks],
        "5.bias": weights["5.bias"][order[2]],
        "7.weight": weights["7.weight"][:, order[2]],
        "7.bias": weights["7.bias"],
    }
    return moved, order


def chain(weights):
    return [(weight, bias) for _, weight, bias in chain_of(weights)]


def test_a_network_with_its_units_in_another_order_is_found_unit_by_unit() -> None:
    rng = np.random.default_rng(0)
    weights = weights_of(network(0))
    moved, order = permuted(weights, rng)
    model = network(1)
    model.load_state_dict({name: torch.from_numpy(np.float32(of)) for name, of in moved.items()})
    picture = torch.rand(2, 1, 6, 6)
    torch.testing.assert_close(model(picture), network(0)(picture))  # it is the same network indeed
    for layer, (rows, columns) in enumerate(matched_by_weights(chain(weights), chain(moved))):
        assert order[layer][columns].tolist() == rows.tolist()


def test_units_that_are_left_out_on_one_side_leave_the_others_matched() -> None:
    weights = weights_of(network(0))
    moved, order = permuted(weights, np.random.default_rng(1))
    kept = np.array([0, 2, 3, 5])
    rows, columns = matched_by_weights(only(chain(weights), 2, kept), chain(moved))[2]
    assert order[2][columns].tolist() == kept[rows].tolist()


def test_of_one_hidden_layer_it_is_the_best_of_all_permutations() -> None:
    rng = np.random.default_rng(2)
    a, b = ([(rng.normal(size=(5, 7, 1)), rng.normal(size=5)), (rng.normal(size=(3, 5, 1)), np.zeros(3))] for _ in "ab")

    def value(order: tuple[int, ...]) -> float:
        into = (a[0][0] * b[0][0][list(order)]).sum() + a[0][1] @ b[0][1][list(order)]
        return float(into + (a[1][0] * b[1][0][:, list(order)]).sum())

    best = max(permutations(range(5)), key=value)
    assert matched_by_weights(a, b)[0][1].tolist() == list(best)


def test_the_result_follows_the_units_wherever_they_are_numbered() -> None:
    a, b = weights_of(network(0)), weights_of(network(5))
    moved, order = permuted(b, np.random.default_rng(3))
    before, after = (matched_by_weights(chain(a), chain(other)) for other in (b, moved))
    for layer in range(3):
        assert order[layer][after[layer][1]].tolist() == before[layer][1].tolist()


def test_what_is_no_chain_is_not_taken_for_one() -> None:
    weights = weights_of(network(0))
    assert [name for name, _, _ in chain_of(weights)] == ["0", "2", "5", "7"]
    assert chain_of({**weights, "norm.running_mean": np.zeros(4)}) is None
    assert chain_of({**weights, "5.weight": np.zeros((6, 21))}) is None  # it takes something else beside
    assert chain_of({"embed": np.zeros((3, 3))}) is None
    assert chain_of({}) is None

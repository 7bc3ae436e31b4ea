import numpy as np
import pytest

from seedscope.formulas.matching import matched
from seedscope.lenses.matched_units import MatchedUnits, draws_of


def test_many_pairs_and_units_need_fewer_draws():
    assert [draws_of(*size) for size in ((0, 0), (10, 25), (10, 100), (780, 64))] == [1000, 1000, 300, 200]


def test_a_number_is_the_mean_over_matched_units_beside_that_over_all():
    rng = np.random.default_rng(0)
    label = np.arange(40) % 4
    a = rng.normal(size=(40, 6))
    order = rng.permutation(6)
    values = [a, a[:, order] + 0.1 * rng.normal(size=(40, 6)), rng.normal(size=(40, 4))]
    others = [rng.normal(size=one.shape) for one in values]
    units = MatchedUnits.of(np.array([3, 5, 8]), values, {"within_class": label}, {"other": others})
    tables = {pair: rng.random((values[pair[0]].shape[1], values[pair[1]].shape[1])) for pair in units.units}
    tables[0, 1][order, np.arange(6)] += 1
    found = units.numbers(tables)
    assert order[units.units[0, 1][1]].tolist() == list(range(6))
    assert found.value[0, 1] == found.value[1, 0] == pytest.approx(tables[0, 1][order, np.arange(6)].mean())
    assert found.null["random"][1, 2] == pytest.approx(tables[1, 2].mean())
    rows, columns = matched(others[0], others[1])
    assert found.null["other"][0, 1] == pytest.approx(tables[0, 1][rows, columns].mean())
    assert found.null["within_class"][0, 1] < found.value[0, 1]
    assert list(found.null) == ["random", "other", "within_class"]
    assert found.seeds.tolist() == [3, 5, 8]


def test_without_a_live_unit_in_some_seed_there_is_no_number():
    units = MatchedUnits.of(np.arange(2), [np.ones((5, 0)), np.ones((5, 2))], {"within_class": np.zeros(5)}, {})
    assert not units.numbers({}).defined
    assert set(units.numbers({}).null) == {"random", "within_class"}

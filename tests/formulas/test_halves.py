import numpy as np

from seedscope.formulas.halves import first_half


def test_halves_hold_as_many_of_each_class():
    label = np.random.default_rng(0).integers(0, 4, 101)
    first = first_half(label)
    for k in range(4):
        assert first[label == k].sum() - (~first)[label == k].sum() in (0, 1)
    assert first_half(np.array([3, 3, 3, 1])).tolist() == [True, False, True, True]

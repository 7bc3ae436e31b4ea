import numpy as np
import pytest

from seedscope.formulas.verdict import CODE, any_of, find


def finding(similarity, *nulls):
    return find(np.array(similarity, dtype=float), np.array(nulls, dtype=float).T, 0.5)


CASES = {
    "above the bound and every null": ([0.8, 0.82, 0.81], [0.3, 0.3, 0.2], "supported"),
    "above every null, and below the bound": ([0.4, 0.42, 0.41], [0.1, 0.1, 0.1], "not supported"),
    "above the bound, and below a null": ([0.6, 0.62, 0.61], [0.8, 0.8, 0.8], "not supported"),
    "around the bound": ([0.4, 0.6, 0.5], [0.1, 0.1, 0.1], "undecided"),
    "above the bound, and like a null": ([0.8, 0.7, 0.75], [0.7, 0.8, 0.75], "undecided"),
    "two seeds": ([0.8, 0.82], [0.3, 0.3], "undecided"),
    "one seed": ([0.8], [0.3], "undecided"),
    "two seeds with a value": ([0.8, 0.82, np.nan], [0.3, 0.3, 0.3], "undecided"),
    "no null": ([0.8, 0.82, 0.81], [np.nan] * 3, "undecided"),
    "seeds that do not differ": ([0.8, 0.8, 0.8], [0.3, 0.3, 0.3], "supported"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_reading_is_judged_by_its_intervals(case):
    similarity, null, verdict = CASES[case]
    assert finding(similarity, null).verdict == verdict


def test_the_strongest_null_of_each_seed_counts():
    found = finding([0.8, 0.8, 0.8], [0.1, 0.7, np.nan], [0.6, 0.2, 0.3])
    assert found.null.mean == pytest.approx((0.6 + 0.7 + 0.3) / 3)
    assert found.excess.mean == pytest.approx(0.8 - (0.6 + 0.7 + 0.3) / 3)
    assert (found.similarity.n, found.excess.n) == (3, 3)


def test_no_value_at_all_is_no_verdict():
    found = finding([np.nan, np.nan, np.nan], [np.nan] * 3)
    assert (found.verdict, found.similarity.n, found.excess.mean) == ("undecided", 0, None)


def test_one_reading_is_enough_to_support_and_all_are_needed_to_refuse():
    assert any_of(["not supported", "supported", "undecided"]) == "supported"
    assert any_of(["not supported", "undecided"]) == "undecided"
    assert any_of(["not supported", "not supported"]) == "not supported"
    assert any_of([]) == "undecided"
    assert CODE["supported"] > CODE["undecided"] > CODE["not supported"]

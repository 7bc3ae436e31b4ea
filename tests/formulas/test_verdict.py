import numpy as np
import pytest
from scipy import stats

from seedscope.formulas.verdict import CODE, LEVEL, any_of, find


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


def test_p_is_the_larger_of_two_one_sided_t_tests():
    rng = np.random.default_rng(0)
    similarity, null = rng.normal(0.62, 0.1, 6), rng.normal(0.4, 0.1, 6)
    above_null = stats.ttest_1samp(similarity - null, 0, alternative="greater").pvalue
    above_bound = stats.ttest_1samp(similarity, 0.5, alternative="greater").pvalue
    assert finding(similarity, null).p == pytest.approx(max(above_null, above_bound))
    low = finding(similarity - 0.4, null)
    assert low.p == pytest.approx(stats.ttest_1samp(similarity - 0.4, 0.5, alternative="greater").pvalue)
    assert finding([0.8, 0.8, 0.8], [0.3, 0.3, 0.3]).p == 0
    assert finding([0.8, 0.82], [0.3, 0.3]).p is None


def verdicts(*readings):
    return any_of({str(index): finding(*reading) for index, reading in enumerate(readings)})


YES, NO, OPEN = ([0.8, 0.82, 0.81], [0.3, 0.3, 0.2]), ([0.4, 0.42, 0.41], [0.1, 0.1, 0.1]), ([0.4, 0.6, 0.5], [0.1] * 3)


def test_one_reading_is_enough_to_support_and_all_are_needed_to_refuse():
    found, verdict = verdicts(NO, YES, OPEN)
    assert verdict == "supported"
    assert [one.verdict for one in found.values()] == ["not supported", "supported", "undecided"]
    assert verdicts(NO, OPEN)[1] == "undecided"
    assert verdicts(NO, NO)[1] == "not supported"
    assert any_of({}) == ({}, "undecided")
    assert CODE["supported"] > CODE["undecided"] > CODE["not supported"]


def test_what_one_reading_alone_supports_is_undecided_as_one_of_three():
    clear = (0.5 + np.array([0.05, 0.07, 0.09]), [0.1] * 3)
    assert finding(*clear).verdict == "supported"
    assert finding(*clear).p > LEVEL / 3
    found, verdict = verdicts(clear, NO, OPEN)
    assert (found["0"].verdict, verdict) == ("undecided", "undecided")
    assert found["0"].p == pytest.approx(3 * finding(*clear).p)


def test_of_three_readings_of_nothing_one_in_forty_is_supported():
    """Planted: similarity is as near to the bound and to its null as can be. Uncorrected it is one in fourteen."""
    rng, seen, uncorrected = np.random.default_rng(0), 0, 0
    for _ in range(600):
        readings = {str(index): finding(0.5 + rng.normal(0, 0.1, 5), np.zeros(5)) for index in range(3)}
        seen += any_of(readings)[1] == "supported"
        uncorrected += any(one.verdict == "supported" for one in readings.values())
    assert seen / 600 < 0.04
    assert uncorrected / 600 == pytest.approx(0.073, abs=0.025)

"""The rule of a verdict: what lies beyond, short of, and across a bound; the p of a claim; who is taken for whom."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seedscope.formulas.finding import Bound, all_of, p_of_all, passes, smallest_p
from seedscope.formulas.intervals import Interval, holm, mean_interval
from seedscope.formulas.nulls import permutation_p

GAIN = Bound(0.0, above=True, worth=0.05)
SHARE = Bound(0.44, above=False, worth=0.44)


def found(low, high, mean=None):
    return Interval((low + high) / 2 if mean is None else mean, low, high, 5)


@pytest.mark.parametrize(
    ("bound", "low", "high", "passed", "expected"),
    [
        (GAIN, 0.01, 0.2, True, "holds"),
        (GAIN, 0.01, 0.2, False, "undecided"),  # beyond, and not more than chance
        (GAIN, -0.1, 0.3, True, "undecided"),
        (GAIN, -0.02, 0.04, False, "does not hold"),  # not above 0, and nothing worth saying
        (GAIN, -0.02, 0.04, True, "does not hold"),  # whatever the test says
        (GAIN, 0.01, 0.04, True, "does not hold"),  # surely there, and surely too small to be worth saying
        (GAIN, 0.01, 0.07, True, "undecided"),  # there; its mean, 0.04, is not worth saying, but it may be more
        (GAIN, 0.02, 0.1, True, "holds"),  # there, and its mean, 0.06, worth saying
        (SHARE, 0.2, 0.4, True, "holds"),
        (SHARE, 0.4, 0.5, True, "undecided"),
        (SHARE, 0.5, 0.6, True, "does not hold"),
    ],
)
def test_a_number_is_beyond_its_bound_short_of_what_is_worth_saying_or_neither(bound, low, high, passed, expected):
    assert bound.verdict(found(low, high), passed=passed) == expected
    mirrored = Bound(-bound.at, not bound.above, -bound.worth)
    assert mirrored.verdict(found(-high, -low), passed=passed) == expected


def test_what_is_asked_is_said_in_words():
    assert [of.asked for of in (GAIN, SHARE, Bound(0.0, above=False, worth=-0.1))] == [
        "> 0, mean ≥ 0.05",
        "< 0.44",
        "< 0, mean ≤ -0.1",
    ]


def test_without_an_interval_nothing_is_decided_and_what_all_seeds_share_is():
    assert GAIN.verdict(Interval(0.3, None, None, 1)) == "undecided"
    assert GAIN.verdict(Interval(None, None, None, 0)) == "undecided"
    assert GAIN.verdict(Interval(0.3, None, None, 5, same=True)) == "holds"
    assert GAIN.verdict(Interval(0.0, None, None, 5, same=True)) == "does not hold"


def test_room_and_shortfall_are_in_half_widths():
    assert GAIN.room(found(0.1, 0.3)) == pytest.approx(1.0)  # the interval is 0.1 = 1 half-width above 0
    assert GAIN.room(found(0.01, 0.07)) == pytest.approx(-1 / 3)  # the mean lacks 0.01 of 0.05
    assert GAIN.shortfall(found(-0.03, 0.01)) == pytest.approx(2.0)
    assert SHARE.room(found(0.2, 0.4)) == pytest.approx(0.4)
    assert SHARE.shortfall(found(0.5, 0.6)) == pytest.approx(1.2)
    assert GAIN.room(Interval(0.3, None, None, 1)) == GAIN.shortfall(Interval(0.3, None, None, 1)) == -math.inf
    assert GAIN.room(Interval(0.3, None, None, 5, same=True)) == math.inf
    assert GAIN.room(Interval(0.05, None, None, 5, same=True)) == 0


def test_a_claim_holds_where_all_conditions_do_and_does_not_where_one_does_not():
    assert all_of(["holds", "holds"]) == "holds"
    assert all_of(["holds", "holds"], passed=False) == "undecided"
    assert all_of(["holds", "undecided"]) == "undecided"
    assert all_of(["undecided", "does not hold"], passed=False) == "does not hold"
    assert all_of([]) == "undecided"


def test_the_p_of_a_claim_is_the_largest_of_its_conditions():
    assert p_of_all([0.01, 0.04]) == 0.04
    assert p_of_all([0.01, None]) is None
    assert p_of_all([]) is None
    assert [passes(p) for p in (0.05, 0.051, None)] == [True, False, False]


def test_the_smallest_p_is_that_of_the_draws_and_of_a_t_test_there_is_none():
    least = permutation_p(1.0, np.zeros(200))
    assert smallest_p(least, 200) == least == 1 / 201
    assert smallest_p(37 / 201, 200) == 1 / 201
    assert smallest_p(None, 10) == 1 / 11  # not even computed, of so few
    assert smallest_p(6e-6, 1) == smallest_p(0.7, 1) == 0  # of a t test: half and whole are all that one draw gives
    assert smallest_p(0.03, None) == 0


def test_no_true_null_is_taken_for_a_claim_in_more_than_a_twentieth_of_the_experiments():
    """Twelve claims of two conditions; of each one condition is true by a wide margin, the other is a null."""
    rng = np.random.default_rng(0)
    taken = []
    for null in rng.uniform(size=(2000, 12)):
        p = [p_of_all([1e-4, one]) for one in null.tolist()]
        taken.append(holm(np.array(p)).min() <= 0.05)
    assert np.mean(taken) <= 0.06  # 0.05, and two standard errors


def test_a_gain_that_is_just_worth_saying_is_refuted_in_one_case_of_forty_at_most():
    rng = np.random.default_rng(1)
    refuted = [
        GAIN.verdict(mean_interval(seeds)) == "does not hold" for seeds in rng.normal(0.05, 0.05, size=(2000, 5))
    ]
    assert 0.015 < np.mean(refuted) < 0.035

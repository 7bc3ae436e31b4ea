"""The rule of a verdict: what lies beyond, short of, and across a bound."""

from __future__ import annotations

import pytest

from seedscope.formulas.finding import Bound, all_of

GAIN = Bound(0.0, above=True, worth=0.05)
SHARE = Bound(0.44, above=False, worth=0.44)


@pytest.mark.parametrize(
    ("bound", "low", "high", "p", "expected"),
    [
        (GAIN, 0.01, 0.2, 0.04, "holds"),
        (GAIN, 0.01, 0.2, None, "holds"),
        (GAIN, 0.01, 0.2, 0.06, "undecided"),  # beyond, and not more than chance
        (GAIN, -0.1, 0.2, 0.01, "undecided"),
        (GAIN, -0.02, 0.04, 0.5, "does not hold"),  # not above 0, and nothing worth saying
        (GAIN, 0.01, 0.04, 0.01, "holds"),  # small, and there
        (GAIN, None, None, 0.01, "undecided"),
        (SHARE, 0.2, 0.4, None, "holds"),
        (SHARE, 0.4, 0.5, None, "undecided"),
        (SHARE, 0.5, 0.6, None, "does not hold"),
    ],
)
def test_a_number_is_beyond_its_bound_short_of_what_is_worth_saying_or_neither(bound, low, high, p, expected):
    assert bound.verdict(low, high, p) == expected


def test_a_claim_holds_where_all_conditions_do_and_does_not_where_one_does_not():
    assert all_of(["holds", "holds"]) == "holds"
    assert all_of(["holds", "undecided"]) == "undecided"
    assert all_of(["undecided", "does not hold"]) == "does not hold"
    assert all_of([]) == "undecided"

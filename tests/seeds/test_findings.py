"""Claims of lenses and numbers over seeds come together in verdicts; the claims are corrected as one family."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from seedscope.figures import Facts, Words
from seedscope.lenses.claims import Claim, above, below, gain, loss
from seedscope.seeds.findings import findings_of, findings_table
from seedscope.seeds.findings_sheet import findings_sheet
from tests.lenses.sheets import marks

CLAIMS = (
    Claim(
        "alike",
        "seeds are alike",
        (
            gain("r_gain_a", 0.05, "over a"),
            gain("r_gain_b", 0.05, "over b"),
            gain("r_gain_place", 0.05, "over places", where_known=True),
        ),
    ),
    Claim("few", "few do the work", (below("share", 0.44, "share"),)),
    Claim("there", "nobody measures this", (above("nothing", 1, "nothing"),)),
)


@dataclass
class Claiming:
    """A lens of which only the claims are asked."""

    said: tuple[Claim, ...] = CLAIMS

    def check(self, network): ...
    def measure(self, replica): ...
    def summarize(self, measured): ...
    def draw(self, measured): ...
    def claims(self):
        return self.said


def number(mean, low, high, **more):
    return {"mean": mean, "low": low, "high": high, "n": 5, **more}


@pytest.fixture
def metrics():
    return {
        "lens": {
            "r_gain_a": number(0.3, 0.2, 0.4, p=0.01, null=0.1, draws=99),
            "r_gain_b": number(0.2, 0.1, 0.3, p=0.04, null=0.2, draws=99),
            "share": number(0.3, None, None, same=True),
        }
    }


def found_of(metrics, claims=CLAIMS):
    return findings_of({"lens": Claiming(claims)}, metrics)


def test_the_claims_with_a_test_are_one_family_and_not_their_conditions(metrics):
    """Corrected by hand: p of the claims is max(0.01, 0.04), 0.002 and 0.03; of the third, 0.03 · 2, then 0.04 · 1."""
    metrics["lens"] |= {"second": number(0.3, 0.2, 0.4, p=0.002), "third": number(0.3, 0.2, 0.4, p=0.03)}
    others = [Claim(name, name, (gain(name, 0.05, name),)) for name in ("second", "third")]
    found = found_of(metrics, (*CLAIMS, *others))
    assert set(found) == {"alike", "few", "second", "third"}  # of a number that there is not nothing is claimed
    assert [found[key]["p"] for key in ("alike", "second", "third", "few")] == [0.04, 0.002, 0.03, None]
    assert [found[key]["p_corrected"] for key in ("alike", "second", "third")] == pytest.approx([0.06, 0.006, 0.06])
    assert [one["p"] for one in found["alike"]["conditions"].values()] == [0.01, 0.04]  # raw
    assert [one["verdict"] for one in found["alike"]["conditions"].values()] == ["holds", "holds"]
    assert (found["alike"]["verdict"], found["alike"]["decided_by"]) == ("undecided", "r_gain_b")  # the larger p
    assert found["alike"]["because"] == "p is 0.06, corrected for 3 claims"
    assert (found["second"]["verdict"], found["second"]["because"]) == ("holds", "")


def test_conditions_beyond_the_first_cost_a_claim_nothing(metrics):
    """Two conditions at 0.04 are one claim at 0.04; as members of the family they would be 0.08."""
    metrics["lens"]["r_gain_a"]["p"] = 0.04
    assert (found_of(metrics)["alike"]["verdict"], found_of(metrics)["alike"]["p_corrected"]) == ("holds", 0.04)
    metrics["lens"]["r_gain_b"]["p"] = 0.06
    assert found_of(metrics)["alike"]["because"] == "p is 0.06"


def test_a_p_that_nobody_asks_for_is_not_that_of_the_claim(metrics):
    metrics["lens"]["share"] = number(0.3, 0.2, 0.4, p=0.9, draws=9)
    claims = (Claim("both", "both", (below("share", 0.44, "share"), gain("r_gain_a", 0.05, "over a"))),)
    found = found_of(metrics, claims)["both"]
    assert (found["verdict"], found["p"], found["conditions"]["share"]["p"]) == ("holds", 0.01, None)


def test_too_few_draws_to_hold_is_said_in_words(metrics):
    """Of three claims, each at the smallest p of 19 draws: 0.05, and corrected 0.15."""
    metrics["lens"] |= {name: number(0.3, 0.2, 0.4, p=0.05, draws=19) for name in ("r_gain_a", "r_gain_b", "c", "d")}
    others = [Claim(name, name, (gain(name, 0.05, name),)) for name in ("c", "d")]
    found = found_of(metrics, (*CLAIMS, *others))
    words = "too few draws to hold: the smallest p of 19, corrected for 3 claims, is 0.15"
    assert found["alike"]["because"] == found["c"]["because"] == f"p is 0.15, corrected for 3 claims; {words}"
    assert found["alike"]["verdict"] == "undecided"
    for name in ("r_gain_a", "r_gain_b", "c", "d"):  # 99 draws would do: 0.03
        metrics["lens"][name] |= {"p": 0.4, "draws": 99}
    assert found_of(metrics, (*CLAIMS, *others))["alike"]["because"] == "p is 0.4"


def test_too_few_draws_for_any_p_are_said_and_a_t_test_needs_none(metrics):
    metrics["lens"]["r_gain_a"] |= {"p": None, "draws": 10}
    found = found_of(metrics)["alike"]
    assert found["because"].startswith("there is no p; too few draws to hold: the smallest p of 10, corrected for 1")
    assert (found["p"], found["decided_by"]) == (None, "r_gain_a")
    metrics["lens"]["r_gain_a"] |= {"p": 6e-6, "draws": 1}  # a t test over networks that were drawn once
    assert found_of(metrics)["alike"]["verdict"] == "holds"


def test_a_null_result_is_a_result_and_says_which_number_refutes(metrics):
    metrics["lens"]["r_gain_a"] = number(0.04, 0.035, 0.045, p=0.01, null=0.2, draws=99)
    metrics["lens"]["r_gain_b"] = number(0.01, -0.02, 0.04, p=0.3, null=0.2, draws=99)
    found = found_of(metrics)["alike"]
    assert found["verdict"] == "does not hold"
    assert found["decided_by"] == "r_gain_a"  # short of 0.05 by 0.005 = 1 half-width; the other by 0.01 of 0.03
    assert found["because"] == "all of the interval is below 0.05: above 0, and too little to be worth saying"
    metrics["lens"]["r_gain_a"] = number(0.3, 0.2, 0.4, p=0.01, null=0.2, draws=99)
    found = found_of(metrics)["alike"]
    assert (found["decided_by"], found["because"]) == ("r_gain_b", "all of the interval is below 0.05")
    assert [one["verdict"] for one in found["conditions"].values()] == ["holds", "does not hold"]


def test_the_number_that_decides_is_the_least_sure_of_what_holds_and_the_furthest_from_it_of_what_is_open(metrics):
    assert found_of(metrics)["alike"]["decided_by"] == "r_gain_b"  # 1 half-width above 0, the other 2
    metrics["lens"]["r_gain_a"] = number(0.1, -0.01, 0.21, p=0.01)
    metrics["lens"]["r_gain_b"] = number(0.1, -0.1, 0.3, p=0.04)
    metrics["lens"]["r_gain_place"] = number(0.3, 0.2, 0.4, p=0.01)
    found = found_of(metrics)["alike"]
    assert (found["verdict"], found["decided_by"]) == ("undecided", "r_gain_b")
    assert found["because"] == "the interval reaches 0"
    metrics["lens"]["r_gain_b"] = number(0.04, 0.01, 0.07, p=0.04)
    metrics["lens"]["r_gain_a"] = number(0.3, 0.2, 0.4, p=0.01)
    assert found_of(metrics)["alike"]["because"] == "the mean is below 0.05, which would be worth saying"


def test_what_is_the_same_in_every_seed_is_judged_and_what_is_not_known_is_undecided(metrics):
    few = found_of(metrics)["few"]
    assert (few["verdict"], few["conditions"]["share"]["same"]) == ("holds", True)
    metrics["lens"]["share"] = number(0.5, None, None, same=True)
    assert found_of(metrics)["few"]["because"] == "in every seed it is above 0.44"
    metrics["lens"]["share"] = number(None, None, None)
    metrics["lens"]["r_gain_a"]["p"] = float("nan")
    found = found_of(metrics)
    assert found["few"]["verdict"] == found["alike"]["verdict"] == "undecided"
    assert (found["few"]["because"], found["alike"]["because"]) == ("no interval", "there is no p")
    json.dumps(found, allow_nan=False)


def test_what_is_the_same_in_every_seed_is_no_sample_and_needs_no_p(metrics):
    metrics["lens"]["r_gain_a"] = number(0.3, None, None, same=True)
    of = found_of(metrics)["alike"]
    assert (of["verdict"], of["p"]) == ("holds", 0.04)
    metrics["lens"]["r_gain_a"] = number(0.01, None, None, same=True)
    assert found_of(metrics)["alike"]["because"].startswith("in every seed it is below 0.05")


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ((-0.2, -0.3, -0.1), "holds"),
        ((-0.03, -0.04, -0.02), "does not hold"),  # below 0, and by too little
        ((0.1, 0.05, 0.15), "does not hold"),
        ((-0.2, -0.5, 0.1), "undecided"),
    ],
)
def test_a_loss_is_the_mirror_image_of_a_gain(metrics, numbers, verdict):
    metrics["lens"]["share_gain_chance"] = number(*numbers, p=0.01)
    claims = (Claim("less", "it is less", (loss("share_gain_chance", 0.05, "less than chance"),)),)
    assert found_of(metrics, claims)["less"]["verdict"] == verdict


def test_what_rests_on_places_alone_is_not_claimed_where_none_are_known(metrics):
    claim = Claim("places", "places", (gain("r_gain_place", 0.05, "over places", where_known=True),))
    assert found_of(metrics, (claim,)) == {}


def test_the_table_and_the_sheet_say_every_claim_and_its_numbers(metrics):
    found = found_of(metrics)
    table = findings_table(found)
    assert table["metric"].tolist() == ["r_gain_a", "r_gain_b", "share"]
    assert table[["p_corrected", "p"]].values.tolist()[:2] == [[0.04, 0.01], [0.04, 0.04]]
    said = [one.text for one in marks(findings_sheet(Facts("toy", seeds=(0, 1)), found).body, Words)]
    assert {"seeds are alike", "few do the work", "0.3 [0.2, 0.4]", "holds", "> 0, mean ≥ 0.05", "< 0.44"} <= set(said)
    assert {"0.01", "0.04", "0.3, all alike"} <= set(said)
    assert not [one for one in said if one.startswith("→")]  # nothing to explain


def test_the_sheet_says_why_a_claim_does_not_hold_below_the_number_that_decides(metrics):
    metrics["lens"]["r_gain_a"] = number(0.02, 0.01, 0.03, p=0.01)
    sheet = findings_sheet(Facts("toy", seeds=(0, 1)), found_of(metrics))
    at = {one.text: one.y for one in marks(sheet.body, Words)}
    (why,) = [words for words in at if words.startswith("→")]
    assert why == "→ all of the interval is below 0.05: above 0, and too little to be worth saying"
    assert at["over a"] < at[why] < at["over b"]


def test_lenses_that_claim_nothing_find_nothing(metrics):
    assert findings_of({"lens": object()}, metrics) == {}

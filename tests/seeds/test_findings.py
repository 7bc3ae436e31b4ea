"""Claims of lenses and numbers over seeds come together in verdicts, corrected as one family."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from seedscope.figures import Facts, Words
from seedscope.formulas.intervals import holm
from seedscope.lenses.claims import Claim, above, below, gain
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

    def check(self, network): ...
    def measure(self, replica): ...
    def summarize(self, measured): ...
    def draw(self, measured): ...
    def claims(self):
        return CLAIMS


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


def test_p_values_of_all_claims_are_one_family(metrics):
    found = findings_of({"lens": Claiming()}, metrics)
    assert set(found) == {"alike", "few"}  # of a number that there is not nothing is claimed
    conditions = found["alike"]["conditions"]
    assert [one["p_corrected"] for one in conditions.values()] == holm([0.01, 0.04]).tolist()
    assert found["alike"]["verdict"] == "holds"
    metrics["lens"]["r_gain_a"]["p"] = 0.04
    assert findings_of({"lens": Claiming()}, metrics)["alike"]["verdict"] == "undecided"  # 0.08, corrected


def test_a_null_result_is_a_result(metrics):
    metrics["lens"]["r_gain_b"] = number(0.01, -0.02, 0.04, p=0.3, null=0.2, draws=99)
    found = findings_of({"lens": Claiming()}, metrics)
    assert found["alike"]["verdict"] == "does not hold"
    assert [one["verdict"] for one in found["alike"]["conditions"].values()] == ["holds", "does not hold"]


def test_what_is_the_same_in_every_seed_is_judged_and_what_is_not_known_is_undecided(metrics):
    assert findings_of({"lens": Claiming()}, metrics)["few"]["verdict"] == "holds"
    metrics["lens"]["share"] = number(None, None, None)
    metrics["lens"]["r_gain_a"]["p"] = None
    found = findings_of({"lens": Claiming()}, metrics)
    assert found["few"]["verdict"] == found["alike"]["verdict"] == "undecided"
    json.dumps(found, allow_nan=False)


def test_the_table_and_the_sheet_say_every_claim_and_its_numbers(metrics):
    found = findings_of({"lens": Claiming()}, metrics)
    assert findings_table(found)["metric"].tolist() == ["r_gain_a", "r_gain_b", "share"]
    said = [one.text for one in marks(findings_sheet(Facts("toy", seeds=(0, 1)), found).body, Words)]
    assert {"seeds are alike", "few do the work", "0.3 [0.2, 0.4]", "holds", "> 0"} <= set(said)


def test_lenses_that_claim_nothing_find_nothing(metrics):
    assert findings_of({"lens": object()}, metrics) == {}

"""The shares of place and noise as a curve over the setting at which the pictures were crossed."""

import numpy as np
import pytest

from seedscope.figures import Line, Rule, panels_of
from seedscope.files.errors import SeedscopeError
from seedscope.lenses.variation import Variation
from seedscope.lenses.variation.measure import level_of_zero

from .sheets import marks
from .varied import settings_design, vary

LENS = Variation("fc1", "fc2")


def planted_settings(replica, values, base=2.0):
    """Return the replica with votes that are the place's and ``level`` times the noise's, of equal variance at 1."""
    factors, rng = settings_design(range(3), values), np.random.default_rng(2)
    unit = rng.normal(0, 1, (3, 6, 12)), rng.normal(0, 1, (3, 5, 12))
    place, noise = ((one - one.mean(1, keepdims=True)) / one.std(1, ddof=1, keepdims=True) for one in unit)
    label, level = factors["label"], np.where(np.isnan(factors["level"]), base, factors["level"])
    of_noise = level[:, None] * noise[label, factors["noise_draw"]]
    replica = vary(replica, 50 + place[label, factors["place"] - 6 * label] + of_noise, **factors)
    replica.variations["level"].attrs = {"crossed_noise": "how strong it is", "crossed_noise_base": base}
    return replica


def test_the_share_of_place_is_a_curve_over_the_setting(look, random_replica):
    seen = look(LENS, planted_settings(random_replica(), [0.5, 1, 4]), draw="vote_variance_by_setting", rendered=True)
    measured, levels_there = seen.measured, np.array([0.5, 1, 2, 4])
    np.testing.assert_array_equal(measured.setting_level, levels_there)
    assert measured.setting_base.values.tolist() == [False, False, True, False]
    place = 1 / (1 + levels_there**2)
    np.testing.assert_allclose(measured.setting_share, [place, 1 - place, 0 * place], atol=1e-12)
    assert seen.summary["place_share"] == pytest.approx(1 / 5)
    assert seen.summary["place_share_at_noise_2"] == pytest.approx(seen.summary["place_share"])
    assert seen.summary["place_share_at_noise_0_5"] == pytest.approx(1 / 1.25)
    assert seen.summary["noise_at_which_place_and_noise_are_even"] == pytest.approx(1)
    (panel,) = panels_of(seen.sheets["vote_variance_by_setting"].body)
    assert panel.x.label == "how strong it is"
    assert 2.0 in [rule.at for rule in marks(panel, Rule)]
    np.testing.assert_allclose(marks(panel, Line)[0].y, place)
    table = seen.sheets["vote_variance_by_setting"].table
    assert table.query("source == 'place' and base")["share"].item() == pytest.approx(1 / 5)


def test_curves_over_the_setting_are_compared_over_seeds(look, compared, random_replica):
    measured = {
        seed: look(LENS, planted_settings(random_replica(seed=seed, dead=range(seed)), [0.5, 1, 4]), draw=None).measured
        for seed in (0, 1, 2)
    }
    sheets = {sheet.name: sheet for sheet in compared(LENS, measured, rendered=True).sheets}
    table = sheets["vote_variance_by_setting_across_seeds"].table.query("source == 'noise' and level == 4")
    assert table["n"].item() == 3
    assert table["mean"].item() == pytest.approx(16 / 17)


def test_settings_without_a_base_are_shown_without_it_and_must_be_crossed_too(look, random_replica):
    replica = planted_settings(random_replica(), [0.5, 1])
    replica.variations["level"].attrs = {}
    seen = look(LENS, replica, draw="vote_variance_by_setting")
    assert seen.measured.setting_level.values.tolist() == [0.5, 1]
    factors = {name: values[:-1] for name, values in settings_design(range(3), [0.5, 1]).items()}
    with pytest.raises(SeedscopeError, match="class 2 has 29 crossed pictures"):
        LENS.measure(vary(replica, np.ones((len(factors["label"]), 12)), **factors))


@pytest.mark.parametrize(
    ("values", "found"),
    [([3, 1, -1, -2], 0.4), ([-1, -3, 3, 4], 0.4), ([0, 1, 2, 3], 0.2), ([2, 1, 1, 0], 0.6), ([3, 2, 2, 1], np.nan)],
)
def test_the_level_at_which_two_are_even(values, found):
    assert level_of_zero(np.array([0.2, 0.3, 0.5, 0.6]), np.array(values, float)) == pytest.approx(found, nan_ok=True)

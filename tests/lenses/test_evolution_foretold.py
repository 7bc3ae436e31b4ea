"""What step 0 says of the end, on replicas in which it is planted."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import roc_auc_score

from seedscope.figures import Dots, panels_of
from seedscope.formulas.nulls import permutation_p
from seedscope.formulas.votes import VERSIONS, Votes, dominance
from seedscope.lenses.evolution import Evolution
from seedscope.lenses.evolution.foretold import CUES, PREDICTORS, foretold

from .followed import follow
from .sheets import marks, panel_of

LENS = Evolution("fc1", "fc2", top=3)
CLASSES, UNITS, PICTURES = 5, 40, 200


def ends(replica_of, *, seed=0, means=None, dead=(), asleep=(), weight=None):
    """Return a replica of two frames and its random initial head.

    Args:
        means: makes of the initial head and the initial class means, (class, unit), the class means of the last frame.
        dead: units that are so in the end.
        asleep: units that are so at step 0.
        weight: (frame, class, unit); without it the head stays as it is.
    """
    rng = np.random.default_rng(seed)
    label = np.arange(PICTURES) % CLASSES
    head = rng.normal(0, 1, (CLASSES, UNITS)) if weight is None else weight[0]
    early = rng.uniform(0.5, 1.5, (CLASSES, UNITS))
    late = rng.uniform(0.5, 1.5, (CLASSES, UNITS)) if means is None else means(head, early)
    activation = np.stack([early[label], late[label]]) * rng.uniform(0.95, 1.05, (2, PICTURES, UNITS))
    activation[0][:, list(asleep)], activation[1][:, list(dead)] = 0, 0
    weight = np.stack([head, head]) if weight is None else weight
    replica = replica_of(activation[1], weight[1], np.zeros(CLASSES), label)
    return follow(replica, activation, weight, np.zeros((2, CLASSES)), steps=(0, 100))


@pytest.mark.parametrize(
    ("means", "found"),
    [
        (lambda head, _: 3 + head - head.mean(0), "initial_head"),
        (lambda _, early: 2 * early, "initial_tuning"),
    ],
)
def test_what_a_unit_will_mean_is_read_from_where_it_was_planted(look, replica_of, means, found):
    seen = look(LENS, ends(replica_of, means=means, dead=(3,)), draw=None)
    (other,) = set(PREDICTORS) - {found}
    assert seen.summary[f"tuning_from_{found}"] == pytest.approx(1, abs=0.02)
    assert seen.summary[f"tuning_from_{found}_pooled"] == pytest.approx(1, abs=0.02)
    assert seen.summary[f"tuning_from_{found}_null_shuffled"] == pytest.approx(0, abs=0.15)
    assert seen.summary[f"tuning_from_{other}"] == pytest.approx(0, abs=0.3)
    gain = seen.summary["tuning_from_initial_head_gain_initial_tuning"]
    assert gain == pytest.approx(1 if found == "initial_head" else -1, abs=0.3)
    drawn = seen.measured.tuning_foretold_null_shuffled.sel(predictor=found).values
    assert permutation_p(seen.summary[f"tuning_from_{found}"], drawn) == pytest.approx(1 / 2001)
    assert seen.summary["initial_head_kept"] == pytest.approx(1)


def test_what_foretells_tuning_is_pearsons_r_of_each_unit_over_classes(look, replica_of):
    replica = ends(replica_of, seed=2, dead=(0, 7), asleep=(1, 7))
    seen = look(LENS, replica, draw=None)
    label = replica.probe.label.values
    first, last = (
        np.stack([of[label == k].mean(0) for k in range(CLASSES)]) for of in replica.activations["fc1_frames"].values
    )
    head = replica.frames["fc2.weight"].values[0]
    live = [unit for unit in range(UNITS) if unit not in (0, 7)]
    both = [unit for unit in live if unit != 1]
    of_tuning = {unit: pearsonr(first[:, unit], last[:, unit]).statistic for unit in both}
    measured = seen.measured.tuning_foretold.values
    centred = head - head.mean(0)
    of_head = {unit: pearsonr(centred[:, unit], last[:, unit]).statistic for unit in live}
    np.testing.assert_allclose(measured[0, live], list(of_head.values()))
    np.testing.assert_allclose(measured[1, both], list(of_tuning.values()))
    assert np.isnan(measured[0, [0, 7]]).all()
    assert np.isnan(measured[1, [0, 1, 7]]).all()
    gain = np.mean([of_head[unit] - of_tuning[unit] for unit in both])
    assert seen.summary["tuning_from_initial_head_gain_initial_tuning"] == pytest.approx(gain)
    flat = (last - last.mean(0))[:, live].ravel()
    assert seen.summary["tuning_from_initial_head_pooled"] == pytest.approx(pearsonr(centred[:, live].ravel(), flat)[0])


def test_the_shuffles_deal_the_initial_rows_out_to_the_live_units(look, replica_of):
    replica = ends(replica_of, dead=range(36))
    measured = look(LENS, replica, draw=None).measured
    label, head = replica.probe.label.values, replica.frames["fc2.weight"].values[0]
    last = replica.activations["fc1_frames"].values[1]
    tuning = np.stack([last[label == k].mean(0) for k in range(CLASSES)])[:, 36:]
    every = np.corrcoef((head - head.mean(0))[:, 36:].T, tuning.T)[:4, 4:]
    possible = [every[list(order), np.arange(4)].mean() for order in permutations(range(4))]
    drawn = measured.tuning_foretold_null_shuffled.sel(predictor="initial_head").values
    assert set(drawn.round(9)) == set(np.round(possible, 9))
    assert drawn.mean() == pytest.approx(np.mean(possible), abs=0.02)


def test_the_auc_stands_among_survivors_and_among_all_units_and_beside_its_sign(look, replica_of):
    replica = ends(replica_of, seed=3, dead=range(12), asleep=range(20, 25))
    seen = look(LENS, replica, draw=None)
    head = replica.frames["fc2.weight"].values[0]
    centred, units = head - head.mean(0), np.arange(UNITS)
    groups = {"": units >= 12, "_unconditioned": np.ones(UNITS, dtype=bool)}
    for name, group in groups.items():
        member = [np.isin(units, seen.measured.top.values[k]) for k in range(CLASSES)]
        weight = [roc_auc_score(m[group], centred[k][group]) for k, m in enumerate(member)]
        sign = [roc_auc_score(m[group], np.sign(centred[k][group])) for k, m in enumerate(member)]
        metric = f"top3_head_auc_at_start{name}"
        assert seen.summary[metric] == pytest.approx(np.mean(weight))
        assert seen.summary[f"{metric}_null_sign"] == pytest.approx(np.mean(sign))
        assert seen.summary[f"{metric}_gain_sign"] == pytest.approx(np.mean(weight) - np.mean(sign))
    assert seen.measured.units_ever_live == UNITS


def test_units_that_are_dead_at_both_ends_are_nobody_to_stand_above(look, replica_of):
    seen = look(LENS, ends(replica_of, dead=(0, 1, 2), asleep=(1, 2, 3)), draw=None)
    assert seen.measured.units_ever_live == UNITS - 2


def test_a_head_whose_signs_say_it_all_gains_nothing_by_its_sizes(look, replica_of):
    rng = np.random.default_rng(1)
    signs = np.where(rng.permuted(np.tile(np.arange(UNITS) < 12, (CLASSES, 1)), axis=1), 1.0, -1.0)
    sizes = np.stack([rng.uniform(1, 2, (CLASSES, UNITS)) for _ in range(2)])
    sizes[1] *= 1 + 5 * (rng.random((CLASSES, UNITS)) < 0.3)  # who is largest in the end was not to be seen
    seen = look(LENS, ends(replica_of, weight=signs * sizes, means=lambda *_: np.ones((CLASSES, UNITS))), draw=None)
    assert seen.summary["top3_head_auc_at_start_null_sign"] > 0.75
    assert abs(seen.summary["top3_head_auc_at_start_gain_sign"]) < 0.12


def test_top_sets_of_every_version_are_ranked_by_the_same_weights(look, replica_of):
    replica = ends(replica_of, seed=4, dead=(5, 6))
    summary = look(LENS, replica, draw=None).summary
    label, head = replica.probe.label.values, replica.frames["fc2.weight"].values
    end = Votes(replica.activations["fc1_frames"].values[1], head[1], np.zeros(CLASSES))
    live = end.live
    for version, ranked in zip(VERSIONS, dominance(end, label, CLASSES), strict=True):
        expected = []
        for k in range(CLASSES):
            member = np.argsort(-np.where(live, ranked[k], -np.inf))[:3]
            weight = head[0, k] - head[0].mean(0)
            expected.append(roc_auc_score(np.isin(np.flatnonzero(live), member), weight[live]))
        name = "top3_head_auc_at_start" + ("" if version == "centred" else f"_{version}")
        assert summary[name] == pytest.approx(np.mean(expected))


def test_who_lives_on_is_told_by_what_was_planted_and_by_nothing_else(look, replica_of):
    rng = np.random.default_rng(6)
    replica = ends(replica_of, dead=range(20), asleep=(38, 39))
    activation = replica.activations["fc1_frames"].values
    activation[0, rng.random((PICTURES, UNITS)) < np.where(np.arange(UNITS) < 20, 0.8, 0.2)] = 0
    head = replica.frames["fc2.weight"].values
    logit = np.einsum("fsi,fti->fst", activation, head)
    replica.activations["logit_frames"][:] = logit
    seen = look(LENS, replica, draw=None)
    assert seen.summary["survival_from_initial_activity"] == 1
    assert 0.25 < seen.summary["survival_from_initial_head"] < 0.75
    units = np.arange(38)  # of the last two, asleep at step 0, nothing is asked
    share = (activation[0] != 0).mean(0)[units]
    assert seen.summary["survival_from_initial_activity"] == roc_auc_score(units >= 20, share)
    largest = (head[0] - head[0].mean(0)).max(0)[units]
    assert seen.summary["survival_from_initial_head"] == pytest.approx(roc_auc_score(units >= 20, largest))


def test_unrelated_ends_reject_at_the_nominal_rate():
    rng = np.random.default_rng(7)
    label, rejected = np.arange(30) % 3, {}
    for trial in range(100):
        start, end = (
            Votes(rng.random((30, 24)) * (rng.random((30, 24)) < 0.5), rng.normal(0, 1, (3, 24)), np.zeros(3))
            for _ in range(2)
        )
        end.activation[:, rng.permutation(24)[:10]] = 0
        found = foretold(start, end, label, 3, 3, trial)
        p = {"tuning": (np.nanmean(found["tuning_foretold"][1][0]), found["tuning_foretold_null_shuffled"][1][0])}
        for name in (*(f"survival_{cue}" for cue in CUES), "head_auc_unconditioned", "head_auc_mean_subtracted"):
            p[name] = found[f"{name}_mean"][1], found[f"{name}_null_shuffled_at_start"][1]
        for name, (value, drawn) in p.items():
            rejected[name] = rejected.get(name, 0) + (permutation_p(float(value), drawn) <= 0.05)
    assert max(rejected.values()) <= 11  # of 100; at 5 % one test in two hundred has more


def test_when_the_last_class_settled_stands_beside_the_mean(look, replica_of):
    seen = look(LENS, ends(replica_of), draw=None)
    at = seen.measured.settled_position.values
    epochs = seen.measured.epoch.values[at.astype(int)]
    assert seen.summary["top3_settled_epoch"] == epochs.mean()
    assert seen.summary["top3_last_class_settled_epoch"] == epochs.max() == 10
    assert epochs.min() < 10 or (epochs == 10).all()


def test_the_sheet_shows_units_means_and_signs(look, replica_of):
    seen = look(LENS, ends(replica_of, dead=(0,)), draw="from_step_0", rendered=True)
    sheet = seen.sheets["from_step_0"]
    each, *_ = marks(panel_of(sheet, "what a unit will mean"), Dots)
    np.testing.assert_array_equal(each.y, np.sort(seen.measured.tuning_foretold.values[0, 1:]))
    table = sheet.table.set_index("metric")["value"]
    for name in ("tuning_from_initial_head", "top3_head_auc_at_start_unconditioned", "survival_from_initial_head"):
        assert table[name] == pytest.approx(seen.summary[name])
    signs = [dots.y[0] for dots in marks(panel_of(sheet, "who will dominate"), Dots) if dots.shape == "s"]
    assert signs == pytest.approx(
        [seen.summary[f"top3_head_auc_at_start{which}_null_sign"] for which in ("", "_unconditioned")]
    )


def test_what_step_0_says_is_compared_over_seeds_with_its_nulls(look, replica_of, compared):
    measured = {seed: look(LENS, ends(replica_of, seed=seed), draw=None).measured for seed in range(4)}
    comparison = compared(LENS, measured)
    summaries = [LENS.summarize(one) for one in measured.values()]
    for name in ("tuning_from_initial_head", "survival_from_initial_activity", "top3_head_auc_at_start_raw"):
        metric = comparison.metrics[name]
        values = [summary[name] for summary in summaries]
        assert metric["n"] == np.isfinite(values).sum()
        if metric["n"]:
            assert metric["mean"] == pytest.approx(np.nanmean(values))
            assert 0 < metric["p"] <= 1
    drawn = np.mean([one.tuning_foretold_null_shuffled.values[0] for one in measured.values()], axis=0)
    assert comparison.metrics["tuning_from_initial_head"]["null"] == pytest.approx(drawn.mean())
    assert [bool(panel.empty) for panel in panels_of(comparison.sheets[1].body)] == [False, False, True]  # all live on

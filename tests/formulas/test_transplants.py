import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.special import log_softmax, rel_entr
from scipy.special import softmax as scipy_softmax
from sklearn.linear_model import LinearRegression

from seedscope.formulas.halves import halves
from seedscope.formulas.transplants import (
    SINGLY,
    TOGETHER,
    Fit,
    Host,
    live_in_both,
    mixed_means,
    mixed_p,
    random_matching,
    recovered,
    softmax,
)


def layer(units=6, samples=80, places=1, classes=3, seed=0):
    """Return activations of ReLU units (sample, unit, place) that know the class a little, and labels."""
    rng = np.random.default_rng(seed)
    label = np.arange(samples) % classes
    signal = np.random.default_rng(99).normal(0, 1, (classes, 4, places))[label]
    mix = rng.normal(0, 1, (4, units))
    noise = rng.normal(0, 0.7, (samples, units, places))
    return np.clip(np.einsum("scp,cu->sup", signal, mix) + noise, 0, None), label


def head(units, places=1, classes=3, seed=5):
    return np.random.default_rng(seed).normal(0, 1, (classes, units, places))


def host_of(activation, weight, label):
    return Host(activation, weight, np.einsum("sup,kup->ks", activation, weight), label)


@pytest.mark.parametrize("places", [1, 4])
def test_a_single_transplant_costs_what_a_forward_pass_with_it_costs(places, monkeypatch):
    monkeypatch.setattr("seedscope.formulas.transplants._CHUNK", 300)  # several parts
    (activation, label), weight = layer(places=places), head(6, places)
    host, stand_in = host_of(activation, weight, label), layer(places=places, seed=3)[0]
    found = host.singly(stand_in)
    before = log_softmax(host.logit, 0)
    rows = np.arange(len(label))
    for unit in range(6):
        changed = activation.copy()
        changed[:, unit] = stand_in[:, unit]
        logit = np.einsum("sup,kup->ks", changed, weight)
        after = log_softmax(logit, 0)
        expected = {
            "log_probability": (before - after)[label, rows].sum(),
            "divergence": rel_entr(np.exp(before), np.exp(after)).sum(),
            "flips": (logit.argmax(0) != host.logit.argmax(0)).sum(),
        }
        np.testing.assert_allclose(found[:, unit], [expected[name] for name in SINGLY], atol=1e-9)


def test_all_transplants_at_once_leave_what_a_forward_pass_with_them_leaves():
    (activation, label), weight = layer(places=2), head(6, 2)
    host, stand_in = host_of(activation, weight, label), layer(places=2, seed=3)[0]
    logit = np.einsum("sup,kup->ks", stand_in, weight)
    after = log_softmax(logit, 0)
    expected = {
        "log_probability": after[label, np.arange(len(label))].sum(),
        "divergence": -rel_entr(np.exp(log_softmax(host.logit, 0)), np.exp(after)).sum(),
        "agreement": (logit.argmax(0) == host.logit.argmax(0)).sum(),
        "accuracy": (logit.argmax(0) == label).sum(),
    }
    np.testing.assert_allclose(host.together(stand_in), [expected[name] for name in TOGETHER], atol=1e-9)
    np.testing.assert_allclose(softmax(host.logit), scipy_softmax(host.logit, axis=0), rtol=1e-12)


def split(a, b, label):
    """Return the fit of one half, both networks on the other half, and its labels."""
    half = halves(label)
    return Fit(a[half == 0], b[half == 0]), a[half == 1], b[half == 1], label[half == 1]


@pytest.mark.parametrize("places", [1, 3])
def test_a_permuted_and_rescaled_copy_takes_every_units_place_perfectly(places):
    a, label = layer(places=places)
    order, scale = np.array([3, 0, 5, 1, 4, 2]), np.array([0.5, 2, 3, 1, 7, 0.1])
    fit, own, test, classes = split(a, (a * scale[:, None] + 0.3)[:, order], label)
    rows, columns = fit.matching()
    assert order[columns].tolist() == rows.tolist()
    found = fit.by_partners(test, (rows, columns))
    np.testing.assert_allclose(found, own, atol=1e-9)
    host = host_of(own, head(6, places), classes)
    np.testing.assert_allclose(host.singly(found), 0, atol=1e-8)


def test_a_rotated_copy_needs_a_rotation_and_a_mixed_one_a_linear_map():
    a, label = layer(samples=300)
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(0, 1, (6, 6)))[0]
    fit, own, test, _ = split(a, 3 * np.einsum("sup,uv->svp", a, turn) - 1, label)
    np.testing.assert_allclose(fit.by_rotation(test), own, atol=1e-9)
    assert np.abs(fit.by_partners(test, fit.matching()) - own).mean() > 0.1 * own.std()
    fit, own, test, _ = split(a, np.einsum("sup,uv->svp", a, rng.normal(0, 1, (6, 6))), label)
    np.testing.assert_allclose(fit.by_linear_map(test), own, atol=0.02 * own.std())
    assert np.abs(fit.by_rotation(test) - own).mean() > 0.1 * own.std()


def test_maps_are_those_of_scipy_and_scikit_learn():
    (a, label), (b, _) = layer(samples=300), layer(units=6, samples=300, seed=1)
    fit, wanted, test, _ = split(a, b, label)
    own, other = fit.a[..., 0], fit.b[..., 0]
    turn, size = orthogonal_procrustes(other - other.mean(0), own - own.mean(0))
    extent = ((other - other.mean(0)) ** 2).sum()
    expected = own.mean(0) + (test[..., 0] - other.mean(0)) @ turn * (size / extent)
    np.testing.assert_allclose(fit.by_rotation(test)[..., 0], expected, atol=1e-9)
    matching = random_matching(6, 6, np.random.default_rng(0))
    found = fit.by_partners(test, matching)
    for i, j in zip(*matching, strict=True):
        line = LinearRegression().fit(other[:, [j]], own[:, i])
        np.testing.assert_allclose(found[:, i, 0], line.predict(test[:, j]), atol=1e-9)
    plane = LinearRegression().fit(other, own)
    off = [
        ((read - wanted[..., 0]) ** 2).mean() for read in (fit.by_linear_map(test)[..., 0], plane.predict(test[..., 0]))
    ]
    assert off[0] < 1.01 * off[1]  # it may shrink what the plane overfits


def test_the_rotation_of_unequal_layers_is_that_of_layers_filled_up_with_zeros():
    (a, label), (b, _) = layer(units=6, samples=200), layer(units=4, samples=200, seed=1)
    for own, other in ((a, b), (b, a)):
        fit, _, test, _ = split(own, other, label)
        pad = [(0, 0), (0, 6 - other.shape[1]), (0, 0)]
        wide = [(0, 0), (0, 6 - own.shape[1]), (0, 0)]
        filled = Fit(np.pad(fit.a, wide), np.pad(fit.b, pad))
        np.testing.assert_allclose(
            fit.by_rotation(test), filled.by_rotation(np.pad(test, pad))[:, : own.shape[1]], atol=1e-9
        )


def test_units_without_a_partner_stand_at_their_means():
    (a, label), (b, _) = layer(units=6), layer(units=4, seed=1)
    fit, own, test, _ = split(a, b, label)
    rows, columns = fit.matching()
    assert len(rows) == len(columns) == 4
    alone = np.setdiff1d(np.arange(6), rows)
    for found in (fit.by_partners(test, (rows, columns)), fit.unmapped(test, (rows, columns))):
        np.testing.assert_array_equal(found[:, alone], np.repeat(fit.a.mean(0)[None, alone], len(own), 0))
    np.testing.assert_array_equal(fit.unmapped(test, (rows, columns))[:, rows], test[:, columns])


def test_a_partner_that_says_nothing_leaves_a_map_at_its_means():
    a, label = layer(places=4)
    silent = np.repeat(np.random.default_rng(0).normal(0, 1, (1, 6, 4)), len(a), 0)
    fit, own, test, _ = split(a, silent, label)
    for found in (fit.by_partners(test, fit.matching()), fit.by_rotation(test), fit.by_linear_map(test)):
        np.testing.assert_allclose(found, fit.means(len(own)), atol=1e-12)


def test_class_means_are_those_of_the_fit_and_an_unseen_class_has_the_means_of_all():
    a, label = layer()
    fit = Fit(a[:40], a[:40])
    found = fit.class_means(label[:40], np.array([2, 0, 7]))
    np.testing.assert_allclose(found[0], a[:40][label[:40] == 2].mean(0))
    np.testing.assert_allclose(found[1], a[:40][label[:40] == 0].mean(0))
    np.testing.assert_allclose(found[2], a[:40].mean(0))


def test_random_matchings_are_one_to_one_and_as_large_as_they_can_be():
    rng = np.random.default_rng(0)
    for a, b in ((5, 3), (3, 5), (4, 4)):
        rows, columns = random_matching(a, b, rng)
        assert len(set(rows)) == len(set(columns)) == len(rows) == len(columns) == min(a, b)
        assert (rows < a).all()
        assert (columns < b).all()
        assert (np.diff(rows) > 0).all()


def test_what_is_recovered_by_hand_and_nothing_where_nothing_was_lost():
    found = recovered(np.array([[-2.0, -6.0], [-1.0, -1.0]]), np.array([[-5.0, -1.0]]), np.array([[-1.0, -1.0]]))
    np.testing.assert_allclose(found, [[0.75, np.nan], [1.0, np.nan]])


def test_means_over_pairs_are_spread_as_what_is_observed_is_around_their_own_mean():
    """Var(x̄ − mean of n draws) = (1 + 1/n) σ²/P of P pairs, by simulation and by hand."""
    rng = np.random.default_rng(0)
    few = [mixed_means(rng.normal([[0.0], [5], [1]], 1, (3, 6)), rng, 400) for _ in range(150)]
    assert np.mean([one.var() for one in few]) == pytest.approx((1 + 1 / 6) / 3, rel=0.05)
    assert np.mean(few) == pytest.approx(2, abs=0.1)
    off = rng.normal(0, 1, (20_000, 3)).mean(1) - rng.normal(0, 1, (20_000, 3, 6)).mean((1, 2))
    assert off.var() == pytest.approx((1 + 1 / 6) / 3, rel=0.05)
    assert mixed_means(np.array([[3.0, 4.0]]), rng, 400).tolist() == [3, 4]


def test_a_few_draws_of_each_pair_reject_what_is_one_of_them_at_the_level():
    """Spread by √(n / (n − 1)) a share of 0.066 would be rejected."""
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(2000):
        pairs = 3 * rng.standard_normal((10, 1))
        one = pairs[:, 0] + rng.standard_normal(10)
        rejected += mixed_p(one, pairs + rng.standard_normal((10, 6)), rng, 400) <= 0.05
    assert 70 <= rejected <= 118  # 100 and 2 standard errors, and a discrete p that is below its level


def test_p_is_no_finer_than_the_draws_are_many():
    draws = np.random.default_rng(0).normal(0, 1, (3, 6))
    far = np.full(3, 100.0)
    assert mixed_p(far, draws, np.random.default_rng(0), 5000) == 1 / 19
    assert mixed_p(far[:1], draws[:1], np.random.default_rng(0), 5000) == 1 / 7
    assert mixed_p(-far, draws, np.random.default_rng(0), 5000) == 1


@pytest.mark.parametrize("places", [1, 3])
def test_a_fit_with_its_samples_in_another_order_is_the_fit_of_samples_in_that_order(places):
    a, _ = layer(places=places)
    b, _ = layer(places=places, seed=1)
    order = np.random.default_rng(0).permutation(40)
    fit, moved = Fit(a[:40], b[:40]), Fit(a[:40], b[:40][order])
    rows, columns = fit.matching(order)
    assert [of.tolist() for of in moved.matching()] == [rows.tolist(), columns.tolist()]
    np.testing.assert_allclose(
        fit.by_partners(b[40:], (rows, columns), order), moved.by_partners(b[40:], (rows, columns))
    )


def test_units_take_part_where_both_halves_see_them_active():
    values = np.zeros((4, 3, 2))
    values[0, 0, 1] = values[3, 0, 0] = values[1, 1, 0] = 1
    assert live_in_both(values, np.array([0, 0, 1, 1])).tolist() == [True, False, False]

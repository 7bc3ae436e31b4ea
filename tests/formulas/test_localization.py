import itertools

import numpy as np
import pytest

from seedscope.formulas.boxes import Boxes
from seedscope.formulas.localization import added_up, best_cells, normalised, reduced
from seedscope.lenses.heat_maps.localization import localization  # enlarges the maps first, as they are shown


def all_masks(size=32, side=6):
    places = np.array(list(itertools.product(range(size - side + 1), repeat=2)))
    return Boxes(places[:, 0], places[:, 1], *(np.full(len(places), side) for _ in range(2))).masks((size, size))


def ceiling(mask, size):
    """Return the largest IoU that cells of a map of this size can reach with each mask."""
    covered = reduced(mask, size).reshape(len(mask), -1)
    return best_cells(covered, covered.sum(1), mask[0].size / covered.shape[1])[1]


@pytest.mark.parametrize(("cells", "wanted"), [(8, 0.57), (16, 0.79), (32, 1.0)])
def test_the_ceiling_of_a_coarse_map_of_squares(cells, wanted):
    assert ceiling(all_masks(), (cells, cells)).mean() == pytest.approx(wanted, abs=0.0051)


def test_the_best_cells_are_those_of_all_subsets():
    mask = all_masks(7, 3)
    covered = reduced(mask, (3, 2)).reshape(len(mask), -1)
    np.testing.assert_allclose(covered.sum(1), 9)
    count, best = best_cells(covered, np.full(len(mask), 9.0), 49 / 6)
    subsets = [list(s) for n in range(1, 7) for s in itertools.combinations(range(6), n)]
    for s in range(len(mask)):
        iou = [covered[s, subset].sum() / (9 + len(subset) * 49 / 6 - covered[s, subset].sum()) for subset in subsets]
        assert best[s] == pytest.approx(max(iou))
        assert len(subsets[int(np.argmax(iou))]) == count[s] or max(iou) == pytest.approx(sorted(iou)[-2])


def test_a_fine_map_is_added_up_and_a_coarse_one_stays():
    maps = np.random.default_rng(0).normal(size=(2, 96, 64))
    coarse = added_up(maps)
    np.testing.assert_allclose(coarse, maps.reshape(2, 32, 3, 32, 2).sum((2, 4)), atol=1e-12)
    assert added_up(np.ones((1, 227, 227))).sum() == pytest.approx(227**2)
    assert added_up(maps[:, :32, :20]).shape == (2, 32, 20)


@pytest.mark.parametrize(("cells", "wanted"), [(8, [0.98, 0.55, 0.89]), (16, [1, 0.77, 0.98]), (32, [1, 1, 1])])
def test_the_object_itself_as_heat_says_what_a_coarse_map_can_be_asked_for(cells, wanted):
    mask = all_masks()
    assert localization(reduced(mask, (cells, cells)), mask)[:3].mean(1) == pytest.approx(wanted, abs=0.0055)


@pytest.mark.parametrize("cells", [8, 16, 32])
def test_the_object_itself_as_heat_reaches_the_ceiling_and_no_other_map_passes_it(cells):
    mask = all_masks()[::7]
    perfect = localization(reduced(mask, (cells, cells)), mask)
    np.testing.assert_allclose(perfect[3], ceiling(mask, (cells, cells)), rtol=0, atol=1e-9)
    assert perfect[0].mean() > 0.9
    heat = np.random.default_rng(0).random((len(mask), cells, cells))
    assert (localization(heat, mask)[3] <= ceiling(mask, (cells, cells)) + 1e-9).all()


def test_localization_by_hand():
    mask = np.zeros((1, 4, 4), dtype=bool)
    mask[0, :2, :2] = True
    heat = np.array([[[8, 1, 0, 0], [2, 0, 0, 4], [0, 0, 0, 3], [0, 0, 0, 2.0]]])
    pointing, mass, rank, iou = localization(heat, mask)[:, 0]
    # The four hottest: 8, 4, 3 and a tie of two 2s, one of which is inside.
    assert (pointing, mass, rank) == pytest.approx((1, 11 / 20, 1.5 / 4))
    assert iou == pytest.approx(1.5 / (8 - 1.5))


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_a_constant_map_gets_what_chance_gives_and_never_nan(level):
    mask = all_masks()[::11]
    measured = localization(np.full((len(mask), 8, 8), level, dtype=np.float32), mask)
    np.testing.assert_allclose(measured[:3], 36 / 1024, rtol=1e-6)
    scaled, constant = normalised(np.full((2, 4, 4), level))
    assert constant.all()
    assert (scaled == 0).all()


def test_heat_that_knows_nothing_of_the_object_is_at_chance():
    rng = np.random.default_rng(0)
    mask = np.repeat(all_masks(), 3, axis=0)
    heat = rng.random((len(mask), 32, 32)).astype(np.float32)
    assert localization(heat, mask)[:3].mean(1) == pytest.approx([36 / 1024] * 3, abs=0.008)

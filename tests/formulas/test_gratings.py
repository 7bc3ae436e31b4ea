import numpy as np
import pytest

from seedscope.formulas.gratings import at_best_period, grating, periods


def test_stripes_at_0_degrees_are_horizontal_and_rise_to_the_right_from_there_to_90():
    for picture in grating((1, 12, 12), 0, 6)[:, 0]:
        np.testing.assert_allclose(picture, picture[:, :1] * np.ones(12), atol=1e-12)
    for picture in grating((1, 12, 12), 90, 6)[:, 0]:
        np.testing.assert_allclose(picture, picture[:1] * np.ones((12, 1)), atol=1e-12)
    for picture in grating((1, 12, 12), 45, 6)[:, 0]:
        np.testing.assert_allclose(picture[1:, :-1], picture[:-1, 1:], atol=1e-12)  # one down, one to the left
    np.testing.assert_allclose(grating((1, 12, 12), 90, 6)[0, 0, 0, [0, 3, 6]], [1, 0, 1])


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 14), (2, 1, 5)])
def test_gratings_are_grey_and_fit_into_the_picture(shape):
    assert len(periods(shape)) >= 1
    assert len(periods(shape)) == 1 or periods(shape).max() <= min(shape[1:])
    for period in periods(shape):
        waves = grating(shape, 30, period)
        assert waves.shape == (8, *shape)
        assert 0 <= waves.min() <= waves.max() <= 1
        assert np.ptp(waves, axis=1).max() == 0  # all colours alike
        np.testing.assert_allclose(waves.mean(0), 0.5, atol=1e-12)  # over the phases every pixel is grey


def test_the_best_period_is_that_of_the_largest_response_and_the_first_of_equals():
    response = np.zeros((3, 6, 12))
    response[0, 4, 2], response[0, 1, :] = 5, 4  # a larger sum elsewhere
    response[1, [2, 3], 0] = 1
    tuning, best = at_best_period(response)
    assert best.tolist() == [4, 2, 0]
    assert tuning[0].tolist() == response[0, 4].tolist()

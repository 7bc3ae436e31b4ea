import numpy as np

from seedscope.formulas.priors import centre_prior


def test_the_centre_prior_is_hottest_in_the_middle():
    heat = centre_prior((9, 13))
    assert np.unravel_index(heat.argmax(), heat.shape) == (4, 6)
    np.testing.assert_allclose(heat, heat[::-1, ::-1])

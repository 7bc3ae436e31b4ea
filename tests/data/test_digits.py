import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from seedscope.data.digits import Digits
from seedscope.files.errors import SettingError


def pictures_of(part):
    return [image.tobytes() for image in part.image.values]


def test_no_picture_is_both_probe_and_training_whatever_the_draw():
    source = Digits(n_train=1200, n_probe=400)
    probe = set(pictures_of(source.probe()))
    assert len(probe) == 400
    for draw in range(3):
        training = pictures_of(source.training(draw))
        assert len(set(training)) == 1200  # without replacement; no two of the 1,797 digits are equal
        assert not probe & set(training)


def test_all_digits_together_are_each_picture_once():
    source = Digits(n_train=1397, n_probe=400)
    whole = set(pictures_of(source.training(0))) | set(pictures_of(source.probe()))
    assert len(whole) == 1797


def test_pictures_keep_their_labels_and_are_scaled_to_1():
    digits = load_digits()
    known = dict(zip(map(np.ndarray.tobytes, (digits.images / 16).astype(np.float32)), digits.target, strict=True))
    for part in (Digits().probe(), Digits().training(2)):
        assert part.image.dtype == np.float32
        assert part.image.shape[1:] == (1, 8, 8)
        assert part.image.values.min() == 0
        assert part.image.values.max() == 1
        np.testing.assert_array_equal(part.label, [known[picture] for picture in pictures_of(part)])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classes_are_roughly_balanced(seed):
    source = Digits(seed=seed)
    for part in (source.probe(), source.training(0)):
        share = np.bincount(part.label, minlength=10) / len(part.label)
        assert share.min() > 0.06
        assert share.max() < 0.14


def test_draws_differ_and_the_same_draw_does_not():
    source = Digits()
    assert source.training(0).identical(source.training(0))
    assert set(pictures_of(source.training(0))) != set(pictures_of(source.training(1)))


def test_the_probe_set_depends_on_the_data_seed_only():
    assert Digits(n_train=100).probe().identical(Digits(n_train=900).probe())
    assert set(pictures_of(Digits(seed=0).probe())) != set(pictures_of(Digits(seed=1).probe()))


def test_more_digits_than_there_are_is_refused():
    with pytest.raises(SettingError, match="1797") as refused:
        Digits(n_train=1398, n_probe=400)
    assert refused.value.key == "n_train"


def test_larger_pictures_are_interpolated_between_the_centres_of_pixels():
    source, larger = Digits(n_probe=60), Digits(n_probe=60, size=28)
    assert larger.shape == (1, 28, 28)
    small = torch.from_numpy(source.probe().image.values).double()
    expected = torch.nn.functional.interpolate(small, (28, 28), mode="bilinear", align_corners=False)
    assert larger.probe().image.shape == (60, 1, 28, 28)
    np.testing.assert_allclose(larger.probe().image.values, expected.numpy(), rtol=0, atol=1e-7)
    np.testing.assert_array_equal(larger.probe().label, source.probe().label)


def test_the_share_for_validation_is_taken_from_the_end_of_the_draw():
    whole, held_back = Digits().training(3), Digits(validation=0.1).training(3)
    assert held_back.split.values.tolist() == ["train"] * 1080 + ["validation"] * 120
    np.testing.assert_array_equal(held_back.image, whole.image)


@pytest.mark.parametrize(("share", "split"), [(0.04, "validation"), (0.99, "training")])
def test_a_share_that_leaves_a_split_empty_is_refused(share, split):
    with pytest.raises(SettingError, match=f"of 10 pictures leaves none for {split}") as refused:
        Digits(n_train=10, validation=share)
    assert refused.value.key == "validation"

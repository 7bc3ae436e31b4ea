"""A data set that is not what it says of itself is refused."""

import numpy as np
import pytest

from seedscope.data import assemble, balanced, exhibits, pictures, vary
from seedscope.data.digits import Digits
from seedscope.data.squares import Squares
from seedscope.files.errors import SeedscopeError


class Source:
    shape = (1, 2, 2)
    class_names = ("a", "b")
    inputs = ()

    def __init__(self, label=(0, 1), image=None):
        self.label = np.array(label)
        self.image = np.zeros((len(label), 1, 2, 2)) if image is None else image

    def training(self, draw):  # noqa: ARG002  # one draw is all there is
        return pictures(self.image, self.label, "train", place=self.label)

    def probe(self):
        return pictures(self.image, self.label, "probe", place=self.label)


def test_training_comes_first_and_samples_are_numbered():
    data = assemble(Source())
    assert data.split.values.tolist() == ["train", "train", "probe", "probe"]
    assert data.sample.values.tolist() == [0, 1, 2, 3]
    assert data.place.values.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (Source(label=(0, 2)), "labels from 0 to 2, and names 2 classes"),
        (Source(label=(-1, 1)), "labels from -1 to 1"),
        (Source(image=np.zeros((2, 1, 3, 2))), r"shape \(1, 3, 2\), not \(1, 2, 2\)"),
        (Source(image=np.full((2, 1, 2, 2), np.nan)), "no numbers"),
    ],
)
def test_pictures_and_labels_must_be_what_the_source_says(source, sentence):
    with pytest.raises(SeedscopeError, match=sentence):
        assemble(source)


def test_exhibits_are_the_first_of_each_class():
    assert exhibits(np.array([1, 0, 1, 1, 0, 2]), 2).tolist() == [1, 4, 0, 2, 5]


def test_the_first_of_each_class_come_before_any_second():
    label = np.array([2, 2, 2, 0, 0, 1, 2, 0])
    assert balanced(label, 3).tolist() == [0, 3, 5]
    assert balanced(label, 5).tolist() == [0, 1, 3, 4, 5]
    assert balanced(label, 100).tolist() == list(range(8))


def test_pictures_in_which_one_thing_changes_are_numbered_and_others_have_none():
    class Varied(Squares):
        def variations(self):
            return self.probe()

    varied = vary(Varied(n_train=4, n_probe=5))
    assert varied is not None
    assert varied.sample.values.tolist() == [0, 1, 2, 3, 4]
    assert vary(Digits(n_train=20, n_probe=10)) is None

"""A seed varies what ``vary`` names and nothing else, the same numbers for ever."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from seedscope.replicas.streams import Stream, Streams, known_streams

APART: tuple[Stream, ...] = ("weights", "order", "draw")  # those that are independent of each other


def test_the_streams_are_weights_order_draw_and_head() -> None:
    assert known_streams() == (*APART, "head")


@pytest.mark.parametrize(
    ("stream", "index", "number"),
    [
        ("weights", (), 1693125408465869867),
        ("order", (), 2021251017632032385),
        ("draw", (), 8779501138110131270),
        ("order", (2, 0), 8542235530097820755),
        ("order", (2, 1), 2010016350744764326),
    ],
)
def test_the_numbers_of_seed_7_are_these_on_every_machine(stream: Stream, index: tuple[int, ...], number: int) -> None:
    assert Streams(7, ("weights", "order", "draw")).number(stream, *index) == number


def test_a_generator_draws_these_numbers() -> None:
    assert Streams(7).generator("order", 0, 0).permutation(6).tolist() == [0, 4, 3, 5, 1, 2]


def test_no_two_seeds_streams_or_indices_share_a_number() -> None:
    numbers = [
        Streams(seed, known_streams()).number(stream, *index)
        for seed, stream, index in itertools.product(
            [0, 1, 2, 2**32, 2**63 - 1], APART, [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1)]
        )
    ]
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= number < 2**63 for number in numbers)


def test_streams_of_neighbouring_seeds_are_uncorrelated() -> None:
    drawn = np.array(
        [
            Streams(seed, known_streams()).generator(stream).standard_normal(2000)
            for seed in range(10)
            for stream in APART
        ]
    )
    between = np.corrcoef(drawn)[np.triu_indices(len(drawn), k=1)]
    assert np.abs(between).max() < 5 / np.sqrt(2000)


def test_a_stream_that_does_not_vary_is_that_of_seed_0() -> None:
    fixed = Streams(3, vary=("order",))
    assert fixed.seed_of("weights") == fixed.seed_of("draw") == 0
    assert fixed.seed_of("order") == 3
    assert fixed.number("weights") == Streams(0).number("weights")
    assert fixed.number("order", 4) == Streams(3).number("order", 4)


def test_by_default_a_seed_varies_weights_and_order_and_leaves_the_draw() -> None:
    one, two = Streams(1), Streams(2)
    assert one.number("weights") != two.number("weights")
    assert one.number("order") != two.number("order")
    assert one.number("draw") == two.number("draw")


def test_where_nothing_varies_all_seeds_are_alike() -> None:
    for stream in known_streams():
        assert Streams(1, ()).number(stream) == Streams(2, ()).number(stream)


@pytest.mark.parametrize("vary", [(), ("weights",), ("order", "draw"), APART])
def test_the_head_goes_with_the_weights_unless_it_is_named(vary: tuple[str, ...]) -> None:
    streams = Streams(4, vary)
    assert streams.number("head") == streams.number("weights")
    assert not streams.splits_the_head


def test_the_head_of_a_seed_is_that_of_the_network_whose_weights_have_the_seed() -> None:
    streams = Streams(4, ("order", "head"))
    assert streams.splits_the_head
    assert (streams.seed_of("weights"), streams.seed_of("head")) == (0, 4)
    assert streams.number("head") == Streams(4).number("weights")


def test_a_stream_may_have_a_seed_of_its_own_whatever_varies() -> None:
    streams = Streams(9, ("weights", "draw"), {"weights": 2, "order": 5, "head": 7})
    assert [streams.seed_of(stream) for stream in known_streams()] == [2, 5, 9, 7]
    assert streams.number("order", 1, 0) == Streams(5).number("order", 1, 0)
    assert Streams(9, (), {"weights": 2}).seed_of("head") == 2
    assert streams.draws
    assert not Streams(9, (), {"order": 1}).draws
    assert Streams(9, (), {"draw": 0}).draws


def test_drawing_from_one_stream_leaves_the_others_where_they_were() -> None:
    streams = Streams(5)
    before = streams.number("order")
    streams.generator("weights").random(100)
    np.random.default_rng(0).random(100)
    assert streams.number("order") == before
    assert streams.generator("weights").random() == streams.generator("weights").random()

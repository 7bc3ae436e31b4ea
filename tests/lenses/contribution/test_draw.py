import time
from dataclasses import replace

import numpy as np
import pytest

from seedscope.figures import Bars, Dots, Image, Scale, Words, panels_of
from seedscope.lenses.contribution import Contribution
from tests.lenses.sheets import marks, panel_of, words

LENS = Contribution("fc1", "fc2", top=3)

ODD = {
    "all units dead": {"dead": range(12)},
    "one class only": {"unseen": (0, 2)},
    "one logit, some dead": {"classes": 2, "targets": 1, "dead": (3,), "names": ("no", "yes")},
    "one logit, all dead": {"classes": 2, "targets": 1, "dead": range(12)},
    "one unit": {"units": 1, "classes": 2},
    "few pictures": {"n": 3, "classes": 2},
}


@pytest.mark.parametrize("case", ODD)
def test_every_odd_case_is_measured_summarized_and_drawn(look, random_replica, case):
    replica = random_replica(**ODD[case])
    units = replica.weights["fc2.weight"].shape[1]
    rendered = case in ("all units dead", "one logit, some dead")
    seen = look(Contribution("fc1", "fc2", top=min(3, units), watch=(0,)), replica, rendered=rendered)
    label = replica.probe.label.values
    per_class = {f"{name}{k}" for k in np.unique(label) for name in ("all_class_contrib_true", "vote_waterfall_class")}
    rankings = {f"contribution_ranking_class{k}_{min(3, (label == k).sum())}samples" for k in np.unique(label)}
    always = {"fc1_all_classes", "fc2_weights", "contribution_ranking_all_classes"}
    assert set(seen.sheets) == per_class | rankings | always
    assert seen.measured.sizes["true"] == len(replica.class_names)
    assert seen.summary["completeness_error"] < 1e-5
    assert np.isfinite(list(seen.summary.values())).all() == ("dead" not in case or "some" in case)


def pixel_replica(replica_of, channels=1):
    """Return a replica whose features are its pictures; the first column is never on."""
    rng = np.random.default_rng(0)
    image = rng.random((60, channels, 4, 5)).astype(np.float32) * (rng.random((60, channels, 4, 5)) < 0.6)
    image[..., 0] = 0
    weight = rng.normal(0, 1, (3, image[0].size))
    return replica_of(image.reshape(60, -1), weight, np.zeros(3), np.arange(60) % 3, image=image)


def test_outputs_are_the_means_of_the_classes_own_pictures_with_their_spread(look, random_replica):
    replica = random_replica(unseen=(1,), dead=(4,))
    sheet = look(LENS, replica, draw="fc1_all").sheets["fc1_all_classes"]
    own = replica.activations["fc1"].values[replica.probe.label.values == 2]
    first, second, third = panels_of(sheet.body)
    assert (first.empty, second.empty) == ("", "no probe picture")
    bars, spans, one, dead = third.marks
    np.testing.assert_allclose(bars.height, own.mean(0), rtol=1e-6)
    np.testing.assert_allclose(spans.high, np.delete(own.mean(0) + own.std(0), 4), rtol=1e-6)
    assert (np.asarray(spans.low) >= 0).all()
    assert one.y.tolist() == pytest.approx(np.delete(own[0], 4).tolist(), rel=1e-6)
    assert dead.x.tolist() == [4]


def test_votes_of_a_map_are_summed_by_channel_and_by_place(look, random_replica):
    replica = random_replica(n=90, units=800, feature_map=(32, 5, 5), unseen=(1,), dead=range(3, 800, 25))
    seen = look(LENS, replica, draw="contribution_by_place", rendered=True)
    sheet = seen.sheets["contribution_by_place"]
    ranked = seen.measured.dominance.sel(version="centred").values.reshape(3, 32, 5, 5)
    maps = [image.values for image in marks(sheet, Image)]
    for k in (0, 2):
        np.testing.assert_allclose(np.delete(maps[k].ravel(), 3), np.delete(ranked[k].sum(0).ravel(), 3), atol=1e-9)
    assert np.isnan(maps[0]).ravel().tolist() == [place == 3 for place in range(25)]
    assert np.isnan(maps[1]).all()
    assert len({image.scale for image in marks(sheet, Image)}) == 1
    np.testing.assert_allclose(panel_of(sheet, "class 0").marks[0].height, ranked[0].sum((1, 2)), atol=1e-6)
    assert panel_of(sheet, "class 1").empty == "no probe picture"


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_that_vote_are_called_by_their_place_and_are_never_dead(look, replica_of, channels):
    sheets = look(LENS, pixel_replica(replica_of, channels)).sheets
    assert {"fc1_all_classes", "contribution_by_place"} <= set(sheets)
    assert f"{4 * channels} of {20 * channels} never on" in sheets["fc1_all_classes"].title
    (names, *_) = [panel.x.names for panel in panels_of(sheets["vote_waterfall_class0"].body) if panel.x.names]
    assert all(name.endswith(")") for name in names[1:-1])
    said = " ".join(map(words, sheets.values()))
    assert "dead" not in said
    assert "pixels that are on" in said


def test_a_head_of_800_units_is_drawn_readably_within_seconds(look, random_replica):
    start = time.process_time()
    seen = look(LENS, random_replica(n=120, units=800, dead=range(300, 400)), rendered=True)
    assert time.process_time() - start < 15
    ranking = seen.sheets["contribution_ranking_all_classes"].body
    assert ranking.x_label.startswith("13 highest and 13 lowest of 700 live units")


@pytest.mark.parametrize("image", [np.full((60, 1, 8, 8), 0.5), np.random.default_rng(0).random((60, 3, 9, 7))])
def test_constant_and_coloured_pictures_are_shown(look, random_replica, image):
    seen = look(LENS, random_replica(classes=2, image=image), draw="contribution_ranking_class0")
    (sheet,) = seen.sheets.values()
    first = image[int(seen.measured.exhibit_position[0, 0])]
    shown = np.moveaxis(marks(sheet, Image)[0].values, -1, 0)
    np.testing.assert_allclose(shown, np.broadcast_to(first, shown.shape), atol=1e-6)


def test_watched_units_are_named_in_every_ranking_and_measure_nothing_else(look, random_replica):
    replica = random_replica(units=40)
    seen = look(LENS, replica, draw="contribution_ranking")
    watched = look(replace(LENS, watch=(0, 1, 2)), replica, draw="contribution_ranking")
    assert watched.measured.equals(seen.measured)
    for sheet in watched.sheets.values():
        for panel in panels_of(sheet.body):
            if panel.axes:
                assert {"0", "1", "2"} <= set(panel.x.names)
                assert {panel.x.names[index] for index in panel.x.coloured} == {"0", "1", "2"}


def test_the_weights_of_both_gauges_are_on_one_scale_and_dead_units_below_them(look, random_replica):
    replica = random_replica(dead=(1, 7))
    sheet = look(LENS, replica, draw="fc2_weights").sheets["fc2_weights"]
    weight = replica.weights["fc2.weight"]
    raw, relative = marks(sheet, Image)
    np.testing.assert_allclose(raw.values, weight, rtol=1e-6)
    np.testing.assert_allclose(relative.values, weight - weight.mean(0), atol=1e-6)
    reach = float(np.abs(weight.astype(np.float32)).max())
    assert raw.scale == relative.scale == sheet.body.bar.scale == Scale(-reach, reach, "RdBu")
    assert [dots.x.tolist() for dots in marks(sheet, Dots)] == [[1, 7]] * 2


@pytest.mark.parametrize(("units", "targets"), [(12, 2), (90, 2), (12, 1)])
def test_the_waterfall_ends_at_the_logit(look, random_replica, units, targets):
    replica = random_replica(units=units, n=20, classes=2, targets=targets)
    seen = look(LENS, replica, draw="vote_waterfall")
    for k in range(2):
        steps, last = marks(seen.sheets[f"vote_waterfall_class{k}"], Bars)
        position = int(seen.measured.exhibit_position.values[k, 0])
        sign, target = (1, k) if targets == 2 else (2 * k - 1, 0)  # votes against the only logit are minus those for it
        logit = sign * float(seen.measured.logit[position, target])
        ends = steps.base + steps.height
        assert last.base == 0
        assert last.height.tolist() == pytest.approx([logit], abs=1e-4)
        assert ends[-1] == pytest.approx(logit, abs=1e-4)
        assert (steps.base[0], steps.height[0]) == pytest.approx(
            (0, sign * float(seen.measured.bias[target])), abs=1e-6
        )
        np.testing.assert_allclose(steps.base[1:], ends[:-1], atol=1e-9)
        assert len(steps.height) <= 41


def test_the_margin_that_is_written_is_that_of_the_logits_and_what_it_adds_up_from(look, random_replica):
    for options in ({}, {"classes": 2, "targets": 1}):
        seen = look(LENS, random_replica(**options), draw="all_class_contrib_true0")
        sheet = seen.sheets["all_class_contrib_true0"]
        position = int(seen.measured.exhibit_position.values[0, 0])
        logit = np.sort(seen.measured.logit.values[position])
        lead = logit[-1] - logit[-2] if len(logit) > 1 else abs(logit[0])
        assert sheet.title.endswith(f"by {lead:.2f}")
        *parts, total = [float(text.text.replace("−", "-")) for text in marks(sheet, Words)[1::2]]
        assert total == pytest.approx(lead, abs=0.005)
        assert sum(parts) == pytest.approx(total, abs=0.02)


def test_the_table_of_votes_and_the_reasons_have_the_same_units_in_the_same_order(look, random_replica):
    seen = look(LENS, random_replica(units=90), draw="all_class_contrib_true0")
    sheet = seen.sheets["all_class_contrib_true0"]
    table, why = panel_of(sheet, "centred votes"), panel_of(sheet, "why")
    assert table.x.names == why.x.names
    assert len(table.x.names) == 40
    (bars, *_), (image, *_) = why.marks, table.marks
    winner, second = (int(word.strip(":")) for word in why.title.split()[1:5:3])
    np.testing.assert_allclose(bars.height, image.values[winner] - image.values[second], atol=1e-9)
    assert (np.diff(bars.height) <= 0).all()


def test_where_no_unit_votes_the_panel_says_so(look, random_replica):
    seen = look(LENS, random_replica(dead=range(12), classes=2), draw="contribution_ranking")
    for sheet in seen.sheets.values():
        assert "no unit votes" in words(sheet)

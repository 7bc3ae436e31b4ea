"""README.md is true: its commands exist and are tested, its numbers are those of the committed measurements."""

import csv
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def committed(path: str) -> str:
    """Return a file as it was committed: a run on another machine may have changed it since."""
    return subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"\bmake ([a-z]+)", README)) - {"and"}
    assert {"repro", "test", "ui", "quick", "bench"} <= named
    assert named - {"clean"} <= targets


def test_every_dvc_command_of_the_readme_is_run_by_a_test_of_the_pipeline():
    tests = "".join(path.read_text() for path in sorted((ROOT / "tests/pipeline").glob("*.py")))
    tested = tests.replace('", "', " ")
    commands = {" ".join(match) for match in re.findall(r"`(dvc) ((?:exp run|metrics show|plots show|repro))", README)}
    assert len(commands) == 4
    assert [command for command in commands if f'"{command}' not in tested] == []


def test_ci_runs_the_two_commands_of_the_first_screen():
    ci = (ROOT / ".ci/run").read_text()
    assert re.search(r"```sh\nmake repro\nmake test\n```", README)
    assert re.search(r"^make .*repro$", ci, re.M)
    assert "make test" in ci


def test_the_speed_table_is_the_committed_measurement():
    measured = {row["figure"]: row for row in csv.DictReader(committed("benchmarks/results.csv").splitlines())}
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) (\S+) \| ?(.*?) ?\|$", README.split("## Speed")[1], re.M)
    assert len(rows) >= 9
    for figure, median, unit, asked in rows:
        assert float(median) == float(measured[figure]["median"]), figure
        assert (unit, asked) == (measured[figure]["unit"], measured[figure]["asked"]), figure


@pytest.mark.parametrize(
    ("lens", "metric", "words"),
    [
        ("training", "probe_accuracy", "{mean:.3f} [{low:.3f}, {high:.3f}]"),
        ("dominance", "dead_units", "{mean:.1f} [{low:.1f}, {high:.1f}] of 64 are dead"),
        ("dominance", "units_for_80_percent_centred", "{mean:.1f} [{low:.1f}, {high:.1f}] of"),
        ("dominance", "live_units", "of {mean:.1f} live units"),
        ("dominance", "gini_centred", "Gini {mean:.2f} [{low:.2f}, {high:.2f}]"),
        ("contribution", "largest_vote_loses_centred", "{mean:.0%} [{low:.0%}, {high:.0%}]"),
        ("contribution", "top5_overlap_centred", "{mean:.2f} [{low:.2f}, {high:.2f}] are shared"),
        ("contribution", "top5_overlap_centred", "chance is {chance:.2f}"),
        ("contribution", "top5_shared_with_raw", "raw votes name {mean:.1f}"),
        ("contribution", "top5_shared_with_margin", "margins {mean:.1f}"),
        (
            "contribution",
            "top5_shared_with_mean_subtracted",
            "mean-subtracted votes {mean:.1f} [{low:.1f}, {high:.1f}]",
        ),
        ("contribution", "top5_shared_by_chance", "chance {mean:.1f}"),
        ("evolution", "top5_head_auc_at_start", "AUC of {mean:.2f} [{low:.2f}, {high:.2f}]"),
        ("evolution", "top5_head_auc_at_start", "shuffled units give {chance:.2f} (p {p:.4f})"),
        ("evolution", "top5_settled_epoch", "after epoch {mean:.1f} [{low:.1f}, {high:.1f}] of 8"),
        ("evolution", "live_units_at_start", "{mean:.1f} units live at step 0"),
        ("evolution", "live_units_at_end", "step 0, {mean:.1f} at the end"),
        ("variation", "place_share", "{mean:.0%} [{low:.0%}, {high:.0%}] is the square's place"),
        ("variation", "noise_share", "{mean:.0%} [{low:.0%}, {high:.0%}] the noise"),
        ("variation", "interaction_share", "{mean:.0%} their interaction"),
        ("variation", "top5_shared_by_two_pictures", "share {mean:.1f} [{low:.1f}, {high:.1f}] of their top five"),
        ("variation", "top5_shared_by_chance", "top five; chance is {mean:.1f}"),
        ("space", "effective_dimension", "dimension of fc1 is {mean:.1f} [{low:.1f}, {high:.1f}]"),
        ("space", "class_separation", "classes hold {mean:.0%} of its variance"),
        ("space", "place_r2_within_class", "R² {mean:.2f} [{low:.2f}, {high:.2f}]"),
        ("seeds_needed", "probe_accuracy", "to one percentage point {mean} [{low}, {high}]"),
        ("seeds_needed", "gini_centred", "Gini coefficient to 5 % {mean} [{low}, {high}]"),
        ("seeds_needed", "dead_units", "dead units to 5 % {mean} [{low}, {high}]"),
    ],
)
def test_the_findings_are_the_committed_metrics(lens, metric, words):
    metrics = json.loads(committed("reports/metrics/squares.across_seeds.json"))
    said = words.format(**metrics[lens][metric]).replace("%", " %").replace("  %", " %")
    assert said in " ".join(README.split())


@pytest.mark.parametrize(
    ("row", "lens", "metric", "words"),
    [
        ("probe accuracy", "training", "probe_accuracy", "{mean:.3f} [{low:.3f}, {high:.3f}]"),
        ("units (pixels) that ever act", "dominance", "live_units", "{mean:.0f} [{low:.0f}, {high:.0f}]"),
        (
            "of these hold 80 % of a class's votes",
            "dominance",
            "units_for_80_percent_centred",
            "{mean:.0f} [{low:.0f}, {high:.0f}]",
        ),
        (
            "the largest single vote goes to a losing class",
            "contribution",
            "largest_vote_loses_centred",
            "{mean:.0%} [{low:.0%}, {high:.0%}]",
        ),
        (
            "of two seeds' top five are shared",
            "contribution",
            "top5_overlap_centred",
            "{mean:.2f} [{low:.2f}, {high:.2f}]",
        ),
        ("… by chance", "contribution", "top5_overlap_centred", "{chance:.2f} (p {p:.4f})"),
        ("effective dimension", "space", "effective_dimension", "{mean:.1f} [{low:.1f}, {high:.1f}]"),
    ],
)
def test_the_findings_on_digits_are_the_committed_metrics(row, lens, metric, words):
    table = re.findall(r"^\|(.+)\|$", README.split("## Handwritten digits")[1].split("\n## ")[0], re.M)
    header, *rows = ([cell.strip() for cell in line.split("|")] for line in table)
    said = {cells[0]: cells[1:] for cells in rows}
    for experiment, cell in zip(header[1:], said[row], strict=True):
        metrics = json.loads(committed(f"reports/metrics/{experiment.strip('`')}.across_seeds.json"))
        expected = words.format(**metrics[lens][metric]).replace("%", " %").replace("-", "−")
        assert cell == expected, experiment


@pytest.mark.parametrize(("experiment", "layer"), [("slp", "fc1"), ("mlp", "fc1"), ("mlp", "fc2")])
def test_the_verdicts_are_the_committed_ones(experiment, layer):
    found = json.loads(committed(f"reports/metrics/{experiment}.across_seeds.json"))["templates"]
    readings = (found[f"{layer}_{name}"] for name in ("winning_input", "class_mean", "nearest"))
    nulls = (found[f"{layer}_{name}_by_chance"] for name in ("winning_input", "class_mean", "nearest"))
    cells = [f"{reading['mean']:.2f} ({null['mean']:.2f})" for reading, null in zip(readings, nulls, strict=True)]
    row = " | ".join([f"| `{experiment}` {layer}", found[f"{layer}_verdict"]["verdict"], *cells])
    assert f"{row} |" in README


@pytest.mark.parametrize(
    ("experiment", "lens", "metric", "words"),
    [
        ("slp", "templates", "fc1_templates", "alone, {mean:.0%} of the rows of `slp`"),
        ("mlp", "templates", "fc2_templates", "and {mean:.0%} of `mlp`'s fc2 pass"),
        ("slp", "templates", "fc1_winner_is_cosine_winner", "for {mean:.0%} of the pictures in `slp`"),
        ("mlp", "templates", "fc1_winner_is_cosine_winner", "for {mean:.0%} among the hidden units"),
        ("slp", "templates", "fc1_losers_size", "is {mean:.2f} of the winners'"),
        ("slp", "learning_rule", "own_part_over_change", "{mean:.1f} times the size of the whole change"),
        ("digits", "tuning", "conv1_orientation_selectivity_untrained", "conv1 ({mean:.2f} to"),
        ("digits", "tuning", "conv1_orientation_selectivity", "to {mean:.2f}, change"),
        ("digits", "tuning", "conv1_orientation_selectivity_change", "change {mean:.2f} [{low:.2f}, {high:.2f}])"),
        ("digits", "tuning", "conv1_to_conv2_class_selectivity_change", "({mean:+.2f} [{low:+.2f}, {high:+.2f}])"),
        ("digits", "words", "conv2_edges", "in conv2 ({mean:.0%} [{low:.0%}, {high:.0%}] of 32 channels"),
        ("digits", "words", "conv2_edges_untrained", "channels, untrained {mean:.0%}; change"),
        ("digits", "words", "conv2_edges_change", "change {mean:+.2f} [{low:.2f}, {high:.2f}]"),
        ("squares", "words", "conv2_edges", "unlearns them ({mean:.0%}, untrained"),
        ("squares", "words", "conv2_edges_untrained", "untrained {mean:.0%}; change"),
        ("squares", "words", "conv2_edges_change", "change {mean:.2f} [{low:.2f}, {high:.2f}])"),
        ("squares", "sparsity", "conv1_to_conv2_silent", "rises by {mean:.2f} [{low:.2f}, {high:.2f}]"),
        ("squares", "sparsity", "conv1_to_conv2_silent_change", "{mean:.2f} [{low:.2f}, {high:.2f}] more than before"),
        ("digits", "sparsity", "conv1_to_conv2_silent", "of the kind shows: {mean:.2f} [{low:.2f}, {high:.2f}], and"),
        (
            "digits",
            "sparsity",
            "conv1_to_conv2_silent_change",
            "training {mean:.2f} [{low:.2f}, {high:.2f}] (`sparsity`)",
        ),
        ("squares", "places", "votes_on_object", "{mean:.0%} [{low:.0%}, {high:.0%}] come from cells"),
        ("squares", "places", "votes_on_object_same_answer", "with the same answer, {mean:.0%}; even"),
        ("squares", "places", "cells_on_object", "even ones, {mean:.0%})"),
        ("squares", "places", "places_for_80_percent", "{mean:.1f} [{low:.1f}, {high:.1f}] of 64 places hold"),
        ("squares", "places", "grad_cam_rank_correlation", "with the same answer ({mean:.2f}, above"),
        (
            "squares",
            "places",
            "grad_cam_rank_correlation_above_same_answer",
            "above that by {mean:.2f} [{low:.2f}, {high:.2f}])",
        ),
        (
            "digits",
            "heat_maps",
            "grad_cam_pool2_no_heat_logit",
            "for {mean:.0%} [{low:.0%}, {high:.0%}] of the pictures; of",
        ),
        (
            "digits",
            "heat_maps",
            "grad_cam_pool2_no_heat_centred",
            "drawn here, for {mean:.0%} [{low:.0%}, {high:.0%}].",
        ),
        ("digits", "places", "grad_cam_cosine", "the exact votes is {mean:.2f} [{low:.2f}, {high:.2f}], a mere"),
        ("digits", "places", "grad_cam_cosine_above_same_answer", "a mere {mean:.3f} above"),
    ],
)
def test_what_is_said_of_other_lenses_are_the_committed_metrics(experiment, lens, metric, words):
    found = json.loads(committed(f"reports/metrics/{experiment}.across_seeds.json"))[lens][metric]
    said = words.format(**found).replace("%", " %").replace("-", "−")
    assert said in " ".join(README.split())


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("Grad-CAM, conv1", "grad_cam_conv1"),
        ("Grad-CAM, conv2", "grad_cam_conv2"),
        ("Grad-CAM, pool2", "grad_cam_pool2"),
        ("occlusion", "occlusion"),
        ("integrated gradients", "integrated_gradients"),
    ],
)
def test_the_marks_of_heat_maps_are_the_committed_ones(row, name):
    found = json.loads(committed("reports/metrics/squares.across_seeds.json"))
    cells = []
    for measure in ("pointing", "mass", "iou"):
        marks = found["heat_maps"]
        null = max(marks[f"{name}_{measure}_{source}"]["mean"] for source in ("untrained", "same_class"))
        cells.append(f"{marks[f'{name}_{measure}']['mean']:.2f} ({null:.2f})")
    exact = {"grad_cam_pool2": "grad_cam"}.get(name, name)
    if f"{exact}_cosine" in found["places"]:
        null = max(found["places"][f"{exact}_cosine_{source}"]["mean"] for source in ("same_answer", "other_answer"))
        cells.append(f"{found['places'][f'{exact}_cosine']['mean']:.2f} ({null:.2f})")
    assert " | ".join([f"| {row}", *cells]) in README


def test_every_path_that_the_readme_names_exists():
    named = re.findall(r"`((?:src|conf|docs|benchmarks)/[\w./]+)`", README) + re.findall(
        r"\]\((docs/[\w./]+)\)", README
    )
    assert len(named) >= 8
    assert [path for path in named if not (ROOT / path).exists()] == []

import json
import math
import shutil
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.special import expit, logit

from seedscope.activations.dump import dump_replica
from seedscope.data import pictures
from seedscope.figures import Facts, panels_of
from seedscope.figures.renderer.layout import laid_out
from seedscope.files.arrays import write_dataset
from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.reading import read_json
from seedscope.files.weights import save_weights
from seedscope.files.writing import write_json, write_text
from seedscope.formulas.intervals import mean_interval, share_interval
from seedscope.lenses import Replica
from seedscope.lenses.comparison import Comparison
from seedscope.lenses.lens import is_share
from seedscope.looks.analysis import analyze_replica
from seedscope.models.perceptron import Perceptron
from seedscope.replicas.frames import Frames
from seedscope.replicas.mapping import Engine
from seedscope.seeds import comparison
from seedscope.seeds.comparison import compare_replicas
from seedscope.seeds.headlines import Training
from seedscope.seeds.sheets import learning_sheet, numbers_sheet

SEEDS = (1, 2, 4)
READOUT = {"features": "fc1", "head": "fc2"}
SETTINGS = {
    "seeds": list(SEEDS),
    "drawn": list(SEEDS),
    "model": {"_target_": "seedscope.models.perceptron.Perceptron", "shape": [1, 12, 12], "classes": 2, "hidden": [7]},
    "dump": {"_target_": "seedscope.activations.dump.Dump", "layers": {"fc1": "probe"}, "exhibits_per_class": 1},
    "lenses": {
        "contribution": {"_target_": "seedscope.lenses.contribution.Contribution", "top": 2, **READOUT},
        "mistakes": {"_target_": "seedscope.lenses.mistakes.Mistakes", **READOUT},
        "dominance": {"_target_": "seedscope.lenses.dominance.Dominance", **READOUT},
    },
    "code": {"analyze": {kind: {"contribution": {}, "mistakes": {}, "dominance": {}} for kind in ("measure", "draw")}},
}
HISTORY = "epoch,train_loss,train_accuracy,probe_loss,probe_accuracy\n1,1.5,0.4,1.25,0.3\n2,1,0.5,1,0.{}\n"


def quiet(_done, _total):
    pass


def measure(experiment, seed):
    """Do what ``analyze_replica`` does, but for the drawing, which takes longest."""
    summaries = {"training": {"probe_accuracy": seed / 10, "train_loss": 1.0}}
    for name, lens in experiment.lenses().items():
        measured = lens.measure(Replica.open(experiment.at, seed))
        write_dataset(experiment.at.measures(seed, name), measured)
        scalars = lens.summarize(measured)
        summaries[name] = {key: value if math.isfinite(value) else None for key, value in scalars.items()}
    return summaries


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory):
    """Yield an experiment of three untrained networks, dumped and measured through every lens; one is drawn too."""
    experiment = Experiment("toy", SETTINGS, tmp_path_factory.mktemp("analyzed"))
    patch = pytest.MonkeyPatch()
    patch.setenv("DVC_ROOT", str(experiment.root))
    rng = np.random.default_rng(0)
    write_dataset(
        experiment.at.data,
        pictures(rng.random((40, 1, 12, 12)), np.arange(40) % 2, "probe")
        .assign_coords(sample=np.arange(40))
        .assign_attrs(class_names=["a", "b"]),
    )
    summaries = {}
    for seed in SEEDS:
        torch.manual_seed(seed)
        model = Perceptron((1, 12, 12), 2, (7,))
        save_weights(model, experiment.at.model(seed))
        untrained = Frames(experiment.root / f"parts-{seed}", (0,))
        untrained.take(0, model)
        untrained.assemble(experiment.at.frames(seed), steps_per_epoch=1)
        write_text(experiment.at.history(seed), HISTORY.format(seed))
        write_json(experiment.at.identity(seed), {"fingerprint": f"{seed:064x}", "model": SETTINGS["model"]})
        dump_replica(experiment, seed, quiet)
        summaries[str(seed)] = (
            analyze_replica(experiment, seed, quiet).scalars if seed == 1 else measure(experiment, seed)
        )
    write_json(experiment.at.seeds_metrics, summaries)
    yield experiment
    patch.undo()


@pytest.fixture(scope="module")
def compared(analyzed, tmp_path_factory):
    """Return a copy of the experiment in which the three are compared."""
    copy = Experiment("toy", SETTINGS, tmp_path_factory.mktemp("compared") / "copy")
    shutil.copytree(analyzed.root, copy.root)
    compare_replicas(copy.at, SEEDS, copy.lenses())
    return copy


def test_analysis_writes_measures_and_figures_of_every_lens(analyzed):
    at = analyzed.at
    for lens in ("contribution", "mistakes", "dominance"):
        assert at.measures(1, lens).exists()
        assert len(list(at.figures(1, lens).glob("*.png"))) >= 2
    summary = read_json(at.seeds_metrics)["1"]
    assert summary == {
        **measure(analyzed, 1),
        "training": {"train_loss": 1.0, "train_accuracy": 0.5, "probe_loss": 1.0, "probe_accuracy": 0.1},
    }
    for values in summary.values():
        assert all(value is None or math.isfinite(value) for value in values.values())


def test_analysis_again_gives_the_same_bytes_and_sweeps_away_old_figures(analyzed):
    at = analyzed.at
    files = [*at.figures(1, "mistakes").iterdir(), at.measures(1, "mistakes"), at.measures(1, "contribution")]
    before = {file: file.read_bytes() for file in files}
    stale = at.figures(1, "mistakes") / "of_an_older_version.png"
    write_text(stale, "old")
    analyze_replica(analyzed, 1, quiet)
    assert not stale.exists()
    assert {file: file.read_bytes() for file in files} == before


def test_an_untrained_replica_has_no_scalars_of_training(analyzed):
    unseen = Experiment("toy", {**SETTINGS, "lenses": {}}, analyzed.root)
    write_text(analyzed.at.history(1), HISTORY.splitlines()[0] + "\n")
    try:
        assert analyze_replica(unseen, 1, quiet).scalars == {"training": {}}
    finally:
        write_text(analyzed.at.history(1), HISTORY.format(1))


def test_every_scalar_has_its_mean_and_interval_over_seeds(compared):
    by_seed, over_seeds = read_json(compared.at.seeds_metrics), read_json(compared.at.across_metrics)
    checked, kinds = 0, {"training": Training, **compared.lenses()}
    for lens, names in by_seed["1"].items():
        for name in names:
            values = [by_seed[str(seed)][lens].get(name) for seed in SEEDS]
            if None in values:
                continue
            metric = over_seeds[lens][name]
            mean, error = np.mean(values), stats.sem(values)
            assert metric["n"] == 3
            assert metric["mean"] == pytest.approx(mean)
            checked += 1
            if metric.get("same"):
                assert (metric["low"], metric["high"]) == (None, None)
                assert np.ptp(values) == pytest.approx(0)
                continue
            share = is_share(kinds[lens], name)
            spread = error / (mean * (1 - mean)) if share else error
            ends = stats.t.interval(0.95, 2, logit(mean) if share else mean, spread)
            assert [metric["low"], metric["high"]] == pytest.approx(expit(ends) if share else ends)
    assert checked > 15
    assert over_seeds["training"]["probe_accuracy"]["mean"] == pytest.approx(7 / 30)


def test_what_a_lens_compares_stands_with_its_chance_level(compared):
    overlap = read_json(compared.at.across_metrics)["contribution"]["top2_overlap_centred"]
    assert set(overlap) == {"mean", "low", "high", "n", "null", "null_low", "null_high", "p"}
    assert overlap["n"] == 3
    assert 0 < overlap["null"] < 2


def test_tables_and_figures_lie_where_they_are_looked_for(compared):
    names = {file.name for file in compared.at.across_seeds.iterdir()}
    assert names == {
        "learning_curves.png",
        "learning_curves.csv",
        *(f"numbers_of_{lens}.png" for lens in ("training", "contribution", "dominance", "mistakes")),
        "findings.png",
        "findings.csv",
        "dominance_heatmap.png",
        "top2_overlap.png",
        "top2_overlap.csv",
        "top2_units.csv",
        "seeds_needed.png",
        "seeds_needed.csv",
        "seeds_needed_summary.csv",
        "summary.csv",
    }
    summary = pd.read_csv(compared.at.across_seeds / "summary.csv")
    assert list(summary.columns[:6]) == ["lens", "metric", "n", "mean", "low", "high"]
    metrics = read_json(compared.at.across_metrics)
    assert len(summary) == sum(len(names) for names in metrics.values())


def test_the_learning_curve_is_the_mean_over_seeds(compared):
    curve = pd.read_csv(compared.at.learning)
    assert curve["epoch"].tolist() == [1, 2]
    np.testing.assert_allclose(curve["train_loss"], [1.5, 1])
    np.testing.assert_allclose(curve["probe_accuracy"], [0.3, 0.7 / 3], rtol=1e-5)
    mean, error = 0.7 / 3, stats.sem([0.1, 0.2, 0.4])
    low, high = expit(stats.t.interval(0.95, 2, logit(mean), error / (mean * (1 - mean))))
    np.testing.assert_allclose(curve["probe_accuracy_low"], [0.3, low], rtol=1e-5)
    np.testing.assert_allclose(curve["probe_accuracy_high"], [0.3, high], rtol=1e-5)
    every = pd.read_csv(compared.at.across_seeds / "learning_curves.csv")
    assert every["seed"].tolist() == [1, 1, 2, 2, 4, 4]


@pytest.mark.parametrize("validated", [False, True])
def test_learning_curves_show_validation_where_there_is_one(validated):
    columns = ["epoch", "seed", "train_loss", "train_accuracy", "probe_loss", "probe_accuracy"]
    columns += ["validation_loss", "validation_accuracy"] if validated else []
    curves = pd.DataFrame([[1, 3, *[0.5] * (len(columns) - 2)], [2, 3, *[0.4] * (len(columns) - 2)]], columns=columns)
    sheet = learning_sheet(Facts("toy", seeds=(3,)), curves)
    for panel in panels_of(sheet.body):
        assert [line.style for line in panel.marks] == ["--", "-", ":"][: 3 if validated else 2]
    assert ("dotted: validation" in sheet.note) == validated


def test_comparing_again_gives_the_same_bytes_and_sweeps_away_old_figures(compared):
    at = compared.at

    def content():
        files = [*at.across_seeds.iterdir(), at.across_metrics, at.learning]
        return {file.name: file.read_bytes() for file in files}

    before = content()
    write_text(at.across_seeds / "of_an_older_version.png", "old")
    compare_replicas(at, SEEDS, compared.lenses())
    assert content() == before
    compare_replicas(at, SEEDS, compared.lenses(), Engine(workers=2).at_once)
    assert content() == before


def test_one_seed_has_means_without_intervals_and_no_overlap(analyzed):
    compare_replicas(analyzed.at, (2,), analyzed.lenses())
    metrics = read_json(analyzed.at.across_metrics)
    accuracy = metrics["training"]["probe_accuracy"]
    assert accuracy == {"mean": 0.2, "low": None, "high": None, "n": 1}
    assert metrics["contribution"]["top2_overlap_raw"]["mean"] is None
    assert not (analyzed.at.across_seeds / "top2_overlap.png").exists()
    assert "NaN" not in analyzed.at.across_metrics.read_text()


def test_seeds_without_a_value_are_left_out_and_n_says_so(analyzed):
    at = analyzed.at
    metrics = read_json(at.seeds_metrics)
    changed = json.loads(json.dumps(metrics))
    changed["2"]["mistakes"]["accuracy"] = None
    del changed["4"]["training"]["train_loss"]
    write_json(at.seeds_metrics, changed)
    try:
        compare_replicas(at, SEEDS, {})
    finally:
        write_json(at.seeds_metrics, metrics)
    over_seeds = read_json(at.across_metrics)
    kept = [metrics[seed]["mistakes"]["accuracy"] for seed in ("1", "4")]
    assert over_seeds["mistakes"]["accuracy"]["n"] == 2
    assert over_seeds["mistakes"]["accuracy"]["mean"] == pytest.approx(np.mean(kept))
    assert over_seeds["training"]["train_loss"]["n"] == 2


def test_a_scalar_without_any_value_is_said_to_have_none():
    by_seed = {seed: {"mistakes": {"accuracy": 0.5, "share": None}} for seed in ("1", "2")}
    metrics = comparison.over_seeds(by_seed)
    assert metrics["mistakes"]["share"] == {"mean": None, "low": None, "high": None, "n": 0}
    sheet = numbers_sheet(Facts("toy", seeds=(1, 2)), "mistakes", by_seed, metrics["mistakes"])
    assert [panel.empty for panel in panels_of(sheet.body)] == ["", "no value"]


def test_replicas_without_an_epoch_are_compared_too(analyzed):
    at = analyzed.at
    for seed in SEEDS:
        write_text(at.history(seed), HISTORY.splitlines()[0] + "\n")
    try:
        compare_replicas(at, SEEDS, {})
    finally:
        for seed in SEEDS:
            write_text(at.history(seed), HISTORY.format(seed))
    assert pd.read_csv(at.learning).empty
    sheet = learning_sheet(Facts("toy", seeds=SEEDS), pd.read_csv(at.across_seeds / "learning_curves.csv"))
    assert [panel.empty for panel in panels_of(sheet.body)] == ["no epoch was trained"] * 2
    assert (at.across_seeds / "learning_curves.png").exists()


@pytest.mark.parametrize("n", [1, 3, 12, 40])
def test_the_names_of_many_seeds_do_not_run_into_each_other(n):
    rng = np.random.default_rng(0)
    names = ["a", "largest_other_class_share_shuffled_within_the_class", *"bcdefg"]
    by_seed = {str(100 + seed): {"mistakes": {name: rng.random() for name in names}} for seed in range(n)}
    found = comparison.over_seeds(by_seed)["mistakes"]
    sheet = numbers_sheet(Facts("toy", seeds=tuple(range(100, 100 + n))), "mistakes", by_seed, found)
    page, _ = laid_out(sheet.heading, "", sheet.body)
    seeds = [said for said in page.around if said.words in by_seed]
    assert len(seeds) >= len(names) * min(n, 6)
    assert not any(one.box.overlaps(other.box) for one, other in pairwise(seeds))
    shown = {panel.title for panel in panels_of(sheet.body)}
    titles = [said for said in page.around if said.words in shown]
    assert len(titles) == len(names)
    assert not any(one.box.overlaps(other.box) for one, other in combinations(titles, 2))


class _Shared:
    shares = ("*_silent", "accuracy")


def test_what_a_lens_declares_to_be_a_share_stays_between_0_and_1():
    values = {"accuracy": (1.0, 0.99, 1.0), "conv1_silent": (0.0, 0.0, 0.1), "conv1_silent_gain_x": (0.0, 0.0, 0.1)}
    by_seed = {str(seed): {"own": {name: row[seed] for name, row in values.items()}} for seed in range(3)}
    found = comparison.over_seeds(by_seed, {"own": _Shared()})["own"]
    for name, row in values.items():
        interval = mean_interval if "gain" in name else share_interval
        assert found[name] == interval(np.array(row)).as_dict()
    by_seed["1"]["own"]["accuracy"] = 3.0
    with pytest.raises(
        SeedscopeError, match=r"lens own declares accuracy to be a share, in \[0, 1\], but 3 is no share"
    ):
        comparison.over_seeds(by_seed, {"own": _Shared()})


def test_the_gains_of_a_lens_are_tested_together_and_the_figure_says_so():
    rng = np.random.default_rng(0)
    gains = {f"x_gain_{index}": rng.normal(1, 0.3, 4) for index in range(3)}
    by_seed = {str(seed): {"own": {name: row[seed] for name, row in gains.items()}} for seed in range(4)}
    found = comparison.over_replicas(
        by_seed, {"own": Comparison({"y_gain_z": mean_interval(rng.normal(1, 1, 4)).as_dict()})}
    )
    p = np.array([found["own"][name]["p"] for name in (*gains, "y_gain_z")])
    uncorrected = [stats.ttest_1samp(row, 0).pvalue for row in gains.values()]
    assert (p[:3] > uncorrected).all()
    sheet = numbers_sheet(Facts("toy", seeds=tuple(range(4))), "own", by_seed, found["own"])
    assert "corrected (Holm) for the 4 gains of this lens" in sheet.description
    assert [panel.title for panel in panels_of(sheet.body)] == [f"x gain {k} (p {p[k]:.2g})" for k in range(3)]

"""Which code counts for which stage, and for which lens."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment
from seedscope.files.paths import PACKAGE_ROOT
from seedscope.settings import closure, libraries
from seedscope.settings.closure import Codebase
from seedscope.settings.code import code_of, project_code, require_composed, sweep_code
from seedscope.settings.said import Composed
from seedscope.settings.stages import stage_numbers
from tests.read_before import take_what_was_read

REPOSITORY = Path(__file__).resolve().parents[2]
LENSES = ("contribution", "dominance", "words")
SETTINGS: dict[str, Any] = {
    "data": {"_target_": "seedscope.data.squares.Squares"},
    "model": {"_target_": "seedscope.models.convnet.ConvNet"},
    "weights": None,
    "train": {"_target_": "seedscope.replicas.training.Training", "vary": ["weights", "order"]},
    "dump": {"_target_": "seedscope.activations.dump.Dump"},
    "lenses": {lens: {"_target_": f"seedscope.lenses.{lens}.{lens.title()}"} for lens in LENSES},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this package and its stages, which a test may edit."""
    for name in ("src/seedscope", "pipeline"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(closure, "PACKAGE_ROOT", tmp_path / "src")
    take_what_was_read(tmp_path)
    return tmp_path


def code(project: Path, **sections: Any) -> dict[str, Any]:
    """Return the section ``code``, flat: every entry by its path."""
    codebase = Codebase.at(project, project / ".replicas")
    found = flat(code_of(Composed("toy", {**SETTINGS, **sections}, ()), codebase))
    codebase.keep()
    return found


def flat(content: dict[str, Any], above: str = "") -> dict[str, Any]:
    if "digest" in content:
        return {above: content}
    return {
        path: entry
        for key, inner in content.items()
        for path, entry in flat(inner, f"{above}.{key}".strip(".")).items()
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    assert before.keys() == after.keys()
    return {path for path in before if before[path] != after[path]}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8") + "\nmore = 1\n", encoding="utf-8")


def test_every_stage_and_every_lens_has_an_entry(project: Path) -> None:
    expected = {"generate", "train", "dump", "analyze.stage", "compare.stage", "replica"}
    expected |= {
        f"{where}.{lens}" for where in ("analyze.measure", "analyze.draw", "compare.lenses") for lens in LENSES
    }
    assert code(project).keys() == expected


def test_comments_and_docstrings_count_nowhere(project: Path) -> None:
    before = code(project)
    for file in sorted(project.rglob("*.py")):
        file.write_text(f"{file.read_text(encoding='utf-8')}# a comment\n", encoding="utf-8")
    edit(project / "src/seedscope/replicas/training.py", '"""Train one replica:', '"""Trains one replica:')
    assert changed(before, code(project)) == set()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("pipeline/generate.py", {"generate"}),
        ("pipeline/compare.py", {"compare.stage"}),
        ("src/seedscope/replicas/training.py", {"train", "replica"}),
        ("src/seedscope/models/perceptron.py", set()),
        ("src/seedscope/replicas/cluster.py", set()),
    ],
)
def test_an_edit_counts_where_it_is_imported_and_nowhere_else(project: Path, file: str, expected: set[str]) -> None:
    before = code(project)
    append(project / file)
    assert {path for path in changed(before, code(project)) if path.count(".") < 2} == expected


def test_an_edit_of_one_lens_is_its_own_affair(project: Path) -> None:
    before = code(project)
    append(project / "src/seedscope/lenses/words/rule.py")
    affected = changed(before, code(project))
    assert affected
    assert all(path.endswith(".words") for path in affected)


def test_the_network_and_the_training_make_a_replica_and_the_data_where_it_draws_its_own(project: Path) -> None:
    for file, counts in (
        ("replicas/streams.py", True),
        ("models/convnet.py", True),
        ("models/perceptron.py", False),
        ("lenses/mistakes/measure.py", False),
        ("data/squares.py", False),
    ):
        before = code(project)
        append(project / "src/seedscope" / file)
        assert ("replica" in changed(before, code(project))) is counts, file
    drawing = {"train": {**SETTINGS["train"], "vary": ["draw"]}}
    before = code(project, **drawing)
    append(project / "src/seedscope/data/squares.py")
    assert {"replica", "train"} <= changed(before, code(project, **drawing))


def test_how_stacks_are_trained_makes_only_replicas_that_are_stacked(project: Path) -> None:
    stacked = {"train": {**SETTINGS["train"], "stacked": True}}
    alone, together = code(project), code(project, **stacked)
    append(project / "src/seedscope/replicas/stack.py")
    assert changed(alone, code(project)) == {"train"}
    assert changed(together, code(project, **stacked)) == {"train", "replica"}


def test_the_store_of_replicas_and_the_engine_count_nowhere(project: Path) -> None:
    before = code(project)
    append(project / "src/seedscope/replicas/eviction.py")
    assert changed(before, code(project)) == set()


def test_a_network_of_the_users_counts_with_what_it_takes_from_this_package(project: Path) -> None:
    (project / "mine.py").write_text(
        "import parts\nfrom seedscope.models.convnet import ConvNet\nclass Net(ConvNet): ..."
    )
    (project / "parts.py").write_text("width = 1")
    own = {"model": {"_target_": "mine.Net"}}
    before = code(project, **own)
    (project / "parts.py").write_text("width = 1  # narrow")
    assert changed(before, code(project, **own)) == set()
    for file in ("mine.py", "parts.py", "src/seedscope/models/convnet.py"):
        before = code(project, **own)
        append(project / file)
        assert changed(before, code(project, **own)) == {"train", "dump", "replica"}, file


def test_given_weights_are_what_the_network_makes_of_them(project: Path) -> None:
    given = {"train": None, "weights": {"_target_": "seedscope.replicas.given.GivenWeights"}}
    before = code(project, **given)
    append(project / "src/seedscope/replicas/training.py")
    assert "replica" not in changed(before, code(project, **given))
    append(project / "src/seedscope/models/convnet.py")
    assert {"train", "replica"} <= changed(before, code(project, **given))


def test_an_upgraded_torch_is_noticed_where_it_is_used(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = code(project)
    real = libraries.installed_version
    monkeypatch.setattr(libraries, "installed_version", lambda name: "9.9" if name == "torch" else real(name))
    affected = changed(before, code(project))
    assert {"train", "dump", "replica"} <= affected
    assert "generate" not in affected


def test_a_sweep_depends_on_the_code_of_all_its_variants(project: Path) -> None:
    variants = [
        Composed("toy", {**SETTINGS, "model": {"_target_": f"seedscope.models.{name}.Net"}}, ())
        for name in ("convnet", "perceptron")
    ]

    def entry() -> dict[str, str]:
        return sweep_code(variants, Codebase.at(project, project / ".replicas"))["sweep"]

    seen = [entry()]
    for file in ("models/convnet.py", "models/perceptron.py", "lenses/words/rule.py", "seeds/conditions.py"):
        append(project / "src/seedscope" / file)
        seen.append(entry())
    assert len({one["digest"] for one in seen}) == len(seen)
    append(project / "src/seedscope/models/vgg16.py")
    assert entry() == seen[-1]


def test_the_report_depends_on_its_pages_and_nothing_on_what_composes(project: Path) -> None:
    def entries() -> tuple[dict[str, Any], dict[str, Any]]:
        codebase = Codebase.at(project, project / ".replicas")
        return project_code(codebase), code(project)

    before = entries()
    assert before[0].keys() == {"report"}
    append(project / "src/seedscope/settings/said.py")
    assert entries() == before
    page = next((project / "src/seedscope/report/templates").iterdir())
    page.write_text(page.read_text() + " ")
    assert entries()[0] != before[0]


def test_the_network_is_asked_about_before_it_is_looked_at(project: Path) -> None:
    """What is measured is kept by the network's identity, which was written when it was trained."""
    codebase = Codebase.at(project, project / ".replicas")
    experiment = Experiment("toy", {**SETTINGS, "code": code_of(Composed("toy", SETTINGS, ()), codebase)}, project)
    append(project / "src/seedscope/models/convnet.py")
    with pytest.raises(SeedscopeError, match="changed after it was composed"):
        require_composed("analyze", experiment)
    require_composed("compare", experiment)


@pytest.mark.parametrize("stage", ["analyze", "compare", "sweep"])
def test_the_order_of_lenses_is_in_the_number_of_what_writes_over_all_of_them(stage: str) -> None:
    def number(lenses: list[str]) -> str:
        own = {"seeds": [0], "drawn": [0], "lenses": {lens: {} for lens in lenses}}
        alike = {"experiment": "toy", "key": "k", "base": 1, "variants": [{"name": "a", "settings": own}]}
        content = {**own, **alike, "code": {stage: {}, "replica": {}}}
        return stage_numbers(content)[stage]

    assert number(["a", "b"]) == number(["a", "b"])
    assert number(["a", "b"]) != number(["b", "a"])


@pytest.mark.parametrize("stage", ["generate", "train", "dump", "analyze", "compare", "sweep"])
def test_a_stage_refuses_to_run_code_that_was_edited_after_it_was_composed(project: Path, stage: str) -> None:
    """Else what it makes would be kept by the name of the code before."""
    codebase = Codebase.at(project, project / ".replicas")
    composed = Composed("toy", SETTINGS, ())
    settings = {**SETTINGS, "variants": [{"name": "a", "settings": SETTINGS}]}
    code = {**code_of(composed, codebase), **sweep_code([composed], codebase)}
    experiment = Experiment("toy", {**settings, "code": code}, project)
    require_composed(stage, experiment)
    append(project / "src/seedscope/models/perceptron.py")
    require_composed(stage, experiment)
    append(project / f"pipeline/{stage}.py")
    with pytest.raises(SeedscopeError, match=r"^the code of toy changed after it was composed: run `dvc repro`$"):
        require_composed(stage, experiment)


def test_training_reaches_what_decides_about_bits_and_no_lens() -> None:
    found = Codebase.at(REPOSITORY, REPOSITORY / ".replicas").closure(["seedscope.replicas.training"]).files
    assert {"seedscope", "seedscope.replicas.streams", "seedscope.files.writing"} <= found.keys()
    assert all(file.is_relative_to(PACKAGE_ROOT) for file in found.values())
    rooms = ("seedscope.lenses", "seedscope.figures", "seedscope.report", "seedscope.settings")
    assert not any(name.startswith(rooms) for name in found)

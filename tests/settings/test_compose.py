"""Every mistake in a configuration is refused in one sentence that says where it stands, and nothing is written."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

from seedscope.files.errors import SeedscopeError
from seedscope.files.experiment import Experiment, Sweep
from seedscope.settings import compose
from seedscope.settings.compose import compose_all
from tests.read_before import take_what_was_read
from tests.users_files import users_files

REPOSITORY = Path(__file__).resolve().parents[2]
EXPERIMENT = "conf/experiment/squares.yaml"
AFTER_DUMP = (Path(__file__).resolve().parents[2] / EXPERIMENT).read_text().splitlines().index("dump:") + 2
PARAMS = {
    "experiments": ["squares"],
    "seeds": [0, 1],
    "sweeps": [],
    "squares": {
        "data": {"n_train": 90, "n_probe": 45},
        "train": {"epochs": 2},
        "lenses": {"contribution": {"top": 5}},
    },
}


class Project:
    """A project folder with this repository's ``conf/``, two experiments of it, and a small ``params.yaml``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("conf", "pipeline"):
            shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (folder / "conf" / "experiment").iterdir():
            if path.stem not in ("squares", "digits_tiny"):
                path.unlink()
        take_what_was_read(folder)
        self.write("params.yaml", yaml.safe_dump(PARAMS, sort_keys=False))

    def write(self, file: str, text: str) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def append(self, file: str, text: str) -> None:
        self.write(file, (self.folder / file).read_text(encoding="utf-8") + text + "\n")

    def replace(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text(encoding="utf-8")
        assert old in text
        self.write(file, text.replace(old, new))

    def set(self, *path: str, value: Any) -> None:
        params = yaml.safe_load((self.folder / "params.yaml").read_text(encoding="utf-8"))
        block = params
        for key in path[:-1]:
            block = block.setdefault(key, {})
        block[path[-1]] = value
        self.write("params.yaml", yaml.safe_dump(params, sort_keys=False))

    def composed(self, name: str = "squares") -> dict[str, Any]:
        compose_all(self.folder)
        return json.loads((self.folder / "runs" / "configs" / f"{name}.json").read_text(encoding="utf-8"))

    def refusal(self) -> str:
        """Return the sentence that refuses the project; whatever else it does fails the test."""
        self.write("runs/configs/squares.json", "{}")
        self.write("runs/configs/gone.json", "{}")
        before = self._state()
        with pytest.raises(SeedscopeError) as refused:
            compose_all(self.folder)
        assert self._state() == before
        sentence = str(refused.value)
        assert "\n" not in sentence
        assert "full_key" not in sentence
        return sentence

    def _state(self) -> dict[str, tuple[bytes, int]]:
        files = (path for path in self.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)
    yield Project(tmp_path)
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


# --- params.yaml as a whole -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("experiments: [squares\nseeds: [1]", "params.yaml, line 2: not valid YAML: expected ',' or ']'"),
        ("experiments: [squares]\nsquares:\n\ttrain: {}", "params.yaml, line 3: not valid YAML: found character '\\t'"),
        ("experiments: [squares]\nseeds: [1]\nseeds: [2]", "params.yaml, line 3: not valid YAML: found duplicate key"),
        ("squares:\n  train:\n    epochs: 1\n    epochs: 2", "line 4: not valid YAML: found duplicate key epochs"),
        ("", "params.yaml: experiments must be a list of names; there are: digits_tiny, squares"),
        ("- a\n- b", "params.yaml must hold keys and values, not a list"),
        (
            "experiments: [squares]\nsquares: {train: {epochs: '${nope'}}",
            "params.yaml: squares.train.epochs: no viable",
        ),
    ],
    ids=["unclosed list", "tab", "key twice", "inner key twice", "empty", "a list", "broken reference"],
)
def test_a_params_file_that_cannot_be_read_is_refused_with_its_line(project: Project, text: str, sentence: str) -> None:
    project.write("params.yaml", text)
    assert sentence in project.refusal()


def test_a_missing_params_file_is_named(project: Project) -> None:
    (project.folder / "params.yaml").unlink()
    assert project.refusal() == "params.yaml cannot be read: No such file or directory"


def test_a_params_file_in_another_encoding_is_named(project: Project) -> None:
    (project.folder / "params.yaml").write_bytes("experiments: [squares] # größer".encode("latin-1"))
    assert project.refusal() == "params.yaml cannot be read: it is not UTF-8 text"


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["sede"], [1], "params.yaml: 'sede' is neither a key nor an experiment; did you mean 'seeds'?"),
        (["sqares"], {}, "params.yaml: 'sqares' is neither a key nor an experiment; did you mean 'squares'?"),
        (["+squares"], {}, "params.yaml: '+squares' is neither a key nor an experiment; did you mean 'squares'?"),
        (["experiments"], ["sqares"], "params.yaml: experiments: there is no 'sqares'; did you mean 'squares'?"),
        (["experiments"], ["squares", "squares"], "params.yaml: experiments: 'squares' stands there twice"),
        (["experiments"], [], "params.yaml: experiments must be a list of names; there are: digits_tiny, squares"),
        (["experiments"], "squares", "params.yaml: experiments must be a list of names"),
        (["experiments"], [["squares"]], "params.yaml: experiments: there is no ['squares']"),
        (["squares"], 3, "params.yaml: squares must be a block of keys, not 3"),
        (["digits_tiny"], [1], "params.yaml: digits_tiny must be a block of keys, not [1]"),
        (["engine"], {"worker": 2}, "params.yaml: engine.worker: seedscope.replicas.mapping.Engine takes no 'worker'"),
        (["engine"], {"workers": 0}, "params.yaml: engine.workers: input should be greater than or equal to 1, not 0"),
        (["engine.adress"], "x", "params.yaml: engine.adress: seedscope.replicas.mapping.Engine takes no 'adress'"),
        (["engine.address"], "x", "params.yaml: engine.address: seedscope.replicas.mapping.Engine takes no 'address'"),
        (["engines.address"], "x", "params.yaml: 'engines.address' is neither a key nor an experiment"),
        (["engine"], "dask", "conf/engine/dask.yaml: address: no scheduler: write its address, such as tcp://10.0.0.1"),
        (["engine"], "fast", "params.yaml: engine: there is no 'fast'; did you mean 'dask'?"),
    ],
)
def test_a_mistake_among_the_top_keys_is_named(project: Project, path: list[str], value: Any, sentence: str) -> None:
    project.set(*path, value=value)
    assert project.refusal().startswith(sentence)


def test_the_engine_is_a_word_for_all_experiments_or_for_one(project: Project) -> None:
    loky = {"_target_": "seedscope.replicas.mapping.Engine", "workers": None}
    dask = {"_target_": "seedscope.replicas.cluster.Dask", "address": "tcp://10.0.0.1:8786", "patience": 60}
    assert project.composed()["engine"] == loky
    project.set("engine", value="dask")
    project.set("engine.address", value="tcp://10.0.0.1:8786")
    assert project.composed()["engine"] == dask
    project.set("squares", "engine", value="loky")
    project.set("squares", "engine.workers", value=2)
    assert project.composed()["engine"] == {**loky, "workers": 2}
    project.set("squares", "engine", value="dask")
    project.set("squares", "engine.workers", value=2)
    assert project.refusal().startswith(
        "params.yaml: squares.engine.workers: seedscope.replicas.cluster.Dask takes no 'workers'"
    )


def test_the_scheduler_may_stand_in_the_surroundings(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://10.0.0.1:8786")
    project.set("engine", value="dask")
    assert project.composed()["engine"]["address"] is None


@pytest.mark.parametrize("seeds", [[], [-1], [True], [1.0], ["1"], [[1]], [2**63], "0, 1", 3, None, {"a": 1}], ids=str)
def test_seeds_are_whole_numbers_from_0(project: Project, seeds: Any) -> None:
    project.set("seeds", value=seeds)
    assert project.refusal() == f"params.yaml: seeds must be a list of whole numbers from 0, not {seeds!r}"


def test_an_experiments_own_seeds_are_named_as_its_own(project: Project) -> None:
    project.set("squares", "seeds", value=[1.5])
    assert project.refusal() == "params.yaml: squares.seeds must be a list of whole numbers from 0, not [1.5]"


def test_a_seed_that_stands_twice_is_named(project: Project) -> None:
    project.set("seeds", value=[3, 1, 3])
    assert project.refusal() == "params.yaml: seeds: seed 3 stands there twice"


# --- the file that decides ------------------------------------------------------------------------------------


UNKNOWN_KEYS = {
    "data": ("n_trian", "n_train"),
    "model": ("hiden", "hidden"),
    "train": ("epoch", "epochs"),
    "dump": ("layer", "layers"),
}


@pytest.mark.parametrize("form", ["nested", "dotted"])
@pytest.mark.parametrize("section", UNKNOWN_KEYS)
def test_an_unknown_key_in_params_is_named_with_the_nearest(project: Project, section: str, form: str) -> None:
    typo, right = UNKNOWN_KEYS[section]
    project.set("squares", *([section, typo] if form == "nested" else [f"{section}.{typo}"]), value=3)
    sentence = project.refusal()
    assert sentence.startswith(f"params.yaml: squares.{section}.{typo}: ")
    assert sentence.endswith(f"takes no {typo!r}; did you mean {right!r}?")


@pytest.mark.parametrize("section", UNKNOWN_KEYS)
def test_an_unknown_key_in_an_experiments_file_names_that_file(project: Project, section: str) -> None:
    typo, right = UNKNOWN_KEYS[section]
    if section == "dump":
        project.replace(EXPERIMENT, "dump:\n", f"dump:\n  {typo}: 3\n")
    else:
        project.append(EXPERIMENT, f"{section}:\n  {typo}: 3")
    sentence = project.refusal()
    assert sentence.startswith(f"{EXPERIMENT}: {section}.{typo}: ")
    assert sentence.endswith(f"did you mean {right!r}?")


@pytest.mark.parametrize(
    ("file", "text", "key"),
    [
        ("conf/data/squares.yaml", "n_trian: 3", "n_trian"),
        ("conf/model/squares_cnn.yaml", "hiden: [3]", "hiden"),
        ("conf/train/adam.yaml", "epoch: 3", "epoch"),
        ("conf/lens/contribution.yaml", "tops: 3", "tops"),
        ("conf/config.yaml", "train:\n  epoch: 3", "train.epoch"),
    ],
)
def test_an_unknown_key_in_a_file_of_conf_names_that_file(project: Project, file: str, text: str, key: str) -> None:
    project.append(file, text)
    assert project.refusal().startswith(f"{file}: {key}: ")


def test_the_general_defaults_are_named_where_they_overrule_a_groups_file(project: Project) -> None:
    project.append("conf/config.yaml", "train:\n  batch_size: -3")
    assert project.refusal().startswith("conf/config.yaml: train.batch_size: input should be greater than or equal")


def test_a_bad_value_is_named_in_the_file_that_has_the_last_word(project: Project) -> None:
    project.append(EXPERIMENT, "train:\n  batch_size: none\n  epochs: 7")
    assert project.refusal().startswith(f"{EXPERIMENT}: train.batch_size: ")
    project.set("squares", "train", "batch_size", value=0)
    assert project.refusal().startswith("params.yaml: squares.train.batch_size: ")


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("features", "params.yaml: squares.readout.features: there is no layer 'fc9'"),
        ("head", "params.yaml: squares.readout.head: there is no layer 'fc9'"),
    ],
)
def test_a_setting_that_lenses_refer_to_is_named_where_it_was_set(project: Project, key: str, sentence: str) -> None:
    project.set("squares", "readout", key, value="fc9")
    assert project.refusal().startswith(sentence)


# --- the block of an experiment -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["trian"], {"epochs": 3}, "params.yaml: squares.trian: there is no section 'trian'; did you mean 'train'?"),
        (["trian.epochs"], 3, "params.yaml: squares.trian: there is no section 'trian'; did you mean 'train'?"),
        (["train.epochs"], 3, "params.yaml: squares.train.epochs stands there twice"),
        (["inputs"], {"a.csv": "0"}, "params.yaml: squares.inputs: there is no section 'inputs'"),
        (["+train"], {"epochs": 3}, "params.yaml: squares.+train: write 'train'; a key needs no sign here"),
        (["++train.epochs"], 3, "params.yaml: squares.++train.epochs: write 'train.epochs'; a key needs no sign here"),
        (["~train"], None, "params.yaml: squares.~train: write 'train'; a key needs no sign here"),
        (
            ["train", "+epochs"],
            3,
            "params.yaml: squares.train.+epochs: seedscope.replicas.training.Training takes no '+epochs'",
        ),
        (["data", "noise"], "???", "params.yaml: squares.data.noise: it was left unset (???)"),
        (
            ["train", "batch_size"],
            "${readout.haed}",
            "params.yaml: squares.train.batch_size: there is no setting 'readout.haed'; did you mean 'readout.head'?",
        ),
        (["train", "batch_size"], "${nope:3}", "params.yaml: squares.train.batch_size: Unsupported interpolation type"),
        (["train", "batch_size"], "${train.batch_size}", "params.yaml: squares.train.batch_size: "),
        (["data"], "sqares", "params.yaml: squares.data: there is no 'sqares'; did you mean 'squares'?"),
        (["model"], "square_cnn", "params.yaml: squares.model: there is no 'square_cnn'; did you mean 'squares_cnn'?"),
        (["data"], None, "params.yaml: squares.data must be a block with a _target_ such as package.module.Class"),
        (["model"], {"_target_": "ConvNet"}, "params.yaml: squares.model must be a block with a _target_"),
        (["lens"], "contribution", "params.yaml: squares.lens: there is no section 'lens'; did you mean 'lenses'?"),
        (["lenses"], [], "params.yaml: squares.lenses must be a block of lenses, not []"),
        (
            ["lenses", "contributions"],
            {"top": 3},
            "params.yaml: squares.lenses.contributions must be a block with a _target_ such as package.module.Class; "
            "did you mean 'contribution'?",
        ),
        (["readout"], "fc1", "params.yaml: squares.readout must be a block of keys, not 'fc1'"),
        (
            ["readout"],
            {"featurs": "fc1"},
            "params.yaml: squares.readout.featurs: there is no 'featurs'; did you mean 'features'?",
        ),
        (["experiment"], "digits_tiny", "params.yaml: squares.experiment: 'digits_tiny' must be its file's name"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_in_an_experiments_block_is_named(
    project: Project, path: list[str], value: Any, sentence: str
) -> None:
    project.set("squares", *path, value=value)
    assert project.refusal().startswith(sentence)


# --- conf/ ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        (EXPERIMENT, "# @package _global_\n", "", f"{EXPERIMENT}: its first line must be `# @package _global_`"),
        (EXPERIMENT, "experiment: squares\n", "", f"{EXPERIMENT} must say `experiment: squares`"),
        (EXPERIMENT, "experiment: squares", "experiment: circles", f"{EXPERIMENT}: experiment: 'circles' must be its"),
        (EXPERIMENT, "dump:\n", "~train: null\ndump:\n", f"{EXPERIMENT}: ~train: there is no section '~train'"),
        (EXPERIMENT, "dump:\n", "dump:\n\t", f"{EXPERIMENT}, line {AFTER_DUMP}: not valid YAML: found character '\\t'"),
        (
            EXPERIMENT,
            "/data: squares",
            "/data: sqares",
            f"{EXPERIMENT} cannot be composed: In 'config': Could not find",
        ),
        (EXPERIMENT, "/data: squares", "/dta: squares", f"{EXPERIMENT} cannot be composed: In 'experiment/squares': "),
        ("conf/data/squares.yaml", "side: 6", "side: ???", "conf/data/squares.yaml: side: it was left unset (???)"),
        ("conf/data/squares.yaml", "side: 6", "side: [", "conf/data/squares.yaml, line"),
        ("conf/data/squares.yaml", "side: 6", "size: 6", "conf/data/squares.yaml, line 6: not valid YAML: found dupl"),
        (
            "conf/lens/mistakes.yaml",
            "${readout.head}",
            "${readot.head}",
            "conf/lens/mistakes.yaml: head: there is no setting 'readot.head'; did you mean 'readout.head'?",
        ),
        ("conf/config.yaml", "dump:\n", "motor: {}\ndump:\n", "conf/config.yaml: motor: there is no section 'motor'"),
    ],
)
def test_a_mistake_in_conf_names_its_file(project: Project, file: str, old: str, new: str, sentence: str) -> None:
    project.replace(file, old, new)
    assert project.refusal().startswith(sentence)


def test_a_missing_section_is_named(project: Project) -> None:
    text = (project.folder / "conf/config.yaml").read_text(encoding="utf-8")
    project.write("conf/config.yaml", text.replace("  - engine: loky\n", ""))
    assert project.refusal() == "conf/config.yaml: the section 'engine' is missing"


@pytest.mark.parametrize("name", ["configs", "seeds", "project", "training"])
def test_an_experiment_whose_name_would_clash_is_refused(project: Project, name: str) -> None:
    project.write(f"conf/experiment/{name}.yaml", f"# @package _global_\nexperiment: {name}\n")
    assert project.refusal() == (
        f"conf/experiment/{name}.yaml: an experiment cannot be called {name!r}: this word has a meaning of its own"
    )


@pytest.mark.parametrize("name", ["a|touch x", "a b", "größe", "-a", "a.", "x" * 65])
def test_a_name_that_is_no_name_of_a_file_is_refused(project: Project, name: str) -> None:
    project.write(f"conf/experiment/{name}.yaml", f"# @package _global_\nexperiment: {name}\n")
    sentence = "a name has 1 to 64 letters and digits, with _, - and . only inside"
    assert project.refusal() == f"conf/experiment/{name}.yaml: an experiment cannot be called {name!r}: {sentence}"
    (project.folder / f"conf/experiment/{name}.yaml").unlink()
    project.set("squares", "lenses", f"../../../{name}", value={"_target_": "seedscope.lenses.space.Space"})
    assert project.refusal() == (
        f"params.yaml: squares.lenses.../../../{name}: a lens cannot be called '../../../{name}': {sentence}"
    )


def test_names_that_differ_in_case_alone_are_refused(project: Project) -> None:
    project.write("conf/experiment/Squares.yaml", "# @package _global_\nexperiment: Squares\n")
    sentence = "differs from 'squares' in case alone"
    assert project.refusal() == (
        f"conf/experiment/Squares.yaml: an experiment cannot be called 'Squares': it {sentence}"
    )
    (project.folder / "conf/experiment/Squares.yaml").unlink()
    project.set("squares", "lenses", "Mistakes", value={"_target_": "seedscope.lenses.space.Space"})
    assert project.refusal() == (
        "params.yaml: squares.lenses.Mistakes: a lens cannot be called 'Mistakes': it differs from 'mistakes' in case "
        "alone"
    )


def test_one_wrong_experiment_of_two_leaves_both_unwritten(project: Project) -> None:
    project.set("experiments", value=["squares", "digits_tiny"])
    project.set("digits_tiny", "train", value={"epochs": -1})
    assert project.refusal().startswith("params.yaml: digits_tiny.train.epochs: ")


# --- what is right --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.stem for path in (REPOSITORY / "conf" / "experiment").glob("*.yaml")))
def test_every_experiment_of_the_repository_composes(project: Project, name: str) -> None:
    shutil.copytree(REPOSITORY / "conf", project.folder / "conf", dirs_exist_ok=True)
    shutil.copytree(REPOSITORY / "examples", project.folder / "examples")
    shutil.copy(REPOSITORY / "params.yaml", project.folder / "params.yaml")
    users_files(project.folder)
    project.set("experiments", value=[name])
    assert project.composed(name)["experiment"] == name


def test_the_repositorys_own_params_compose(project: Project) -> None:
    shutil.copytree(REPOSITORY / "conf", project.folder / "conf", dirs_exist_ok=True)
    shutil.copy(REPOSITORY / "params.yaml", project.folder / "params.yaml")
    compose_all(project.folder)


def test_the_block_of_params_has_the_last_word(project: Project) -> None:
    project.append(EXPERIMENT, "train:\n  epochs: 7\n  batch_size: 32")
    train = project.composed()["train"]
    assert (train["epochs"], train["batch_size"], train["learning_rate"]) == (2, 32, 0.001)


def test_a_dotted_key_sets_what_a_nested_one_sets(project: Project) -> None:
    project.set("squares", "train", value={"epochs": 3, "vary": ["order"]})
    nested = project.composed()
    project.set("squares", "train", value={})
    project.set("squares", "train.epochs", value=3)
    project.set("squares", "train.vary", value=["order"])
    assert project.composed() == nested
    assert nested["train"]["vary"] == ["order"]


def test_a_word_selects_the_file_of_a_group(project: Project) -> None:
    project.write("conf/data/fainter.yaml", "_target_: seedscope.data.squares.Squares\ncontrast: 0.1\n")
    project.set("squares", "data", value="fainter")
    assert project.composed()["data"] == {"_target_": "seedscope.data.squares.Squares", "contrast": 0.1}


@pytest.mark.parametrize("word_first", [True, False])
def test_a_setting_may_be_turned_in_the_file_that_a_word_selected(project: Project, word_first: bool) -> None:
    project.write("conf/data/fainter.yaml", "_target_: seedscope.data.squares.Squares\ncontrast: 0.1\n")
    block = [("data", "fainter"), ("data.noise", 0.3)]
    project.set("squares", value=dict(block if word_first else reversed(block)))
    assert project.composed()["data"] == {
        "_target_": "seedscope.data.squares.Squares",
        "contrast": 0.1,
        "noise": 0.3,
    }
    project.set("squares", value={"data": "fainter", "data.nois": 0.3})
    assert project.refusal().startswith("params.yaml: squares.data.nois: ")


@pytest.mark.parametrize("block", [{"train": 3, "train.epochs": 3}, {"train.epochs": 3, "train": 3}])
def test_a_section_that_is_a_value_and_a_block_is_refused(project: Project, block: dict[str, Any]) -> None:
    project.set("squares", value=block)
    assert re.fullmatch(r"params\.yaml: squares\.train(\.epochs)? stands there twice", project.refusal())


def test_an_experiment_may_have_seeds_of_its_own(project: Project) -> None:
    project.set("experiments", value=["squares", "digits_tiny"])
    project.set("squares", "seeds", value=[7])
    assert project.composed("squares")["seeds"] == [7]
    assert project.composed("digits_tiny")["seeds"] == [0, 1]


@pytest.mark.parametrize(("written", "number"), [("1e-3", 1e-3), ("1e-05", 1e-5), ("1E-2", 1e-2)])
def test_a_number_may_be_written_as_dvc_writes_it(project: Project, written: str, number: float) -> None:
    project.replace("params.yaml", "    epochs: 2\n", f"    epochs: 2\n    learning_rate: {written}\n")
    assert project.composed()["train"]["learning_rate"] == number


def test_a_lens_set_to_null_is_removed(project: Project) -> None:
    before = project.composed()["lenses"].keys()
    project.set("squares", "lenses", "mistakes", value=None)
    assert before - project.composed()["lenses"].keys() == {"mistakes"}


def test_a_readout_set_in_params_reaches_every_lens(project: Project) -> None:
    project.set("squares", "model", value={"hidden": [32, 16]})
    project.set("squares", "dump", value={"layers": {"fc2": "probe"}})
    project.set("squares", "readout", value={"features": "fc2", "head": "fc3"})
    heads = [lens for lens in project.composed()["lenses"].values() if "head" in lens]
    assert len(heads) >= 3
    for lens in heads:
        assert (lens.get("features", "fc2"), lens["head"]) == ("fc2", "fc3")


def test_composing_twice_writes_the_same_bytes(project: Project) -> None:
    project.composed()
    first = (project.folder / "runs/configs/squares.json").read_bytes()
    project.composed()
    assert (project.folder / "runs/configs/squares.json").read_bytes() == first


def test_the_order_of_keys_in_params_does_not_matter(project: Project) -> None:
    first = project.composed()
    params = yaml.safe_load((project.folder / "params.yaml").read_text(encoding="utf-8"))
    params["squares"] = dict(reversed(params["squares"].items()))
    project.write("params.yaml", yaml.safe_dump(dict(reversed(params.items())), sort_keys=False))
    assert project.composed() == first


def test_the_configuration_of_a_removed_experiment_disappears(project: Project) -> None:
    project.set("experiments", value=["squares", "digits_tiny"])
    compose_all(project.folder)
    project.set("experiments", value=["digits_tiny"])
    compose_all(project.folder)
    assert {path.name for path in (project.folder / "runs/configs").iterdir()} == {"digits_tiny.json", "project.json"}


# --- an experiment on another data set ------------------------------------------------------------------------


@pytest.fixture
def digits(project: Project) -> Project:
    """A project with the experiments on handwritten digits, each with an empty block."""
    names = ("digits", "slp", "mlp")
    for name in names:
        shutil.copy(REPOSITORY / "conf" / "experiment" / f"{name}.yaml", project.folder / "conf" / "experiment")
    project.write("params.yaml", yaml.safe_dump({"experiments": list(names), "sweeps": [], "seeds": [0]}))
    return project


@pytest.mark.parametrize(
    ("name", "offline", "mnist"),
    [
        ("digits", ([1, 28, 28], 40, 32, 0.1), ([1, 28, 28], 3, 32, 0.1)),
        ("slp", ([1, 8, 8], 100, 50, 0.02), ([1, 28, 28], 20, 500, 0.02)),
        ("mlp", ([1, 8, 8], 100, 50, 0.02), ([1, 28, 28], 20, 500, 0.02)),
    ],
)
def test_one_word_switches_to_mnist_and_brings_what_goes_with_it(
    digits: Project, name: str, offline: tuple[Any, ...], mnist: tuple[Any, ...]
) -> None:
    digits.set("experiments", value=[name])

    def chosen() -> tuple[Any, ...]:
        settings = digits.composed(name)
        train = settings["train"]
        return settings["model"]["shape"], train["epochs"], train["batch_size"], settings["data"]["validation"]

    assert chosen() == offline
    digits.set(name, "data", value="mnist")
    assert chosen() == mnist
    assert digits.composed(name)["data"]["_target_"] == "seedscope.data.mnist.Mnist"
    digits.set(name, "train", "epochs", value=7)
    assert chosen()[1] == 7


@pytest.mark.parametrize("data", ["digits", "mnist"])
def test_a_mistake_in_what_goes_with_a_data_set_names_that_file(digits: Project, data: str) -> None:
    digits.set("mlp", "data", value=data)
    digits.replace(f"conf/setting/perceptron_{data}.yaml", "batch_size: ", "batch_size: -")
    digits.set("experiments", value=["mlp"])
    assert digits.refusal().startswith(f"conf/setting/perceptron_{data}.yaml: train.batch_size: input should be")


def test_a_data_set_that_an_experiment_has_no_settings_for_is_refused_with_those_there_are(digits: Project) -> None:
    digits.set("slp", "data", value="squares")
    sentence = digits.refusal()
    assert sentence.startswith("conf/experiment/slp.yaml cannot be composed: ")
    assert "Could not find 'setting/perceptron_squares'" in sentence
    assert "perceptron_mnist" in sentence


# --- code and files of the user's -----------------------------------------------------------------------------

OWN = '''"""What a user may bring along."""
from pathlib import Path

import numpy as np
from torch import nn

import shades
from seedscope.data import pictures


class Stripes:
    """Vertical or horizontal stripes."""

    shape = (1, 6, 6)
    class_names = ("vertical", "horizontal")

    def __init__(self, n: int = 8, file: str = "shade.txt") -> None:
        self.n, self.inputs = n, (Path(file),)

    def training(self, draw):
        return self._take("train", draw)

    def probe(self):
        return self._take("probe", 99)

    def _take(self, split, draw):
        label = np.arange(self.n) % 2
        stripes = np.indices((6, 6))[1 - label] % 2
        return pictures(shades.shade(stripes)[:, None], label, split)


class Net(nn.Module):
    def __init__(self, width: int = 4, classes: int = 2) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(36, width), nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.features(x.flatten(1)))


class Brightness:
    def __init__(self, above: float = 0.5) -> None: ...
    def check(self, network): ...
    def measure(self, replica): ...
    def draw(self, measured): ...
    def summarize(self, measured): ...
'''


@pytest.fixture
def own(project: Project) -> Project:
    """A project with a data set, a network and a lens of the user's."""
    project.write("own.py", OWN)
    project.write("shades.py", "def shade(stripes):\n    return stripes * 0.5\n")
    project.write("shade.txt", "grey\n")
    project.write("conf/data/stripes.yaml", "_target_: own.Stripes\nn: 8\n")
    project.write("conf/model/net.yaml", "_target_: own.Net\nwidth: 4\n")
    block = {
        "data": "stripes",
        "model": "net",
        "readout": {"features": "features.1", "head": "head"},
        "dump": {"layers": {"features.1": "probe"}},
        "lenses": {
            "brightness": {"_target_": "own.Brightness", "above": 0.2},
            "contribution": {"top": 2},
            "mistakes": None,
            "dominance": None,
        },
    }
    project.write("params.yaml", yaml.safe_dump({"experiments": ["mine"], "sweeps": [], "seeds": [0], "mine": block}))
    project.write("conf/experiment/mine.yaml", "# @package _global_\nexperiment: mine\n")
    return project


def test_a_data_set_a_network_and_a_lens_of_the_users_compose(own: Project) -> None:
    settings = own.composed("mine")
    assert settings["data"] == {"_target_": "own.Stripes", "n": 8}
    assert settings["model"] == {"_target_": "own.Net", "width": 4}
    assert settings["lenses"]["brightness"] == {"_target_": "own.Brightness", "above": 0.2}
    assert settings["dump"]["layers"] == {"features.1": "probe"}


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (
            ["model"],
            {"_target_": "own.Net", "widht": 3},
            "params.yaml: mine.model.widht: own.Net takes no 'widht'; did",
        ),
        (["model"], {"_target_": "own.Nte"}, "params.yaml: mine.model._target_: own has no class or function 'Nte'; d"),
        (
            ["model"],
            {"_target_": "onw.Net"},
            "params.yaml: mine.model._target_: onw.Net cannot be imported: there is no",
        ),
        (
            ["model"],
            {"_target_": "own.Net"},
            "conf/model/squares_cnn.yaml: shape: own.Net takes no 'shape'; params.yaml: mine.model._target_ replaced "
            "the class that this file is for: give it a file of its own in conf/model",
        ),
        (
            ["lenses", "brightness", "above"],
            "high",
            "params.yaml: mine.lenses.brightness.above: input should be a valid",
        ),
    ],
)
def test_a_mistake_about_the_users_code_is_named(own: Project, path: list[str], value: Any, sentence: str) -> None:
    if path == ["model"] and value != {"_target_": "own.Net"}:
        own.write("conf/model/squares_cnn.yaml", "_target_: own.Net\n")
    own.set("mine", *path, value=value)
    assert own.refusal().startswith(sentence)


def test_the_users_code_is_digested_with_what_it_imports_and_without_its_comments(own: Project) -> None:
    first = own.composed("mine")["code"]
    own.replace("shades.py", "def shade", "# brighter?\ndef shade")
    assert own.composed("mine")["code"] == first
    own.replace("shades.py", "0.5", "0.25")
    second = own.composed("mine")["code"]
    for path in (["generate"], ["train"], ["replica"], ["analyze", "measure", "brightness"]):
        assert entry(second, *path) != entry(first, *path), path
    for path in (["analyze", "measure", "contribution"], ["compare", "lenses", "space"]):
        assert entry(second, *path) == entry(first, *path), path


def entry(code: dict[str, Any], *path: str) -> Any:
    return reduce(lambda inner, key: inner[key], path, code)


def test_the_content_of_an_external_file_is_digested(own: Project) -> None:
    first = own.composed("mine")
    assert first["inputs"] == {"shade.txt": hashlib.sha256(b"grey\n").hexdigest()}
    own.write("shade.txt", "black\n")
    second = own.composed("mine")
    assert second["inputs"] == {"shade.txt": hashlib.sha256(b"black\n").hexdigest()}
    assert {stage for stage in first["stages"] if first["stages"][stage] != second["stages"][stage]} == {
        "generate",
        "train",
    }


def test_a_file_outside_of_the_project_is_known_by_its_name(own: Project, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "shade.txt"
    elsewhere.write_text("grey\n")
    here = own.composed("mine")["inputs"]
    own.set("mine", "data.file", value=str(elsewhere))
    assert own.composed("mine")["inputs"] == here


def test_a_missing_external_file_is_named_with_the_setting(own: Project) -> None:
    (own.folder / "shade.txt").unlink()
    assert own.refusal() == "params.yaml: mine.data: shade.txt cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("class Net(:", r"own\.py, line 1: not valid Python \(invalid syntax\)"),
        ("class Net:\nx = 1", r"own\.py, line 2: not valid Python \(expected an indented block"),
        ("import nothing_of_the_sort", r"own\.Net cannot be imported: there is no module 'nothing_of_the_sort'"),
        ("1 / 0", r"own\.Net cannot be imported: ZeroDivisionError: division by zero"),
        ("raise SystemExit", r"own\.Net cannot be imported: SystemExit$"),
        ("Net = 3", r"own has no class or function 'Net'; there are none"),
    ],
)
def test_a_module_of_the_users_that_cannot_be_imported_is_told(own: Project, code: str, sentence: str) -> None:
    own.set("mine", "data", value="digits")
    own.write("own.py", code)
    refusal = own.refusal()
    assert refusal.startswith("conf/model/net.yaml: _target_: ")
    assert re.search(sentence, refusal)


# --- the stage ------------------------------------------------------------------------------------------------


def _stage(project: Project, *command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY), str(project.folder)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=project.folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_stage_refuses_in_one_line_and_with_status_1(project: Project) -> None:
    project.set("squares", "train", "epochs", value="eight")
    shutil.rmtree(project.folder / ".replicas")
    done = _stage(project, "-m", "pipeline.compose")
    assert done.returncode == 1
    assert done.stderr == ("compose: params.yaml: squares.train.epochs: input should be a whole number, not 'eight'\n")
    assert not (project.folder / "runs").exists()
    assert not (project.folder / ".replicas").exists()


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [(["train"], "train <name>"), (["train", "a", "b"], "train <name>"), (["compose", "a"], "compose")],
)
def test_a_stage_that_is_called_in_the_wrong_way_says_how(project: Project, arguments: list[str], usage: str) -> None:
    done = _stage(project, "-m", f"pipeline.{arguments[0]}", *arguments[1:])
    assert (done.returncode, done.stderr) == (2, f"usage: python -m pipeline.{usage}\n")


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"seeds": [1', b"\xff\xfe\xff"])
def test_a_stage_whose_composed_file_is_missing_or_damaged_says_how_to_make_it(
    project: Project, content: bytes | None
) -> None:
    path = project.folder / "runs" / "configs" / "squares.json"
    if content is not None:
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    with pytest.raises(SeedscopeError) as refused:
        Experiment.load("squares", project.folder)
    assert str(refused.value).startswith(f"{path} cannot be read: run `dvc repro compose`, which writes it (")


def test_composing_what_was_checked_before_imports_no_torch(project: Project) -> None:
    project.composed()
    heavy = "[name for name in ('torch', 'mlflow') if name in sys.modules]"
    code = f"import pipeline.compose, sys; pipeline.compose.compose(); print({heavy})"
    done = _stage(project, "-c", code)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    project.set("squares", "train", "epochs", value=3)
    assert "torch" in _stage(project, "-c", code).stdout


def test_what_was_composed_before_is_not_composed_again_until_a_file_changes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.set("sweeps", value=["squares-noise"])
    asked = []
    hydra = compose._composed
    monkeypatch.setattr(compose, "_composed", lambda folder: asked.append(folder) or hydra(folder))
    first = project.composed(), project.composed("squares-noise")
    assert (project.composed(), project.composed("squares-noise")) == first
    assert len(asked) == 1
    project.append("conf/data/squares.yaml", "# a comment")
    assert project.composed() == first[0]
    assert len(asked) == 2
    (project.folder / ".replicas/composed.json").write_text("{")
    assert project.composed() == first[0]
    assert len(asked) == 3


def test_what_the_surroundings_say_is_asked_each_time(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.set("squares", "train", "epochs", value="${oc.decode:${oc.env:EPOCHS}}")
    for epochs in (3, 4):
        monkeypatch.setenv("EPOCHS", str(epochs))
        assert project.composed()["train"]["epochs"] == epochs


# --- which seeds are drawn ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [(1, [4]), (0, []), (9, [4, 7, 11]), ("all", [4, 7, 11]), ([11, 4], [4, 11]), ([], [])],
)
def test_drawn_are_the_first_seeds_or_those_that_are_named(project: Project, asked: Any, drawn: list[int]) -> None:
    project.set("seeds", value=[11, 4, 7])
    project.set("drawn", value=asked)
    assert project.composed()["drawn"] == drawn


def test_an_experiment_may_draw_other_seeds_and_five_are_the_default(project: Project) -> None:
    project.set("seeds", value=[*range(8)])
    assert project.composed()["drawn"] == [0, 1, 2, 3, 4]
    project.set("squares", "drawn", value=[6])
    assert project.composed()["drawn"] == [6]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (-1, "params.yaml: drawn must be how many of the seeds have figures, a list of seeds, or 'all', not -1"),
        ("some", "a list of seeds, or 'all', not 'some'"),
        (True, "a list of seeds, or 'all', not True"),
        ([0, 9], "params.yaml: drawn: seed 9 is not among the seeds [0, 1]"),
        ([0.0], "a list of seeds, or 'all', not [0.0]"),
    ],
)
def test_a_wrong_choice_of_drawn_seeds_is_refused(project: Project, asked: Any, said: str) -> None:
    project.set("drawn", value=asked)
    assert said in project.refusal()


def test_what_is_drawn_concerns_no_stage_but_the_one_that_draws(project: Project) -> None:
    before = project.composed()["stages"]
    project.set("drawn", value=1)
    after = project.composed()["stages"]
    assert {stage for stage in before if before[stage] != after[stage]} == {"analyze"}


# --- sweeps ---------------------------------------------------------------------------------------------------


def test_a_sweep_composes_variants_that_differ_in_one_setting(project: Project) -> None:
    project.set("sweeps", value=["squares-noise"])
    base = project.composed()
    sweep = project.composed("squares-noise")
    assert (sweep["experiment"], sweep["key"], sweep["base"], sweep["seeds"]) == ("squares", "data.noise", 0.2, [0, 1])
    assert [variant["value"] for variant in sweep["variants"]] == [0.1, 0.2, 0.3, 0.4]
    assert [variant["name"] for variant in sweep["variants"]] == ["0.1", "0.2", "0.3", "0.4"]
    for variant in sweep["variants"]:
        settings = variant["settings"]
        assert settings["data"] == {**base["data"], "noise": variant["value"]}
        assert settings["code"] == {"replica": base["code"]["replica"]}
        looks = base["lenses"]
        looks = {
            **looks,
            "place_fields": {**looks["place_fields"], "data": settings["data"]},
        }  # it makes pictures itself
        silent = ("data", "drawn", "engine", "store", "code", "stages")
        shared = {key: part for key, part in base.items() if key not in silent} | {"lenses": looks}
        assert shared == {key: part for key, part in settings.items() if key not in ("data", "code")}
    assert "sweep" not in base


def test_a_swept_setting_has_the_last_word_and_what_refers_to_it_follows(project: Project) -> None:
    project.set("squares", "train", value={"epochs": 2, "batch_size": "${data.n_train}"})
    project.set("squares", "sweep", value={"size": {"key": "data.n_train", "values": [45, 90]}})
    project.set("sweeps", value=["squares-size"])
    variants = project.composed("squares-size")["variants"]
    assert [one["settings"]["train"]["batch_size"] for one in variants] == [45, 90]


def test_the_experiment_of_a_sweep_need_not_be_asked_for(project: Project) -> None:
    project.set("experiments", value=["digits_tiny"])
    project.set("sweeps", value=["squares-width"])
    assert project.composed("squares-width")["variants"][0]["settings"]["model"]["hidden"] == [16]
    assert not (project.folder / "runs/configs/squares.json").exists()
    project.set("sweeps", value=[])
    compose_all(project.folder)
    assert not (project.folder / "runs/configs/squares-width.json").exists()


@pytest.mark.parametrize("name", ["width", "noise", "contrast", "epochs", "training_size"])
def test_every_sweep_of_squares_composes(project: Project, name: str) -> None:
    project.set("sweeps", value=[f"squares-{name}"])
    assert len(project.composed(f"squares-{name}")["variants"]) >= 4


@pytest.mark.parametrize(("name", "cells"), [("streams", 108), ("swap", 75)])
def test_every_crossing_of_squares_composes(project: Project, name: str, cells: int) -> None:
    project.set("sweeps", value=[f"squares-{name}"])
    composed = project.composed(f"squares-{name}")
    assert composed["seeds"] == list(range(cells))
    assert composed["variants"][0]["settings"]["data"]["n_train"] == 1152  # whatever params.yaml says


FILE = f"{EXPERIMENT}: sweep"


@pytest.mark.parametrize(
    ("sweep", "sentence"),
    [
        ({"key": "data.nois", "values": [1, 2]}, "x.key: there is no setting 'data.nois'; did you mean 'data.noise'?"),
        ({"key": "seeds", "values": [[1], [2]]}, "x.key: there is no setting 'seeds'; did you mean "),
        ({"key": "data", "values": [1, 2]}, "x.key: there is no setting 'data'; "),
        ({"key": ["data.noise"], "values": [1, 2]}, "x.key: there is no setting ['data.noise']; "),
        ({"key": "data.noise", "values": [0.1]}, "x.values must be a list of two values or more, not [0.1]"),
        ({"key": "data.noise", "values": 0.1}, "x.values must be a list of two values or more, not 0.1"),
        ({"key": "data.noise", "values": [1, "1"]}, "x.values: 1 and '1' cannot be told apart"),
        ({"key": "data.noise", "values": ["..", 1]}, "x.values: '..' gives a folder no name"),
        (
            {"key": "data.noise", "values": [0.1, "much"]},
            "x.values: data.noise: input should be a valid number, not 'much' (sweep squares-x, data.noise = much)",
        ),
        (
            {"key": "data.noise", "values": [0.1, -1]},
            "x.values: data.noise: input should be greater than or equal to 0, not -1 (sweep squares-x, data.",
        ),
        ({"key": "readout.features", "values": ["fc1", "fc9"]}, "x.values: readout.features: there is no layer 'fc9'"),
        ({"key": "data.noise", "value": [1, 2]}, "x.value: a sweep has no 'value'; did you mean 'values'?"),
        ({"key": "data.noise"}, "x: 'values' is missing"),
        ({"values": [1, 2]}, "x: 'key' is missing"),
        ([1, 2], "x must be a block with key and values, not [1, 2]"),
    ],
    ids=str,
)
def test_a_mistake_in_a_sweep_is_named(project: Project, sweep: Any, sentence: str) -> None:
    for file, prefix in ((EXPERIMENT, "sweep"), ("params.yaml", "squares.sweep")):
        project.set("sweeps", value=["squares-x"])
        if file == EXPERIMENT:
            project.append(EXPERIMENT, f"  x: {sweep!r}".replace("None", "null"))
        else:
            shutil.copy(REPOSITORY / EXPERIMENT, project.folder / EXPERIMENT)
            project.set("squares", "sweep", "x", value=sweep)
        assert project.refusal().startswith(f"{file}: {prefix}.{sentence}")


def test_a_variant_that_breaks_another_setting_is_named(project: Project) -> None:
    project.set("squares", "sweep", value={"size": {"key": "data.size", "values": [32, 40]}})
    project.set("sweeps", value=["squares-size"])
    sentence = project.refusal()
    assert "the network fails on a picture of shape (1, 40, 40)" in sentence
    assert sentence.endswith("(sweep squares-size, data.size = 40)")


@pytest.mark.parametrize(
    ("sweeps", "sentence"),
    [
        (["squares-wdth"], "params.yaml: sweeps: there is no 'squares-wdth'; did you mean 'squares-width'?"),
        (["squares-noise", "squares-noise"], "params.yaml: sweeps: 'squares-noise' stands there twice"),
        (None, "params.yaml: sweeps must be a list of names, <experiment>-<sweep>; [] for none"),
        ("squares-noise", "params.yaml: sweeps must be a list of names"),
    ],
)
def test_a_mistake_among_the_sweeps_is_named(project: Project, sweeps: Any, sentence: str) -> None:
    project.set("sweeps", value=sweeps)
    assert project.refusal().startswith(sentence)


def test_a_sweep_of_another_shape_is_refused_before_it_is_asked_for(project: Project) -> None:
    project.set("squares", "sweep", value=[1])
    assert project.refusal() == "params.yaml: squares.sweep must be a block of sweeps, not [1]"
    project.set("squares", "sweep", value={"a b": {"key": "data.noise", "values": [1, 2]}})
    assert project.refusal() == (
        "params.yaml: squares.sweep.a b: a sweep cannot be called 'a b': a name has 1 to 64 letters and digits, with "
        "_, - and . only inside"
    )


def test_a_crossing_composes_one_small_experiment_whose_seeds_number_its_cells(project: Project) -> None:
    block = {"streams": {"weights": 3, "order": 2}, "set": {"train": {"epochs": 1}, "model": {"hidden": [8]}}}
    project.set("squares", "sweep", value={"both": block})
    project.set("sweeps", value=["squares-both"])
    base, crossing = project.composed(), project.composed("squares-both")
    assert (crossing["key"], crossing["base"], crossing["seeds"]) == ("streams", None, [0, 1, 2, 3, 4, 5])
    (variant,) = crossing["variants"]
    assert (variant["name"], variant["value"]) == ("weights-3-order-2", {"weights": 3, "order": 2})
    settings = variant["settings"]
    assert settings["train"] == {**base["train"], "epochs": 1, "vary": ["weights", "order"]}
    assert settings["train"]["head"] == "fc2"
    assert settings["model"] == {**base["model"], "hidden": [8]}
    assert settings["data"] == base["data"]
    assert settings["lenses"] == {}
    loaded = Sweep.load("squares-both", project.folder)
    assert dict(loaded.levels) == {"weights": 3, "order": 2}
    assert loaded.variants[0].name == "weights-3-order-2"


def test_the_levels_and_the_settings_of_a_crossing_are_in_its_number(project: Project) -> None:
    numbers = set()
    for levels, epochs in ((3, 1), (4, 1), (3, 2)):
        block = {"streams": {"weights": levels, "order": 2}, "set": {"train": {"epochs": epochs}}}
        project.set("squares", "sweep", value={"x": block})
        project.set("sweeps", value=["squares-x"])
        numbers.add(project.composed("squares-x")["stages"]["sweep"])
    assert len(numbers) == 3


@pytest.mark.parametrize(
    ("crossing", "sentence"),
    [
        ({"streams": {"weights": 3}}, "x.streams must be a block of two streams or more, each with its number of "),
        ({"streams": ["weights", "order"]}, "x.streams must be a block of two streams or more"),
        ({"streams": {"weights": 3, "ordr": 2}}, "x.streams: there is no stream 'ordr'; did you mean 'order'?"),
        ({"streams": {"weights": 3, "order": 1}}, "x.streams.order must be a number of levels from 2 on, not 1"),
        ({"streams": {"weights": 3, "order": True}}, "x.streams.order must be a number of levels from 2 on, not True"),
        ({"streams": {"weights": 3, "order": 2}, "key": "data.noise"}, "x.key: a crossing of streams has no 'key'; "),
        ({"streams": {"weights": 3, "order": 2}, "set": 3}, "x.set must be a block of settings, not 3"),
        (
            {"streams": {"weights": 3, "order": 2}, "set": {"seeds": [1]}},
            "x.set: a crossing cannot change 'seeds'; there are: data, model, train, readout",
        ),
        (
            {"streams": {"weights": 3, "order": 2}, "set": {"train": {"epochs": -1}}},
            "x.set.train.epochs: input should be greater than or equal to 0, not -1 (sweep squares-x, streams = ",
        ),
    ],
    ids=str,
)
def test_a_mistake_in_a_crossing_is_named(project: Project, crossing: Any, sentence: str) -> None:
    project.set("squares", "sweep", value={"x": crossing})
    project.set("sweeps", value=["squares-x"])
    assert project.refusal().startswith(f"params.yaml: squares.sweep.{sentence}")


def test_a_head_that_the_network_does_not_have_cannot_be_crossed(project: Project) -> None:
    block = {"streams": {"weights": 2, "head": 2}, "set": {"train": {"head": "fc9"}}}
    project.set("squares", "sweep", value={"x": block})
    project.set("sweeps", value=["squares-x"])
    assert project.refusal().startswith(
        "params.yaml: squares.sweep.x.set.train.head: the stream 'head' is asked for, and the network has no layer"
    )


def test_a_sweep_may_not_take_the_name_of_an_experiment(project: Project) -> None:
    project.write("conf/experiment/squares-noise.yaml", "# @package _global_\nexperiment: squares-noise\n")
    project.set("sweeps", value=["squares-width"])
    assert project.refusal() == f"{FILE}.noise: another is called 'squares-noise' too"


def test_a_sweep_that_the_experiment_has_lost_the_setting_of_does_no_harm_until_it_is_asked_for(
    project: Project,
) -> None:
    project.write("conf/data/fainter.yaml", "_target_: seedscope.data.squares.Squares\ncontrast: 0.1\n")
    project.set("squares", "data", value="fainter")
    project.composed()
    project.set("sweeps", value=["squares-noise"])
    assert project.refusal().startswith(f"{FILE}.noise.key: there is no setting 'data.noise'")


# --- a network with given weights ------------------------------------------------------------------------------


GIVEN = """# @package _global_
defaults:
  - override /data: digits
  - override /model: digits_mlp
  - override /weights: file

experiment: squares
train: null
weights: {file: toy.safetensors}
dump: {layers: {fc1: probe}}
lenses: {space: null}
"""


@pytest.fixture
def given(project: Project) -> Project:
    from safetensors.torch import save_file

    from seedscope.models.perceptron import Perceptron

    save_file(Perceptron((1, 8, 8), 10, (32,)).state_dict(), project.folder / "toy.safetensors")
    project.write(EXPERIMENT, GIVEN)
    project.set("squares", value={})
    return project


def test_given_weights_are_one_replica_and_known_by_their_content(given: Project) -> None:
    settings = given.composed()
    assert settings["seeds"] == ["given"]
    assert settings["train"] is None
    assert settings["weights"]["sha256"] == hashlib.sha256((given.folder / "toy.safetensors").read_bytes()).hexdigest()
    assert Experiment.load("squares", given.folder).replicas == ("given",)


def test_an_ordinary_experiment_has_no_given_weights(project: Project) -> None:
    settings = project.composed()
    assert settings["weights"] is None
    assert Experiment.load("squares", project.folder).replicas == (0, 1)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("train: null\n", "", f"{EXPERIMENT}: weights: a network with given weights is not trained here: set `train:"),
        (
            "  - override /weights: file\n",
            "",
            f"{EXPERIMENT}: weights must be a block with a _target_ such as package.module.Class",
        ),
        ("toy.safetensors", "gone.safetensors", f"{EXPERIMENT}: weights.file: there is no file gone.safetensors or"),
        (
            "toy.safetensors}",
            "toy.safetensors, sha256: abc}",
            f"{EXPERIMENT}: weights.sha256: 'abc' is no SHA-256: that is 64 digits 0-9 and a-f",
        ),
        (
            "{space: null}",
            "{}",
            "conf/lens/space.yaml: the network was not trained here, so there is no training to follow",
        ),
        (
            "train: null\n",
            "train: null\nmodel: {hidden: [16]}\n",
            "weights do not fit the network: 'fc1.bias' is (32,) in the file and (16,) in the network",
        ),
    ],
    ids=["trained too", "no component", "no file", "no digest", "a lens on training", "does not fit"],
)
def test_given_weights_that_cannot_be_are_refused(given: Project, old: str, new: str, sentence: str) -> None:
    given.replace(EXPERIMENT, old, new)
    assert sentence in given.refusal()


def test_a_network_without_training_and_weights_is_refused(project: Project) -> None:
    project.set("squares", value={"train": None})
    assert project.refusal() == (
        "params.yaml: squares.train: a network that is not trained here needs `weights`: name a file"
    )


def test_a_sweep_over_given_weights_is_refused(given: Project) -> None:
    given.append(EXPERIMENT, "sweep: {noise: {key: data.n_probe, values: [50, 60]}}")
    given.set("sweeps", value=["squares-noise"])
    assert "train: a sweep compares seeds, and given weights have none (squares-noise)" in given.refusal()


def test_a_lens_on_logits_is_refused_where_the_network_ends_before(given: Project) -> None:
    from PIL import Image
    from safetensors.torch import save_file

    from seedscope.models.vgg16 import Vgg16

    (given.folder / "album").mkdir()
    Image.new("RGB", (40, 40)).save(given.folder / "album" / "a.png")
    save_file(Vgg16(last="features.5").state_dict(), given.folder / "toy.safetensors")
    text = (
        GIVEN.replace("digits_mlp", "vgg16").replace("digits", "album").replace("{fc1: probe}", "{features.5: probe}")
    )
    text = text.replace("space: null", "space: null, mistakes: null, dominance: null")
    given.write(EXPERIMENT, text + "data: {folder: album, size: 32, resize: 32}\n")
    assert given.refusal() == (
        "conf/lens/contribution.yaml: the network gives no logits, which this lens needs: it ends with 'features.6'; "
        "take the lens out of the experiment (lens contribution of experiment squares)"
    )
    given.write(
        EXPERIMENT,
        (text + "data: {folder: album, size: 32, resize: 32}\n").replace(
            "mistakes: null", "mistakes: null, contribution: null"
        ),
    )
    assert given.composed()["model"]["last"] is None


@pytest.mark.parametrize("named", [False, True])
def test_weights_of_all_convolutions_and_no_dense_layer_are_taken(given: Project, named: bool) -> None:
    import torch
    from PIL import Image
    from safetensors.torch import save_file

    from seedscope.models.vgg16 import Vgg16

    (given.folder / "album").mkdir()
    Image.new("RGB", (40, 40)).save(given.folder / "album" / "a.png")
    (given.folder / "names.txt").write_text("".join(f"class {k}\n" for k in range(1000)))
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in Vgg16(last="features.28").state_dict().items()}
    save_file(
        {name: torch.zeros(1).expand(shape).clone() for name, shape in shapes.items()}, given.folder / "v.safetensors"
    )
    classes = "classes: names.txt" if named else "classes: null"
    text = (
        GIVEN.replace("digits_mlp", "vgg16").replace("digits", "album").replace("{fc1: probe}", "{features.5: probe}")
    )
    text = text.replace("toy.", "v.").replace(
        "space: null", "space: null, mistakes: null, dominance: null, contribution: null"
    )
    given.write(EXPERIMENT, text + f"data: {{folder: album, size: 32, resize: 32, {classes}}}\n")
    assert given.composed()["weights"]["file"] == "v.safetensors"


def test_pictures_of_unknown_classes_cannot_be_learned_from(project: Project) -> None:
    from PIL import Image

    (project.folder / "album").mkdir()
    Image.new("RGB", (40, 40)).save(project.folder / "album" / "a.png")
    project.set("squares", value={"data": "album", "data.folder": "album", "data.size": 32, "data.resize": 32})
    project.set("squares", "model", value={"shape": [3, 32, 32]})
    assert "the data set does not say of which class its pictures are, so nothing can be learned" in project.refusal()

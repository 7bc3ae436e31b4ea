"""Every experiment of ``conf/`` in a copy of the project, on a tiny setting."""

from __future__ import annotations

import json
from pathlib import Path

from seedscope.files.reading import read_json
from tests.users_files import users_files

from .conftest import Project, timed
from .imports import recording, uncovered


def test_every_experiment_of_conf_runs_on_a_tiny_setting_and_imports_no_code_that_does_not_count(
    project: Project, tmp_path: Path
):
    names = sorted(path.stem for path in Path(project.path / "conf/experiment").glob("*.yaml"))
    assert "squares" in names
    names = [name for name in names if name != "stripes"]
    users_files(project.path)
    small = {"data": {"n_train": 90, "n_probe": 90}, "train": {"epochs": 1}}
    few = {"heat_maps": {"pictures": 9, "shown": 3, "steps": 4}, "places": {"pictures": 9, "shown": 3}}
    # 46 pixels are the fewest that four blocks leave a place of.
    smallest = {"model": {"shape": [3, 46, 46]}, "train": {"epochs": 1}}
    one_filter = {"filters": {"channels": 1, "size": 46, "steps": 2}}
    # Of squares, mine and digits_tiny all lenses are tried; of the others those that are theirs.
    own = dict.fromkeys(("contribution", "mistakes", "dominance", "space"))
    settings = dict.fromkeys(names, small) | {
        "squares": small | {"lenses": few | {"filters": {"channels": 1, "steps": 2}}},
        "digits": small | {"lenses": own | few | {"filters": {"channels": 1, "steps": 2}}},
        "mine": small | {"lenses": few | {"filters": {"channels": 1, "steps": 2}}},
        "slp": small | {"lenses": own},
        "mlp": small | {"lenses": own},
        "textures": smallest
        | {"data": {"n_train": 8, "n_probe": 8, "size": 46, "object_size": [24, 40]}, "lenses": own | few | one_filter},
        "pictures": smallest | {"data": {"folder": "pictures", "size": 46, "resize": 46}, "lenses": own},
        "imagenet": {"data": {"folder": "album", "size": 64, "resize": 64}},
        "vgg16": {
            "data": {"folder": "album", "size": 64, "resize": 64},
            "lenses": {
                "filters": {"layers": ["features.0", "features.10"], "channels": 1, "size": 32, "steps": 2},
                "words": {"layers": ["features.0"], "shaped_the_rule": ["features.0"]},
            },
        },
    }
    project.params(experiments=names, seeds=[4], engine={"workers": 1}, **settings)  # one process, which tells
    took = timed(project, **recording(tmp_path))
    print(*(f"{seconds:.1f} s: {stage}" for stage, seconds in took.items()), sep="\n")
    stages = list(took)
    assert {f"compare@{name}" for name in names} <= set(stages)
    of_each = {f"{stage}@{name}" for stage in ("dump", "analyze", "compare") for name in names}
    told = {path.stem for path in tmp_path.glob("*@*.json")}
    assert of_each | {"generate@squares", "train@squares", "report@project", "track@project"} <= told
    assert all("src/seedscope/files/paths.py" in read_json(path) for path in tmp_path.glob("*@*.json"))
    assert "src/seedscope/replicas/training.py" in read_json(tmp_path / "train@squares.json")
    assert "src/seedscope/lenses/words/__init__.py" in read_json(tmp_path / "analyze@squares.json")
    assert list(uncovered(tmp_path, project.path)) == []
    mine = json.loads((project.path / "reports/metrics/mine.seeds.json").read_text())["4"]
    assert {"feature_maps", "filters", "heat_maps", "tuning", "places"} <= set(mine)
    assert mine["places"]["completeness_error"] < 1e-5

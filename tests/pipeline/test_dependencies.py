"""What a stage's number stands for is what the stage reads of its configuration."""

from __future__ import annotations

import json
import shutil

import pytest

from seedscope.files.reading import read_json
from seedscope.files.writing import write_json
from seedscope.settings.stages import ALSO, READS

from .conftest import Project


@pytest.mark.parametrize("stage", ["generate", "train", "dump", "analyze", "compare", "report"])
def test_a_stage_reads_nothing_that_dvc_does_not_hash(project: Project, stage):
    name = "project" if stage == "report" else "digits_tiny"
    config = project.path / f"runs/configs/{name}.json"
    whole = config.read_text()
    content = read_json(config)
    # Which components there are says which code counts, and the code is hashed.
    parts = {key: content.get(key) or {} for key in ("data", "model", "train")}
    hashed = {key: {name: part[name] for name in ("_target_", "vary") if name in part} for key, part in parts.items()}
    hashed |= {section: content[section] for section in READS[stage]}
    hashed["code"] = {entry: content["code"][entry] for entry in (stage, *ALSO.get(stage, ()))}
    # Else what was trained and seen before is taken, and little is read.
    shutil.rmtree(project.path / ".replicas", ignore_errors=True)
    try:
        # Engine and store change no result, and are in no number.
        write_json(config, {**hashed, **{section: content.get(section) for section in ("engine", "store")}})
        argument = [] if stage == "report" else ["digits_tiny"]
        project.run("python", "-m", f"pipeline.{stage}", *argument)
    finally:
        config.write_text(whole)


def test_every_stage_is_hashed_by_its_own_number(project: Project):
    """``compose`` and ``track`` always run."""
    text = (project.path / "dvc.yaml").read_text()
    for stage in READS:
        assert f"[stages.{stage}]" in text.partition(f"\n  {stage}:\n")[2].partition("\n\n")[0]
    numbers = json.loads((project.path / "runs/configs/digits_tiny.json").read_text())["stages"]
    assert len(set(numbers.values())) == len(numbers) == 5

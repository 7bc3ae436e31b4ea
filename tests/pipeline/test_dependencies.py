"""What DVC hashes for a stage is what the stage reads: its code, and its part of the configuration."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
import yaml

from .conftest import Project

STAGES = ("generate", "train", "dump", "analyze", "compare", "report")
RUN = """
import json, runpy, sys
from pathlib import Path
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__")
root = Path().resolve()
files = {Path(m.__file__).resolve() for m in list(sys.modules.values()) if getattr(m, "__file__", None)}
print("IMPORTED", json.dumps(sorted(str(f.relative_to(root)) for f in files if f.is_file() and f.is_relative_to(root))))
"""


def declared(project: Project, stage: str) -> dict:
    content = yaml.safe_load((project.path / "dvc.yaml").read_text().replace("${item.experiment}", "digits_tiny"))
    return content["stages"][stage]


def keys(settings: dict, wanted: list[str]) -> dict:
    """Return only the wanted (dotted) keys of the settings."""
    kept: dict = {}
    for key in wanted:
        source, target = settings, kept
        *parents, last = key.split(".")
        for parent in parents:
            source, target = source[parent], target.setdefault(parent, {})
        target[last] = source[last]
    return kept


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_and_reads_nothing_that_dvc_does_not_hash(project: Project, stage):
    config = project.path / "runs/configs/digits_tiny.yaml"
    whole = config.read_text()
    declaration = declared(project, stage)
    argument = [] if stage == "report" else ["digits_tiny"]
    # Else what was trained and seen before is taken, and little is imported.
    shutil.rmtree(project.path / ".replicas", ignore_errors=True)
    try:
        if "params" in declaration:
            settings = yaml.safe_load(whole)
            wanted = [key for entry in declaration["params"] for group in entry.values() for key in group]
            # One process, so that what the work imports is seen; engine and store are in no stage's params on purpose.
            engine = {**settings["engine"], "workers": 1}
            config.write_text(yaml.safe_dump({**keys(settings, wanted), "engine": engine, "store": settings["store"]}))
        said = project.run(sys.executable, "-c", RUN, f"pipeline.{stage}", *argument)
    finally:
        config.write_text(whole)
    imported = json.loads(said.rpartition("IMPORTED")[2])
    assert "src/seedscope/files/paths.py" in imported  # so the list is that of a stage that did its work
    covered = [dep for dep in declaration["deps"] if dep.startswith(("src", "pipeline"))]
    missing = [
        file
        for file in [*imported, f"pipeline/{stage}.py"]
        if not any(file == dep or file.startswith(f"{dep}/") for dep in covered)
    ]
    assert missing == []

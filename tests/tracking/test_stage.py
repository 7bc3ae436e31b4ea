"""What the stage says."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedscope.files.paths import Artifacts
from seedscope.files.writing import write_json
from seedscope.tracking import publish
from tests.tracking.toy import free_port, in_process


def test_the_stage_says_in_one_line_what_it_did(toy: Artifacts) -> None:
    write_json(Path("runs/configs/project.json"), {"experiments": ["toy"], "sweeps": []})
    publish(Path(), ["toy"])
    toy.model(5).unlink()
    process = in_process("from pipeline import stage; from pipeline.track import track; stage(track)")
    output, errors = process.communicate()
    assert (process.returncode, output) == (0, "track: nothing new for sqlite:///mlflow.db\n")
    assert len(errors.splitlines()) == 1
    assert "seed=5" in errors


@pytest.mark.usefixtures("toy")
def test_the_stage_fails_in_one_line_when_the_server_is_dead() -> None:
    write_json(Path("runs/configs/project.json"), {"experiments": ["toy"], "sweeps": []})
    dead = f"http://127.0.0.1:{free_port()}"
    code = "from pipeline import stage; from pipeline.track import track; stage(track)"
    process = in_process(code, MLFLOW_TRACKING_URI=dead)
    output, errors = process.communicate()
    assert (process.returncode, output) == (1, "")
    assert errors.startswith("track: the MLflow server")
    assert len(errors.splitlines()) == 1

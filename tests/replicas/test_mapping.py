"""A function is mapped over seeds: one that fails names itself and the others finish."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import joblib
import pytest

from seedscope.files.errors import SeedscopeError
from seedscope.files.writing import write_text
from seedscope.replicas.mapping import Engine, Report, do_once, map_seeds

SEEDS = [3, 1, 2, 0, 4]
REPOSITORY = Path(__file__).resolve().parents[2]
WORKERS = pytest.mark.parametrize("workers", [1, 2])


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep logs below the test's own folder."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path / ".replicas"


def slower_when_earlier(seed: int, report: Report) -> int:
    time.sleep(0.02 * (4 - seed))
    report(1, 1)
    return 10 * seed


def _finish(folder: Path, seed: int) -> int:
    write_text(folder / f"{seed}.done", "")
    return seed


def refuse_2(folder: Path, seed: int, _report: Report) -> int:
    if seed == 2:
        raise SeedscopeError("the loss became nan")
    return _finish(folder, seed)


def crash_1_and_2(folder: Path, seed: int, _report: Report) -> int:
    if seed in (1, 2):
        raise ZeroDivisionError(f"seed {seed}\nby zero")
    return _finish(folder, seed)


def exit_in_2(folder: Path, seed: int, _report: Report) -> int:
    if seed == 2:
        raise SystemExit(0)
    return _finish(folder, seed)


def die_once_in_2(folder: Path, seed: int, _report: Report) -> int:
    died = folder / "died"
    if seed == 2 and not died.exists():
        died.write_text("")
        _wait_for(lambda: done(folder) == [0, 1, 3, 4])
        time.sleep(0.3)  # until their results have come home
        os.kill(os.getpid(), signal.SIGKILL)
    return _finish(folder, seed)


def die_in_2(folder: Path, seed: int, _report: Report) -> int:
    if seed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return _finish(folder, seed)


def _wait_for(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def done(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.done"))


@WORKERS
def test_results_come_in_the_order_of_the_seeds_and_quietly(workers: int, capfd: pytest.CaptureFixture[str]) -> None:
    result = map_seeds(slower_when_earlier, SEEDS, Engine(workers), "train squares")
    assert list(result.items()) == [(3, 30), (1, 10), (2, 20), (0, 0), (4, 40)]
    assert capfd.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_shown_how_many_seeds_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    def half_of_4(seed: int, report: Report) -> None:
        report(1, 2 if seed == 4 else 1)

    map_seeds(half_of_4, [3, 4], Engine(1), "train squares")
    last = terminal.getvalue().split("\r")[-1]
    assert last.startswith("train squares |")
    assert "| 75%, 1/2 seeds, seed 4: 1/2 [" in last.replace("|  ", "| ")


def _of_process(number: int) -> tuple[int, int]:
    time.sleep(0.1 * (3 - number))
    return number, os.getpid()


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_independent_calls_are_made_in_other_processes_and_answer_in_order() -> None:
    engine = Engine(workers=2)
    calls = [partial(_of_process, number) for number in range(3)]
    found = do_once(partial(engine.at_once, calls), engine, "compare toy")
    assert [number for number, _ in found] == [0, 1, 2]
    processes = {process for _, process in found}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert Engine(workers=1).at_once(calls) == [(number, os.getpid()) for number in range(3)]


def test_a_process_that_dies_at_an_independent_call_is_one_sentence() -> None:
    engine = Engine(workers=2)
    with pytest.raises(SeedscopeError, match=r"^compare toy: a worker process died \(killed, or out of memory\)$"):
        do_once(partial(engine.at_once, [_die, _die]), engine, "compare toy")


def test_no_seeds_give_no_results() -> None:
    assert map_seeds(slower_when_earlier, [], Engine(2), "train squares") == {}


def test_there_are_never_more_processes_than_seeds_and_by_default_one_per_core() -> None:
    assert Engine(8).processes(3) == 3
    assert Engine(2).processes(100) == 2
    assert Engine().processes(1000) == min(1000, joblib.cpu_count())
    assert Engine(2).processes(0) == 1


@WORKERS
def test_a_seed_that_fails_is_named_with_its_reason_and_the_others_finish(tmp_path: Path, workers: int) -> None:
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(refuse_2, tmp_path), SEEDS, Engine(workers), "train squares")
    assert str(failed.value) == "train squares: seed 2: the loss became nan (4 of 5 seeds finished)"
    assert done(tmp_path) == [0, 1, 3, 4]
    assert not (tmp_path / ".replicas").exists()


@WORKERS
def test_an_unexpected_error_names_the_log_that_keeps_its_traceback(tmp_path: Path, state: Path, workers: int) -> None:
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(crash_1_and_2, tmp_path), SEEDS, Engine(workers), "train squares")
    logs = {seed: state / "logs" / f"train-squares-seed-{seed}.log" for seed in (1, 2)}
    assert str(failed.value) == (
        f"train squares: seed 1: ZeroDivisionError: seed 1 by zero (traceback in {logs[1]}); "
        f"seed 2: ZeroDivisionError: seed 2 by zero (traceback in {logs[2]}) (3 of 5 seeds finished)"
    )
    for log in logs.values():
        assert log.read_text().startswith("Traceback (most recent call last):")
        assert "in crash_1_and_2" in log.read_text()
    assert done(tmp_path) == [0, 3, 4]


@WORKERS
def test_code_that_ends_the_process_politely_counts_as_a_failure(tmp_path: Path, workers: int) -> None:
    with pytest.raises(SeedscopeError, match=r"seed 2: SystemExit: 0 \(traceback in .*\) \(4 of 5 seeds finished\)"):
        map_seeds(partial(exit_in_2, tmp_path), SEEDS, Engine(workers), "train squares")
    assert done(tmp_path) == [0, 1, 3, 4]


def test_a_log_that_cannot_be_written_does_not_hide_the_failure(tmp_path: Path, state: Path) -> None:
    state.write_text("in the way of the folder")
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(crash_1_and_2, tmp_path), [0, 1], Engine(1), "train squares")
    assert str(failed.value).startswith("train squares: seed 1: ZeroDivisionError: seed 1 by zero (its log ")
    assert "cannot be written: " in str(failed.value)
    assert str(failed.value).endswith("(1 of 2 seeds finished)")


def test_a_progress_that_cannot_be_written_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert map_seeds(slower_when_earlier, [3, 4], Engine(1), "train squares") == {3: 30, 4: 40}


def test_a_seed_whose_worker_is_killed_once_is_run_again_and_no_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = map_seeds(partial(die_once_in_2, tmp_path), SEEDS, Engine(2), "train squares")
    assert list(result) == SEEDS
    assert list(result.values()) == SEEDS
    assert done(tmp_path) == [0, 1, 2, 3, 4]
    assert "A worker process died; trying once more: seeds [2]\n" in capfd.readouterr().err


def test_a_seed_whose_worker_is_killed_again_is_named_and_the_others_finish(tmp_path: Path) -> None:
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(die_in_2, tmp_path), SEEDS, Engine(2), "train squares")
    assert str(failed.value) == (
        "train squares: seed 2: its worker process died twice (killed, or out of memory) (4 of 5 seeds finished)"
    )
    assert done(tmp_path) == [0, 1, 3, 4]


STAGE = """
import os, time
from pipeline import stage
from seedscope.replicas.mapping import Engine, map_seeds

def task(seed, report):
    os.write(1, b"started\\n")
    time.sleep(60)

def slow():
    map_seeds(task, [0, 1, 2], Engine({workers}), "train squares")

stage(slow)
"""


def _started(tmp_path: Path, workers: int) -> subprocess.Popen[str]:
    """Return a stage, in a session of its own, whose first worker has begun."""
    script = tmp_path / "slow.py"
    script.write_text(STAGE.format(workers=workers))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])}
    stage = subprocess.Popen(
        [sys.executable, str(script)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background job ignores interruptions and hands that down; a stage at a terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert stage.stdout is not None
    assert stage.stdout.readline() == "started\n"
    return stage


def test_workers_end_with_a_stage_that_is_killed(tmp_path: Path) -> None:
    """Else they write on for their seeds, and wait five minutes for more."""
    stage = _started(tmp_path, 2)
    stage.kill()
    stage.wait()
    assert _wait_for(lambda: not _running(stage.pid)), f"still running: {_running(stage.pid)}"


@WORKERS
def test_an_interrupted_stage_ends_at_once_with_one_sentence_and_leaves_no_process(
    tmp_path: Path, workers: int
) -> None:
    stage = _started(tmp_path, workers)
    os.killpg(stage.pid, signal.SIGINT)  # as the terminal does
    _, said = stage.communicate(timeout=20)
    assert stage.returncode == 130
    # A worker that was just starting up may speak before, but the last word is the stage's.
    assert (said if workers == 1 else said[-45:]) == "slow: interrupted; what was finished is kept\n"
    assert _wait_for(lambda: not _running(stage.pid)), f"still running: {_running(stage.pid)}"


def _running(session: int) -> list[str]:
    """Return the processes of a session that are not yet gone."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(folder.name)
    return found

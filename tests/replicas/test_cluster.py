"""A real Dask cluster on this machine: the same bytes as loky, whoever is killed, and a sentence for what is wrong."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from seedscope.files.errors import SeedscopeError
from seedscope.files.writing import write_text
from seedscope.replicas import cluster
from seedscope.replicas.cluster import Dask
from seedscope.replicas.mapping import Engine, Report, do_once, map_seeds
from tests.dask_cluster import Cluster, wait_for

SEEDS = [3, 1, 2, 0]


@pytest.fixture(autouse=True)
def no_failed_clients() -> Iterator[None]:
    """Collect clients that could not connect here.

    Each closes itself when it is collected; in the thread in which the next one's loop starts that would wait for the
    lock that the starting holds.
    """
    yield
    gc.collect()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and one worker with two threads, which no test kills."""
    one = Cluster(tmp_path_factory.mktemp("dask"))
    one.worker("--nthreads", "2")
    yield one
    one.stop()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers, for one test."""
    (tmp_path / "dask").mkdir()
    one = Cluster(tmp_path / "dask")
    yield one
    one.stop()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep logs and leases below the test's own folder."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path / ".replicas"


def done(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.done"))


def _finish(folder: Path, seed: int) -> int:
    write_text(folder / f"{seed}.done", "")
    return 10 * seed


def use_what_a_process_has_once(folder: Path, seed: int, report: Report) -> tuple[list[float], str, str]:
    """Do what two threads of one process would spoil for each other."""
    np.random.seed(seed)
    os.environ["SEED"] = str(seed)
    os.chdir(folder)
    drawn = []
    for step in range(40):
        drawn.append(np.random.random())
        report(step, 40)
        time.sleep(0.005)
    return drawn, os.environ["SEED"], os.environ["DVC_ROOT"]


def test_two_threads_of_a_worker_give_the_same_as_loky(tmp_path: Path, shared: Cluster) -> None:
    task = partial(use_what_a_process_has_once, tmp_path)
    on_dask = map_seeds(task, SEEDS, Dask(shared.address), "train squares")
    assert on_dask == map_seeds(task, SEEDS, Engine(2), "train squares")
    assert list(on_dask) == SEEDS
    assert [seed for _, seed, _ in on_dask.values()] == [str(seed) for seed in SEEDS]


def talk_and_fail(folder: Path, seed: int, _report: Report) -> int:
    print("what a task prints is no answer")
    if seed == 1:
        raise SeedscopeError("the loss became nan")
    if seed == 2:
        raise ZeroDivisionError("by zero")
    return _finish(folder, seed)


def test_failed_seeds_are_named_and_the_others_finish(tmp_path: Path, state: Path, shared: Cluster) -> None:
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(talk_and_fail, tmp_path), SEEDS, Dask(shared.address), "train squares")
    log = state / "logs" / "train-squares-seed-2.log"
    assert str(failed.value) == (
        "train squares: seed 1: the loss became nan; "
        f"seed 2: ZeroDivisionError: by zero (traceback in {log}) (2 of 4 seeds finished)"
    )
    assert "in talk_and_fail" in log.read_text()
    assert done(tmp_path) == [0, 3]
    assert list((state / "running").iterdir()) == []


def where() -> tuple[int, str]:
    return os.getpid(), str(Path.cwd())


def test_a_single_piece_of_work_runs_on_the_cluster_in_the_projects_folder(shared: Cluster) -> None:
    process, folder = do_once(where, Dask(shared.address), "compare squares")
    assert process != os.getpid()
    assert folder == str(Path.cwd())
    assert do_once(where, Engine(), "compare squares")[0] == os.getpid()


def die(folder: Path, always: bool, whom: str, seed: int, _report: Report) -> int:
    if seed == 2 and (always or not (folder / "died").exists()):
        (folder / "died").touch()
        os.kill({"process": os.getpid(), "worker": os.getppid()}[whom], signal.SIGKILL)
        time.sleep(10)
        write_text(folder / "outlived", "")
    return _finish(folder, seed)


def test_a_seed_whose_process_dies_is_run_once_more(
    tmp_path: Path, shared: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    result = map_seeds(partial(die, tmp_path, False, "process"), [1, 2], Dask(shared.address), "train squares")
    assert result == {1: 10, 2: 20}
    assert capfd.readouterr().err == "The process of a seed died; trying once more: seeds [2]\n"


def test_a_seed_whose_process_dies_again_is_named(tmp_path: Path, shared: Cluster) -> None:
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(die, tmp_path, True, "process"), [1, 2], Dask(shared.address), "train squares")
    assert str(failed.value) == (
        "train squares: seed 2: its process died twice (killed, or out of memory) (1 of 2 seeds finished)"
    )


def test_a_seed_whose_worker_is_killed_runs_elsewhere_and_its_first_process_ends(
    tmp_path: Path, mortal: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    mortal.worker("--nthreads", "1")
    mortal.worker("--nthreads", "1")
    result = map_seeds(partial(die, tmp_path, False, "worker"), SEEDS, Dask(mortal.address), "train squares")
    assert result == {seed: 10 * seed for seed in SEEDS}
    assert sorted(worker.poll() is None for worker in mortal.processes[1:]) == [False, True]
    assert not (tmp_path / "outlived").exists()
    assert capfd.readouterr() == ("", "")


def test_a_seed_that_kills_every_worker_is_named_and_the_others_finish(tmp_path: Path, mortal: Cluster) -> None:
    for _ in range(3):
        mortal.worker("--nthreads", "1")
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(die, tmp_path, True, "worker"), SEEDS, Dask(mortal.address), "train squares")
    assert str(failed.value) == (
        "train squares: seed 2: its workers died one after another (killed, or out of memory) (3 of 4 seeds finished)"
    )


def test_a_seed_that_waited_on_the_workers_another_killed_is_not_blamed(
    tmp_path: Path, mortal: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    """The only worker holds both, so that Dask gives both up when it has died twice."""
    mortal.worker("--nthreads", "1", restarted=True)
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(die, tmp_path, True, "worker"), [2, 1], Dask(mortal.address), "train squares")
    assert str(failed.value) == (
        "train squares: seed 2: its workers died one after another (killed, or out of memory) (1 of 2 seeds finished)"
    )
    assert "trying each alone: seeds [" in capfd.readouterr().err


def test_without_workers_the_wait_ends_with_a_sentence(tmp_path: Path, mortal: Cluster) -> None:
    engine = Dask(mortal.address, patience=3)
    sentence = f"the Dask cluster at {mortal.address} has had no worker for 3 s; start some, or raise engine.patience"
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(die, tmp_path, True, "worker"), [2], engine, "train squares")
    assert str(failed.value) == sentence
    mortal.worker("--nthreads", "1")
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(die, tmp_path, True, "worker"), [2], engine, "train squares")
    assert str(failed.value) == sentence


def kill(pid: int, _seed: int, _report: Report) -> None:
    os.kill(pid, signal.SIGKILL)
    time.sleep(60)


def test_a_scheduler_that_dies_ends_the_wait_with_a_sentence(
    mortal: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    mortal.worker("--nthreads", "1")
    before = time.monotonic()
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(partial(kill, mortal.scheduler.pid), [1, 2], Dask(mortal.address), "train squares")
    assert str(failed.value) == f"the Dask scheduler at {mortal.address} was lost; what was finished is kept"
    assert time.monotonic() - before < 30
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:9", "127.0.0.1:9", "tcp://no.such.host.invalid:8786", "htp://127.0.0.1:9", "a b", "tcp:"],
)
def test_a_scheduler_that_does_not_answer_is_told_soon(
    address: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "_CONNECTED_WITHIN", 1)
    with pytest.raises(SeedscopeError) as failed:
        map_seeds(_finish, SEEDS, Dask(address), "train squares")
    assert str(failed.value).startswith(f"no Dask scheduler answers at {address} (")
    assert "\n" not in str(failed.value)
    assert capfd.readouterr() == ("", "")


def test_the_address_may_stand_in_the_surroundings_and_is_asked_for_where_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://10.0.0.1:8786")
    assert Dask().scheduler == "tcp://10.0.0.1:8786"
    assert Dask("tcp://10.0.0.2:8786").scheduler == "tcp://10.0.0.2:8786"
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS")
    with pytest.raises(SeedscopeError, match="address: no scheduler: write its address, such as tcp://10"):
        Dask()


# --- a machine that would not give the same bytes --------------------------------------------------------------


def test_a_worker_without_the_projects_python_is_told(shared: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/bin/python")
    with pytest.raises(SeedscopeError) as failed:
        do_once(where, Dask(shared.address), "compare squares")
    assert str(failed.value) == (
        f"a worker of the Dask cluster at {shared.address} has no /nowhere/bin/python: workers need this project's "
        "folder and its Python under the same paths"
    )


@pytest.mark.parametrize(("name", "ours"), [("torch", "0.1"), ("seedscope", "of source 0123456789ab")])
def test_a_worker_with_another_version_is_refused(
    name: str, ours: str, shared: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = cluster._installed()
    monkeypatch.setattr(cluster, "_installed", lambda: {**here, name: ours})
    with pytest.raises(SeedscopeError) as failed:
        do_once(where, Dask(shared.address), "compare squares")
    assert str(failed.value) == (
        f"compare squares: {socket.gethostname()} has {name} {here[name]}, and the machine that asks {ours}"
    )


def test_a_machine_that_does_not_share_the_folder_is_refused(tmp_path: Path) -> None:
    lease = tmp_path / "x.lease"
    assert cluster._refusal(lease, cluster._installed()) == (
        f"{socket.gethostname()} does not share the folder {tmp_path} with the machine that asks"
    )
    lease.touch()
    assert cluster._refusal(lease, cluster._installed()) is None


# --- nobody writes what nobody waits for ------------------------------------------------------------------------


END_WITH = """
import os, sys
from pathlib import Path
from seedscope.replicas import cluster

cluster._ABANDONED_AFTER = 1
print("ready", flush=True)
cluster._end_with(os.getppid(), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("kept", [True, False])
def test_the_process_of_a_seed_ends_when_its_stage_is_killed_or_gone(tmp_path: Path, kept: bool) -> None:
    lease = tmp_path / "x.lease"
    lease.touch()
    source = str(Path(cluster.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", END_WITH, str(lease)],
        env={**os.environ, "PYTHONPATH": source},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    for _ in range(4):  # a stage that waits keeps its lease fresh
        time.sleep(0.5)
        lease.touch()
    assert process.poll() is None
    if not kept:
        lease.unlink()
    assert process.wait(10) == 1
    process.stdout.close()


STAGE = """
import os, sys, time
from pathlib import Path
from pipeline import stage
from seedscope.replicas.cluster import Dask
from seedscope.replicas.mapping import map_seeds

def task(seed, report):
    Path("FOLDER", f"{seed}.pid").write_text(str(os.getpid()))
    time.sleep(60)

def slow():
    map_seeds(task, [0, 1], Dask("ADDRESS"), "train squares")

stage(slow)
"""


def test_an_interrupted_stage_leaves_no_process_on_the_workers(tmp_path: Path, shared: Cluster) -> None:
    script = tmp_path / "slow.py"
    script.write_text(STAGE.replace("ADDRESS", shared.address).replace("FOLDER", str(tmp_path)))
    repository = Path(__file__).resolve().parents[2]
    stage = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(repository / "src"), str(repository)])},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    pids = [tmp_path / f"{seed}.pid" for seed in (0, 1)]
    assert wait_for(lambda: all(file.exists() and file.read_text() for file in pids), 60)
    stage.send_signal(signal.SIGINT)
    _, said = stage.communicate(timeout=20)
    assert (stage.returncode, said) == (130, "slow: interrupted; what was finished is kept\n")
    assert wait_for(lambda: not any(Path("/proc", file.read_text()).exists() for file in pids))

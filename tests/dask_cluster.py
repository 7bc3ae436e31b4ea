"""A Dask cluster on this machine, for the tests that need one: real processes on ports that are free."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        # Where the tests are killed themselves, the cluster ends of its own.
        options = ["--port", "0", "--dashboard-address", "127.0.0.1:0", "--idle-timeout", "120 s"]
        self.scheduler = self._start("scheduler", *options)
        assert wait_for(lambda: file.exists() and file.read_text().endswith("\n}"), 60)  # it is not written at once
        self.address = str(json.loads(file.read_text())["address"])

    def worker(self, *options: str, restarted: bool = False) -> subprocess.Popen[bytes]:
        """Start a worker in a folder of its own, so that nothing is found by luck; ``restarted``: when it dies."""
        return self._start("worker", "--nanny" if restarted else "--no-nanny", "--no-dashboard", *options)

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        own = self.folder / f"{what}-{len(self.processes)}"
        own.mkdir()
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1"]
        command += ["--scheduler-file", str(self.folder / "scheduler.json"), *options]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment["DVC_ROOT"] = str(own)  # somebody else's: it must not be taken for the project's
        environment["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "1"  # 3 by default: more workers to start
        with (own / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=own, env=environment, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], T], seconds: float = 10) -> T:
    """Wait until the condition is true; return what it said last."""
    end = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < end:  # what came true may not last
        time.sleep(0.02)
    return holds

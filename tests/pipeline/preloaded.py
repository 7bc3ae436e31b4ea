"""Stages that start with their libraries imported: importing torch and MLflow takes longer than small stages do.

A server imports the libraries, and nothing of ours, and forks for every ``python -m pipeline.<stage>``. In python's
place on the ``PATH`` a client hands it arguments, folder, surroundings and standard streams, and ends as the stage
ends. Whoever kills stages, or wants them to start workers, takes the real python.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import multiprocessing
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

LIBRARIES = (
    "captum.attr",
    "dask.array",
    "netCDF4",
    "hydra",
    "jinja2",
    "joblib",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "pandas",
    "pydantic",
    "safetensors.torch",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.datasets",
    "torch._dynamo",
    "xarray",
)
_CLIENT = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect({address!r})
    asked = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "surroundings": dict(os.environ)}}
    socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
    ended = server.recv(16)
sys.exit(int(ended) if ended else "the server of the stages is gone")
"""
_PYTHON = """#!/bin/sh
case "$1 $2" in
"-m pipeline."*) exec {python} -I -S {client} "$@" ;;
*) exec {python} "$@" ;;
esac
"""


@cache
def preloaded() -> Path:
    """Start a server, and return the folder of the python that asks it."""
    folder = Path(tempfile.mkdtemp(prefix="stages-"))
    address, client, python = (str(folder / name) for name in ("socket", "client.py", "python"))
    Path(client).write_text(_CLIENT.format(address=address))
    Path(python).write_text(_PYTHON.format(python=sys.executable, client=client))
    Path(python).chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    server = subprocess.Popen(
        [sys.executable, "-P", __file__, address],
        env={**environment, "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.PIPE,
    )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.kill)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    return folder


def serve(address: str) -> None:
    """Import the libraries, and fork a process for whatever is asked."""
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as waiting:
        waiting.bind(address)
        waiting.listen()
        print("ready", flush=True)
        while True:
            connection, _ = waiting.accept()
            if os.fork() == 0:
                break
            connection.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, streams, *_ = socket.recv_fds(connection, 1 << 20, 3)
    stage = multiprocessing.get_context("fork").Process(target=_run, args=(json.loads(message), streams))
    stage.start()  # this way it ends without taking the libraries down
    stage.join()
    connection.send(str((stage.exitcode or 0) % 256).encode())
    os._exit(0)


def _run(asked: dict[str, Any], streams: list[int]) -> None:
    """Do what python does with ``-m <module> …``."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["surroundings"])
    _, module, *arguments = asked["arguments"]
    named = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:0] = [str(Path.cwd()), *named]
    sys.orig_argv = [sys.executable, *asked["arguments"]]
    sys.argv = [module, *arguments]
    if any(Path(entry, "sitecustomize.py").exists() for entry in named):
        importlib.import_module("sitecustomize")
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # which ending this way does not


if __name__ == "__main__":
    serve(sys.argv[1])

"""What a team shares, for real and on loopback alone: PostgreSQL, and a store that speaks S3.

    PostgreSQL   Debian's package, in a folder and on a port of its own; it refuses to run as root
    S3           moto's server, of all that PyPI has the one that is kept well: pure Python, and it remembers nothing
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tracking.toy import free_port

PASSWORD = "secret"  # what no message may show
BUCKET = "seedscope"
_SECONDS_TO_START = 120  # on a busy machine


@dataclass(frozen=True)
class Service:
    """A server that runs, by its address and its process."""

    uri: str
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def postgresql() -> Iterator[Service]:
    """Run PostgreSQL with an empty database."""
    import psycopg

    programs = postgresql_programs()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # pytest's own folders are closed to other users
    (folder / "password").write_text(PASSWORD)
    user: dict[str, Any] = {"cwd": folder}
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        user |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        for path in (folder, folder / "password"):
            os.chown(path, account.pw_uid, account.pw_gid)
    port = free_port()
    uri = f"postgresql://team:{PASSWORD}@127.0.0.1:{port}/postgres"
    made = [f"{programs}/initdb", "--no-sync", "--locale=C", "--encoding=UTF8", "--username=team"]
    made += ["--auth=scram-sha-256", f"--pwfile={folder}/password", f"--pgdata={folder}/data"]
    command = [f"{programs}/postgres", "-D", f"{folder}/data", "-k", str(folder), "-p", str(port)]
    command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]

    def connect() -> None:
        psycopg.connect(uri, connect_timeout=1).close()

    try:
        subprocess.run(made, check=True, capture_output=True, **user)
        with _running(command, connect, folder / "log", **user) as process:
            yield Service(uri, process)
    finally:
        shutil.rmtree(folder)


def postgresql_programs() -> Path | None:
    """Return the folder of initdb and postgres, where they are installed; Debian keeps them off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (debian and str(debian[-1]))
    return Path(found).parent if found else None


@contextlib.contextmanager
def s3_store(log: Path) -> Iterator[Service]:
    """Run an S3-compatible store with an empty bucket."""
    import boto3

    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    bucket = boto3.client("s3", endpoint_url=uri, aws_access_key_id="team", aws_secret_access_key=PASSWORD)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, lambda: bucket.create_bucket(Bucket=BUCKET), log) as process:
        yield Service(uri, process)


@contextlib.contextmanager
def _running(
    command: list[str], answers: Callable[[], object], log: Path, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server from when it answers until the end of the block, however that ends."""
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said, **options) as process:
        try:
            deadline = time.monotonic() + _SECONDS_TO_START
            while not _succeeds(answers):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def _succeeds(answers: Callable[[], object]) -> bool:
    try:
        answers()
    except Exception:  # which one is the driver's affair
        return False
    return True

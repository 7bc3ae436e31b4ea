"""What a team shares, for real and on loopback alone: PostgreSQL, and a store that speaks S3.

PostgreSQL   Debian's package, in a folder and on a port of its own; it refuses to run as root
S3           moto's server, of all that PyPI has the one that is kept well: pure Python, and it remembers nothing
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.dask_cluster import wait_for
from tests.tracking.toy import free_port

PASSWORD = "secret"  # what no message may show
BUCKET = "seedscope"


class Service:
    """A server that can be started, killed, and started again at the same address."""

    ends_at = signal.SIGKILL

    def __init__(self, uri: str, command: list[str], answers: Callable[[], object], log: Path, **options: Any) -> None:
        self.uri, self.command, self.answers, self.log, self.options = uri, command, answers, log, options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, **self.options)
        assert wait_for(lambda: _succeeds(self.answers) or self.process.poll() is not None, 120), self.log.read_text()
        assert self.process.poll() is None, self.log.read_text()

    def kill(self) -> None:
        """End it at once."""
        assert self.process is not None
        self.process.send_signal(self.ends_at)
        self.process.wait()


class PostgreSQL(Service):
    ends_at = signal.SIGQUIT  # as a crash to the data; killed otherwise, its children would go on for a while


@contextlib.contextmanager
def started(service: Service) -> Iterator[Service]:
    """Start a server, and kill it at the end of the block."""
    try:
        service.start()
        yield service
    finally:
        service.kill()


def postgresql_programs() -> Path | None:
    """Return the folder of initdb and postgres, where they are installed; Debian keeps them off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (debian and str(debian[-1]))
    return Path(found).parent if found else None


@contextlib.contextmanager
def postgresql() -> Iterator[Service]:
    """Run PostgreSQL with an empty database; killed and started again, it has what was committed."""
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
        with started(PostgreSQL(uri, command, connect, folder / "log", **user)) as service:
            yield service
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def s3_store(log: Path) -> Iterator[Service]:
    """Run an S3-compatible store with an empty bucket; killed and started again, it has forgotten all."""
    import boto3

    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    client = boto3.client("s3", endpoint_url=uri, aws_access_key_id="team", aws_secret_access_key=PASSWORD)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with started(Service(uri, command, lambda: client.create_bucket(Bucket=BUCKET), log)) as service:
        yield service


def _succeeds(answers: Callable[[], object]) -> bool:
    try:
        answers()
    except Exception:  # which one is the driver's affair
        return False
    return True

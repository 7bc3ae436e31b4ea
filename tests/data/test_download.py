"""A published file arrives whole and right, or there is one sentence and nothing under its name."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seedscope.data.download import Published, download
from seedscope.files.errors import SeedscopeError

CONTENT = bytes(range(256)) * 1200  # 300 KiB: several reads
FILE = Published("letters.gz", hashlib.sha256(CONTENT).hexdigest())


@dataclass
class Mirror:
    """A local server and how it misbehaves; ``asked`` are the Range headers it got."""

    answer: Callable[[Mirror, http.server.BaseHTTPRequestHandler], None]
    asked: list[str | None] = field(default_factory=list)
    address: str = ""


def send(
    handler: http.server.BaseHTTPRequestHandler,
    content: bytes,
    status: int = 200,
    upto: int | None = None,
    **headers: str,
) -> None:
    """Promise the whole content and send it, or only the bytes before ``upto``."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content[:upto])


def offset(mirror: Mirror) -> int:
    asked = mirror.asked[-1]
    return int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0


def rest(
    mirror: Mirror, handler: http.server.BaseHTTPRequestHandler, content: bytes = CONTENT, upto: int | None = None
) -> None:
    """Answer as an honest server does: the part that was asked for."""
    start = offset(mirror)
    whole = len(content)
    if start:
        send(handler, content[start:], 206, upto, Content_Range=f"bytes {start}-{whole - 1}/{whole}")
    else:
        send(handler, content, 200, upto)


def breaks_off(mirror: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
    rest(mirror, handler, upto=102_400)


def ignores_range(mirror: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
    send(handler, CONTENT, upto=102_400 if len(mirror.asked) == 1 else None)


def sends_other_bytes(mirror: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
    rest(mirror, handler, CONTENT[::-1])


def sends_other_bytes_in_pieces(mirror: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
    rest(mirror, handler, CONTENT[::-1], upto=204_800)


def sends_too_much(_mirror: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
    send(handler, CONTENT * 20)


def sends_another_part(mirror: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
    if offset(mirror):
        send(handler, CONTENT[5:], 206, Content_Range=f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}")
    else:
        breaks_off(mirror, handler)


def has_no_such_file(_mirror: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


def breaks_off_at_once(_mirror: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


Start = Callable[[Callable[[Mirror, http.server.BaseHTTPRequestHandler], None]], Mirror]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a mirror that answers in the given way; all are stopped at the end."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    servers = []

    def start_one(answer: Callable[[Mirror, http.server.BaseHTTPRequestHandler], None]) -> Mirror:
        mirror = Mirror(answer)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == f"/here/{FILE.name}"
                mirror.asked.append(self.headers.get("Range"))
                mirror.answer(mirror, self)

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        mirror.address = f"http://127.0.0.1:{server.server_address[1]}/here/"
        return mirror

    yield start_one
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def dead() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/here/"


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refusal(folder: Path, *mirrors: str) -> str:
    with pytest.raises(SeedscopeError) as refused:
        download(FILE, mirrors, folder)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def test_an_honest_mirror_gives_the_file_and_nothing_beside_it(start: Start, tmp_path: Path) -> None:
    mirror = start(rest)
    download(FILE, [mirror.address], tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder" / FILE.name).read_bytes() == CONTENT
    assert left(tmp_path / "new" / "folder") == [FILE.name]
    assert mirror.asked == [None]


def test_a_mirror_that_breaks_off_is_asked_for_the_rest(start: Start, tmp_path: Path) -> None:
    mirror = start(breaks_off)
    download(FILE, [mirror.address], tmp_path)
    assert (tmp_path / FILE.name).read_bytes() == CONTENT
    assert mirror.asked == [None, "bytes=102400-", "bytes=204800-"]


def test_another_mirror_goes_on_where_one_stopped(start: Start, dead: str, tmp_path: Path) -> None:
    once = start(lambda m, h: rest(m, h, upto=102_400) if len(m.asked) == 1 else breaks_off_at_once(m, h))
    other = start(rest)
    download(FILE, [dead, once.address, other.address], tmp_path)
    assert (tmp_path / FILE.name).read_bytes() == CONTENT
    assert other.asked == ["bytes=102400-"]


def test_a_transfer_that_broke_off_is_resumed_by_the_next_call(start: Start, dead: str, tmp_path: Path) -> None:
    once = start(lambda m, h: rest(m, h, upto=102_400) if len(m.asked) == 1 else has_no_such_file(m, h))
    sentence = refusal(tmp_path, once.address, dead)
    assert sentence.endswith(f"; the 102400 bytes that arrived wait in {tmp_path / FILE.name}.part")
    assert "it answered 404 Not Found" in sentence
    assert left(tmp_path) == [f"{FILE.name}.part"]
    honest = start(rest)
    download(FILE, [honest.address], tmp_path)
    assert honest.asked == ["bytes=102400-"]
    assert (tmp_path / FILE.name).read_bytes() == CONTENT
    assert left(tmp_path) == [FILE.name]


def test_a_mirror_that_knows_no_range_sends_all_of_it_again(start: Start, tmp_path: Path) -> None:
    mirror = start(ignores_range)
    download(FILE, [mirror.address], tmp_path)
    assert (tmp_path / FILE.name).read_bytes() == CONTENT
    assert mirror.asked == [None, "bytes=102400-"]


@pytest.mark.parametrize("answer", [sends_other_bytes, sends_other_bytes_in_pieces, sends_too_much])
def test_wrong_bytes_are_refused_and_nothing_stays(start: Start, tmp_path: Path, answer) -> None:
    mirror = start(answer)
    sentence = refusal(tmp_path, mirror.address)
    assert re.search(rf"it sent another file \(SHA-256 [0-9a-f]{{12}}…, not {FILE.sha256[:12]}…\)", sentence)
    assert left(tmp_path) == []
    assert len(mirror.asked) <= 4


def test_after_a_mirror_with_wrong_bytes_the_next_is_asked(start: Start, tmp_path: Path) -> None:
    wrong, right = start(sends_other_bytes), start(rest)
    download(FILE, [wrong.address, right.address], tmp_path)
    assert (tmp_path / FILE.name).read_bytes() == CONTENT
    assert right.asked == [None]


@pytest.mark.parametrize("length", [5, len(CONTENT), len(CONTENT) + 1])
def test_a_damaged_part_is_thrown_away_and_the_file_fetched_anew(start: Start, tmp_path: Path, length: int) -> None:
    (tmp_path / f"{FILE.name}.part").write_bytes(b"x" * length)
    mirror = start(rest)
    download(FILE, [mirror.address], tmp_path)
    assert (tmp_path / FILE.name).read_bytes() == CONTENT
    assert left(tmp_path) == [FILE.name]
    assert mirror.asked[-1] is None


def test_a_part_that_is_already_whole_needs_no_mirror(dead: str, tmp_path: Path) -> None:
    (tmp_path / f"{FILE.name}.part").write_bytes(CONTENT)
    download(FILE, [dead], tmp_path)
    assert (tmp_path / FILE.name).read_bytes() == CONTENT
    assert left(tmp_path) == [FILE.name]


def test_an_answer_that_might_never_end_is_refused(start: Start, tmp_path: Path) -> None:
    def endless(_: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):  # until nobody listens
            for _ in range(2000):
                handler.wfile.write(CONTENT)

    mirror = start(endless)
    assert "it does not say how long the file is" in refusal(tmp_path, mirror.address)
    assert left(tmp_path) == []


def test_a_part_without_its_place_in_the_file_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / f"{FILE.name}.part").write_bytes(CONTENT[:9])
    mirror = start(lambda _, handler: send(handler, CONTENT[9:], 206))
    assert "it sent another part of the file than that from byte 9 on" in refusal(tmp_path, mirror.address)


def test_another_part_than_was_asked_for_is_refused(start: Start, tmp_path: Path) -> None:
    mirror = start(sends_another_part)
    assert "it sent another part of the file than that from byte 102400 on" in refusal(tmp_path, mirror.address)
    assert (tmp_path / f"{FILE.name}.part").read_bytes() == CONTENT[:102_400]


def test_without_a_network_each_mirror_is_named_with_its_reason(dead: str, tmp_path: Path) -> None:
    sentence = refusal(tmp_path, dead, "http://name.invalid/")
    assert sentence.startswith(f"{FILE.name} cannot be downloaded ({dead}: no connection: ")
    assert "http://name.invalid/: no connection: " in sentence
    assert left(tmp_path) == []


def test_a_mirror_that_hangs_up_at_once_is_named(start: Start, tmp_path: Path) -> None:
    mirror = start(breaks_off_at_once)
    assert "no connection: RemoteDisconnected" in refusal(tmp_path, mirror.address)
    assert left(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert refusal(tmp_path / "file", "http://name.invalid/") == (
        f"{tmp_path / 'file' / FILE.name} cannot be written: File exists"
    )


def test_a_full_disk_is_named(start: Start, tmp_path: Path) -> None:
    """A process that may not write more than 100 KiB to a file stands for the full disk."""
    mirror = start(rest)
    code = f"""
import resource, signal
from pathlib import Path
from seedscope.data.download import Published, download
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (102_400, 102_400))
try:
    download({FILE!r}, [{mirror.address!r}], Path({str(tmp_path)!r}))
except Exception as error:
    print(type(error).__name__, error)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"SeedscopeError {tmp_path / FILE.name} cannot be written: File too large\n"
    assert left(tmp_path) == [f"{FILE.name}.part"]


def test_two_downloads_at_once_fetch_the_file_once(start: Start, tmp_path: Path) -> None:
    waiting = threading.Event()

    def slowly(mirror: Mirror, handler: http.server.BaseHTTPRequestHandler) -> None:
        waiting.wait(0.3)
        rest(mirror, handler)

    mirror = start(slowly)
    both = [threading.Thread(target=download, args=(FILE, [mirror.address], tmp_path)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert (tmp_path / FILE.name).read_bytes() == CONTENT
    assert left(tmp_path) == [FILE.name]
    assert mirror.asked == [None]

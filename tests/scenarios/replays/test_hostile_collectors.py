"""Claims about collectors that are broken, or mean harm: none holds a replay, fills its memory or breaks it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from replay_clock import QuickClock

from scenarios.errors import DeliveryError, InputError
from scenarios.replays import http
from scenarios.replays.sending import replay
from scenarios.run.folder import run_to_folder
from scenarios.scenario import Scenario

TIMEOUT_S = 0.4
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Behaviour = Callable[[socket.socket], None]


class Collector:
    """A collector that reads each request, and then behaves as it likes.

    Args:
        behave: Is called with the connection for each request.
    """

    def __init__(self, behave: Behaviour) -> None:
        self.n_bytes = 0
        self._behave = behave
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        collector = self

        class Counting:
            def sendall(self, data: bytes) -> None:
                connection.sendall(data)
                collector.n_bytes += len(data)

            def __getattr__(self, name: str) -> object:
                return getattr(connection, name)

        with connection:
            connection.settimeout(20)
            try:
                while read_request(connection):
                    self._behave(Counting())
            except OSError:
                return

    def close(self) -> None:
        """Stop listening."""
        # Closing alone does not wake the thread that waits in accept.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


def read_request(connection: socket.socket) -> bool:
    """Read a request to its end; False if there is none."""
    request = b""
    while b"\r\n\r\n" not in request:
        if not (part := connection.recv(65536)):
            return False
        request += part
    head, _, body = request.partition(b"\r\n\r\n")
    left = int(head.lower().split(b"content-length: ")[1].split()[0]) - len(body)
    while left > 0:
        if not (part := connection.recv(65536)):
            return False
        left -= len(part)
    return True


def sending(*parts: bytes, pause_s: float = 0.0, times: int = 1, end: str = "") -> Behaviour:
    """Send parts, the last one so many times, with pauses; then nothing, or close, or reset the connection."""

    def behave(connection: socket.socket) -> None:
        for part in (*parts[:-1], *[parts[-1]] * times):
            connection.sendall(part)
            if pause_s:
                time.sleep(pause_s)
        if end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end:
            connection.shutdown(socket.SHUT_RDWR)

    return behave


def silent(connection: socket.socket) -> None:
    """Answer nothing until the other side ends."""
    connection.recv(1)


HEAD = b"HTTP/1.1 200 OK\r\n"
MEGABYTE = b"x" * (1 << 20)
FOREVER = 100_000
NEVER_ANSWERED = {
    "says nothing": silent,
    "endless 100 Continue": sending(b"HTTP/1.1 100 Continue\r\n\r\n", times=FOREVER),
    "slow 100 Continue": sending(b"HTTP/1.1 100 Continue\r\n\r\n", pause_s=0.1, times=100),
    "slow body": sending(HEAD + b"Content-Length: 100000\r\n\r\n", b"x", pause_s=0.1, times=100),
    "slow chunks": sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", pause_s=0.1, times=100),
    "slow headers": sending(HEAD, b"X: y\r\n", pause_s=0.1, times=90),
    "slow status": sending(b"HTTP/1.1 ", b"2", pause_s=0.1, times=100),
    "endless status": sending(MEGABYTE, times=50),
    "endless header": sending(HEAD + b"X: ", MEGABYTE, times=50),
    "too many headers": sending(HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(500)) + b"\r\n"),
    "endless trailer": sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n", times=FOREVER),
    "huge chunk size": sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n", end="close"),
    "short body": sending(HEAD + b"Content-Length: 10\r\n\r\nxx", end="close"),
    "reset in the body": sending(HEAD + b"Content-Length: 10\r\n\r\nxx", end="reset"),
    "garbage": sending(b"\x00\xff\x1b[31mGARBAGE\r\n\r\n", end="close"),
    "no status": sending(b"HTTP/1.1\r\n\r\n", end="close"),
    "503 with a huge body": sending(b"HTTP/1.1 503 x\r\nContent-Length: 99999999\r\n\r\n", MEGABYTE, times=90),
    "negative length": sending(HEAD + b"Content-Length: -5\r\nConnection: keep-alive\r\n\r\n", pause_s=0.1, times=50),
}
"""Behaviours after which no batch can count as taken."""
ANSWERED = {
    "endless body": sending(HEAD + b"\r\n", MEGABYTE, times=200),
    "huge body": sending(HEAD + b"Content-Length: 999999999\r\n\r\n", MEGABYTE, times=200),
    "huge chunks": sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + MEGABYTE + b"\r\n", times=200),
    "a few 100 Continue": sending(b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + OK),
    "two answers": sending(OK + OK),
}
"""Behaviours after which every batch counts as taken."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one batch."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    small = Scenario(name="small").replace({"clock.hours": 1, "traffic.visitors_per_day": 200})
    run_to_folder(small, folder, analyse=False)
    return folder


@pytest.fixture(autouse=True)
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests with a deadline that a test can wait for."""
    monkeypatch.setattr(http, "_TIMEOUT_S", TIMEOUT_S)


@pytest.fixture
def collecting() -> Iterator[Callable[[Behaviour], Collector]]:
    """Opens collectors, and closes them in the end."""
    opened = []

    def collect(behave: Behaviour) -> Collector:
        opened.append(Collector(behave))
        return opened[-1]

    yield collect
    for collector in opened:
        collector.close()


def ended(run: Path, collector: Collector) -> str:
    """Replay a run; return the error, empty if there was none. It ends in time, and little was read."""
    began = time.monotonic()
    try:
        replay(run, to=collector.address, speed="max", max_retries=1, clock=QuickClock())
        message = ""
    except DeliveryError as error:
        message = str(error)
    # Two tries; and what the system itself keeps of what a sender has sent.
    assert time.monotonic() - began < 2 * TIMEOUT_S + 5
    assert collector.n_bytes < 40_000_000
    return message


@pytest.mark.parametrize("name", NEVER_ANSWERED)
def test_a_collector_that_never_comes_to_an_answer_is_given_up(
    run: Path, collecting: Callable[[Behaviour], Collector], name: str
) -> None:
    """After the deadline, or so many bytes, it is tried again, and then given up with the place and the reason."""
    message = ended(run, collecting(NEVER_ANSWERED[name]))
    assert message.endswith("given up after 1 retries (0 lines have been acknowledged)")
    assert len(message) < 400


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_that_has_no_end_is_an_answer(
    run: Path, collecting: Callable[[Behaviour], Collector], name: str
) -> None:
    """Its status counts; of its body no more is read than some kilobytes."""
    assert ended(run, collecting(ANSWERED[name])) == ""


@pytest.mark.parametrize("n", [10, pytest.param(200, marks=pytest.mark.validation)])
def test_whatever_a_collector_sends_a_replay_ends(
    run: Path, collecting: Callable[[Behaviour], Collector], n: int
) -> None:
    """Made of pieces of answers, cut, repeated and delayed by chance: done or given up, in time, with one message."""
    chance = np.random.default_rng(n)
    pieces = [
        *(
            HEAD,
            OK,
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 429 x\r\n",
            b"HTTP/1.1 302 F\r\nLocation: http://\x1b[2J/",
        ),
        *(b"\r\n", b"\r\n\r\n", b"Content-Length: 7\r\n", b"Content-Length: 9999999999999999999\r\n", b"{}", b"\x00"),
        *(b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n", b"0\r\n\r\n", b"zz\r\n", b"Connection: close\r\n"),
        *(b"Retry-After: 99999999999\r\n", b"Retry-After: " + b"9" * 5000 + b"\r\n", b"X" * 70_000, MEGABYTE),
        *(b"Retry-After: Mon, 99 Foo 99999 99:99:99 GMT\r\n", b"Set-Cookie: a\r\n", b"HTTP/9.9 999\r\n", b"\xff\xfe"),
    ]
    for _ in range(n):
        parts = [pieces[k] for k in chance.integers(len(pieces), size=chance.integers(1, 9))]
        parts[-1] = parts[-1][: chance.integers(1, len(parts[-1]) + 1)]
        behave = sending(
            *parts,
            pause_s=float(chance.choice([0.0, 0.0, 0.05])),
            times=int(chance.choice([1, 1, 30])),
            end=str(chance.choice(["", "close", "reset"])),
        )
        message = ended(run, collecting(behave))
        assert len(message) < 700


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://127.0.0.1:1/ü", "%-escapes"),
        ("http://127.0.0.1:1/a b", "%-escapes"),
        ("http://üü..x:1/", "must be http://HOST:PORT"),
        ("http://" + "a" * 70 + ".example/", "must be http://HOST:PORT"),
        ("http://127.0.0.1:99999", "must be http://HOST:PORT"),
        ("http://127.0.0.1:0", "must be http://HOST:PORT"),
        ("http://[::1", "must be http://HOST:PORT"),
        ("http://a\x7fb:1/", "must be http://HOST:PORT"),
        ("http://user:pw@127.0.0.1:1", "give the write key by"),
    ],
)
def test_an_address_that_cannot_be_one_is_wrong_input(run: Path, address: str, message: str) -> None:
    """It is told before anything is sent, and not tried again and again."""
    clock = QuickClock()
    with pytest.raises(InputError, match=message):
        replay(run, to=address, speed="max", clock=clock)
    assert clock.slept == []

"""Claims about replays over HTTP, made to a real server: it gets exactly the run's events, whatever goes wrong."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from replay_clock import QuickClock

from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.ndjson import encode
from scenarios.errors import DeliveryError
from scenarios.files.checksums import write_checksums
from scenarios.replays.sending import replay
from scenarios.run.folder import run_to_folder
from scenarios.scenario import Scenario

HOSTILE = ["<script>x</script>", 'say "hi"', "back\\slash", "\u202eright to left", "a\nb\r\u2028c", "é" * 5_000, ","]


class Collector:
    """A collector on a port of this machine.

    Args:
        answer: Returns for the number of a request, from 1, its outcome: a status, perhaps with headers; ``drop``
            ends the connection unread, ``lose`` takes the batch and ends it without an answer.
    """

    def __init__(self, answer: Callable[[int], int | str | tuple[int, dict[str, str]]]) -> None:
        self.events, self.bodies, self.requests, self.addresses = [], [], [], set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append((self.path, dict(self.headers)))
                collector.addresses.add(self.client_address)
                judged = answer(len(collector.requests))
                status, headers = judged if isinstance(judged, tuple) else (judged, {})
                if status in (200, "lose"):
                    collector.bodies.append(body)
                    collector.events += json.loads(body)["batch"]
                if isinstance(status, str):
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                reply = b'{"success":true}' if status == 200 else b"no"
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collecting() -> Iterator[Callable[..., Collector]]:
    """Opens collectors, and closes them in the end."""
    opened = []

    def collect(answer: Callable[[int], int | str | tuple[int, dict[str, str]]] = lambda _: 200) -> Collector:
        opened.append(Collector(answer))
        return opened[-1]

    yield collect
    for collector in opened:
        collector.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of some hundred events, many of which hold strings that break what is careless."""
    folder = tmp_path_factory.mktemp("runs") / "hostile"
    scenario = Scenario(name="small").replace({"clock.hours": 1, "traffic.visitors_per_day": 5000})
    run_to_folder(scenario, folder, analyse=False)
    file = folder / "events.parquet"
    events = pl.read_parquet(file)
    texts = pl.Series([HOSTILE[i % len(HOSTILE)] for i in range(events.height)])
    events.with_columns(
        texts.cast(pl.Categorical()).alias("context_campaign_name"), texts.alias("context_page_title")
    ).cast(dict(EVENT_SCHEMA)).write_parquet(file)
    write_checksums(folder)
    return folder


def events_of(run: Path) -> list[dict[str, object]]:
    """The run's events as objects, in order of arrival."""
    return [json.loads(line) for line in encode(pl.read_parquet(run / "events.parquet")).splitlines()]


def test_the_collector_gets_exactly_the_events(run: Path, collecting: Callable[..., Collector]) -> None:
    """All events in order, to /v1/batch, with the write key, over one connection, at most 500 KB at a time."""
    collector = collecting()
    result = replay(run, to=collector.address, speed="max", write_key="k€y", clock=QuickClock())
    assert collector.events == events_of(run)
    assert result.sent == len(collector.events) > 300
    assert len(collector.bodies) == result.batches > 3
    assert max(map(len, collector.bodies)) <= 500_000
    assert min(map(len, collector.bodies[:-1])) > 400_000
    assert {path for path, _ in collector.requests} == {"/v1/batch"}
    assert {headers["Authorization"] for _, headers in collector.requests} == {
        f"Basic {base64.b64encode('k€y:'.encode()).decode()}"
    }
    assert {headers["Content-Type"] for _, headers in collector.requests} == {"application/json"}
    assert json.loads(collector.bodies[0])["sentAt"] == "2026-05-01T12:00:00.000Z"
    assert len(collector.addresses) == 1


def test_at_a_set_pace_events_come_when_they_are_due(run: Path, collecting: Callable[..., Collector]) -> None:
    """At 60 times the speed an hour's events come one by one over a minute, all of them, to the given path."""
    collector, clock = collecting(), QuickClock()
    replay(run, to=f"{collector.address}/collect/batch?source=a", speed=60, clock=clock)
    assert {path for path, _ in collector.requests} == {"/collect/batch?source=a"}
    assert collector.events == events_of(run)
    received = pl.read_parquet(run / "events.parquet")["received_at"]
    assert clock.time_s == pytest.approx((received.max() - received.min()).total_seconds() / 60, rel=0.05)
    assert len(collector.bodies) > 0.9 * received.n_unique()


@pytest.mark.parametrize("fault", [429, 500, 503, 408, "drop"])
def test_nothing_is_lost_and_nothing_comes_twice(
    run: Path, collecting: Callable[..., Collector], fault: int | str
) -> None:
    """Where two of three requests are turned away, the collector has every event once, in order, all the same."""
    collector = collecting(lambda n: fault if n % 3 else 200)
    result = replay(run, to=collector.address, speed="max", clock=QuickClock())
    assert collector.events == events_of(run)
    assert result.retries >= 2 * result.batches - (fault == "drop") * result.batches


def test_a_lost_answer_brings_a_batch_again(run: Path, collecting: Callable[..., Collector]) -> None:
    """Where the connection ends before the answer, the batch comes again, and no event is missing."""
    collector = collecting(lambda n: "lose" if n == 2 else 200)
    replay(run, to=collector.address, speed="max", clock=QuickClock())
    first, second, third, *rest = (json.loads(body)["batch"] for body in collector.bodies)
    assert second == third
    assert first + third + [event for batch in rest for event in batch] == events_of(run)


def test_waits_grow_or_are_as_asked(run: Path, collecting: Callable[..., Collector]) -> None:
    """Each wait is twice the one before, up to half a minute; Retry-After sets it, in seconds or as a date."""
    asked = {4: {"Retry-After": "7"}, 5: {"Retry-After": "Fri, 01 May 2026 12:01:00 GMT"}, 6: {"Retry-After": "soon"}}
    collector, clock, announced = collecting(lambda n: (429, asked.get(n, {})) if n < 10 else 200), QuickClock(), []
    replay(run, to=collector.address, speed="max", clock=clock, announce=announced.append)
    until_date = 60 - (0.5 + 1 + 2 + 7)
    assert clock.slept == [0.5, 1, 2, 7, until_date, 16, 30, 30, 30]
    assert announced[3] == f"{collector.address}: answers 429 Too Many Requests; trying again in 7 s"


def test_a_collector_that_never_accepts_is_given_up_and_resumed(
    run: Path, tmp_path: Path, collecting: Callable[..., Collector]
) -> None:
    """After so many retries it ends with the collector's answer; with a state it resumes."""
    collector = collecting(lambda n: 200 if n == 1 or n > 5 else 503)
    options = {"to": collector.address, "speed": "max", "resume": tmp_path / "state", "max_retries": 3}
    with pytest.raises(DeliveryError, match=r"answers 503 .*given up after 3 retries \(\d+ lines have been ack"):
        replay(run, **options, clock=QuickClock())
    result = replay(run, **options, clock=QuickClock())
    assert collector.events == events_of(run)
    assert result.resumed_at + result.sent == len(collector.events)


@pytest.mark.slow
def test_a_killed_replay_loses_nothing(run: Path, tmp_path: Path, collecting: Callable[..., Collector]) -> None:
    """Killed twice and resumed, it sends every event, in order, and for each kill at most one batch twice."""
    collector, state = collecting(lambda n: 503 if n % 15 == 0 else 200), tmp_path / "state"
    command = [sys.executable, "-m", "funnelsim", "replay", str(run), "--to", collector.address, "--resume", str(state)]
    for n_requests in (20, 40):
        process = subprocess.Popen([*command, "--speed", "600", "--quiet"])
        deadline = time.monotonic() + 60
        while len(collector.requests) < n_requests and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.wait()
    assert 0 < json.loads(state.read_text())["acknowledged"] < len(events_of(run))
    subprocess.run([*command, "--speed", "max"], check=True, capture_output=True)
    batches = [json.loads(body)["batch"] for body in collector.bodies]
    first_of = {event["messageId"]: event for batch in batches for event in batch}
    assert list(first_of.values()) == events_of(run)
    assert len(collector.events) - len(first_of) <= 2 * max(map(len, batches))


def test_a_port_without_a_server_is_an_error(run: Path, collecting: Callable[..., Collector]) -> None:
    """A port without a server is retried and then given up."""
    collector, clock = collecting(), QuickClock()
    collector.close()
    with pytest.raises(DeliveryError, match="Connection refused; given up after 2 retries"):
        replay(run, to=collector.address, speed="max", max_retries=2, clock=clock)
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (400, "answers 400 Bad Request: no"),
        (401, "answers 401 Unauthorized"),
        ((301, {"Location": "https://there/"}), "answers 301 Moved Permanently, and that it is at https://there/"),
    ],
)
def test_a_refusal_is_not_tried_again(
    run: Path, collecting: Callable[..., Collector], answer: int | tuple[int, dict[str, str]], message: str
) -> None:
    """What the collector will refuse next time too ends the replay at once."""
    collector = collecting(lambda _: answer)
    with pytest.raises(DeliveryError, match=message):
        replay(run, to=collector.address, speed="max", clock=QuickClock())
    assert len(collector.requests) == 1


def test_what_a_collector_never_takes_is_counted(tmp_path: Path, collecting: Callable[..., Collector]) -> None:
    """Broken lines would break a batch and events over 32 KB be refused: they are not sent, and are counted."""
    folder = tmp_path / "run"
    scenario = Scenario(name="small").replace({"clock.hours": 1, "traffic.visitors_per_day": 500})
    run_to_folder(scenario, folder, events="ndjson", analyse=False)
    file = folder / "events.ndjson"
    lines = file.read_bytes().splitlines()
    large = json.dumps(json.loads(lines[5]) | {"extra": {"blob": "x" * 33_000}}).encode()
    file.write_bytes(b"\n".join([b'{"broken', *lines[:9], large, b"\xff", *lines[9:]]))
    write_checksums(folder)
    collector = collecting()
    result = replay(folder, to=collector.address, speed="max", clock=QuickClock())
    assert result.not_sent == {"broken": 2, "too_large": 1}
    assert collector.events == [json.loads(line) for line in lines]
    assert result.sent == len(lines)

"""Replay: a run's events are sent again, at a set speed, to a pipeline that is tested against the known truth.

from scenarios.replays.sending import replay

replay("runs/baseline-seed7", to="http://localhost:8080", speed=60)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

# Some receivers are loaded when they are named: ssl and http are slow to import, and Kafka is an extra.
from scenarios import replays
from scenarios.errors import DeliveryError, InputError, did_you_mean
from scenarios.replays.files import LinesTarget
from scenarios.replays.pace import Clock, Pace, SystemClock
from scenarios.replays.recorded_run import RecordedLine, RecordedRun, ReplayOrder
from scenarios.replays.state import ReplayState, StateFile
from scenarios.replays.target import Receiver, Target

_SLOWEST: Final = 1e-6
"""Least speed: an hour of the recording in a century."""

_STDOUT: Final = "stdout"
_NAMES: Final = (_STDOUT, "file", "http", "https", "kafka")
_KINDS: Final = (_STDOUT, "file:PATH", "http://HOST:PORT", "https://HOST", "kafka:BROKERS/TOPIC")


@dataclass(frozen=True)
class ReplayResult:
    """The result of a replay.

    Args:
        to: Where it went.
        speed: Recorded seconds to a second; None for as fast as possible.
        resumed_at: Lines that had been acknowledged before, and were not sent again.
        sent: Lines that were acknowledged now.
        not_sent: Lines that the receiver can never take, by reason: ``broken`` and, over HTTP, ``too_large``.
        batches: Batches in which they went.
        retries: How often one of them was sent again.
        first: Recorded moment of the first line that was replayed now; None if there was none.
        last: That of the last one.
        seconds: How long it took from the first line to the acknowledgement of the last.
        behind_seconds: By how much the line that was furthest behind its turn was so.
    """

    to: str
    speed: float | None
    resumed_at: int
    sent: int
    not_sent: dict[str, int]
    batches: int
    retries: int
    first: datetime | None
    last: datetime | None
    seconds: float
    behind_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        times = {name: moment and moment.isoformat() for name, moment in (("first", self.first), ("last", self.last))}
        return {**vars(self), **times}


def replay(
    run_folder: str | Path,
    *,
    to: str,
    speed: float | Literal["max"] = 60,
    order: ReplayOrder = "arrival",
    since: datetime | None = None,
    until: datetime | None = None,
    resume: str | Path | None = None,
    write_key: str = "",
    max_retries: int = 10,
    clock: Clock | None = None,
    progress: Callable[[float], None] | None = None,
    announce: Callable[[str], None] = lambda _: None,
) -> ReplayResult:
    """Send a run's events to a receiver, in the order and at the pace of their recorded arrival or event times.

    Each line is sent exactly as recorded. Nothing is lost: what is not acknowledged is sent again. After a crash,
    events that were acknowledged but not yet recorded as sent arrive twice, with the same ``messageId``; a file holds
    each event once.

    Args:
        run_folder: Folder of a run with events.
        to: ``stdout``, ``file:PATH``, ``http://…``, ``https://…`` or ``kafka:BROKERS/TOPIC``.
        speed: Recorded seconds to a second of the clock; ``"max"`` or 0 is as fast as possible.
        order: By the time of arrival, or by the time at which things happened.
        since: First moment to replay, of the time by which it is ordered; UTC where it has no zone.
        until: Moment to stop before.
        resume: File with the progress of the replay; if it exists, the replay continues from there.
        write_key: Segment's write key, for HTTP.
        max_retries: How often in a row to try again before giving up, for HTTP.
        clock: The clock; the computer's if not given.
        progress: Called with the share that is done, from 0 to 1.
        announce: Called with a message for each retry.

    Raises:
        InputError: The folder, the address, the speed or the state file is wrong, or another replay uses that.
        OutputError: A file cannot be written, or holds something already.
        DeliveryError: The receiver refused something or could not be reached; with ``resume`` nothing need be repeated.

    >>> import tempfile
    >>> from scenarios import Scenario, run_to_folder
    >>> short = Scenario.load("baseline", {"clock.hours": 1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run, _ = run_to_folder(short, f"{folder}/run", analyse=False)
    ...     result = replay(f"{folder}/run", to=f"file:{folder}/sent.ndjson", speed="max")
    >>> result.sent == run.outcome.counts["events"]
    True
    """
    clock = clock or SystemClock()
    pace = Pace(_checked(speed), clock)
    run = RecordedRun(Path(run_folder))
    beginning = ReplayState(run.digest, to, order, _text(since), _text(until))
    states = StateFile(None if resume is None else Path(resume))
    with states.locked():
        state = states.resumed(beginning)
        receiver = Receiver(clock, write_key, max_retries, announce, state.n_bytes)
        # Lines that were acknowledged before are skipped by their number, which the order makes the same each time.
        lines = _after(run.lines(order, since=since, until=until), state.acknowledged)
        target = open_target(to, receiver)
        states.keep(replace(state, n_bytes=target.n_bytes))  # from now on the file belongs to this replay
        sending = _Sending(target, states, state, pace, progress, run.n_events)
        try:
            for batch in _batches(lines, target, pace):
                sending.send(batch)
        finally:
            target.close()
    return sending.result()


def open_target(to: str, receiver: Receiver) -> Target:
    """Open a target by its address.

    Args:
        to: ``stdout``, ``file:PATH``, ``http://…``, ``https://…`` or ``kafka:BROKERS/TOPIC``.
        receiver: Settings besides the address.

    Raises:
        InputError: The address is none of these, or what it needs is not installed.
        OutputError: The file cannot be written, or holds something already.
    """
    kind = to.partition(":")[0]
    if to == _STDOUT:
        return LinesTarget.stdout()
    if kind == "file" and to != "file:":
        return LinesTarget.file(Path(to.removeprefix("file:")), receiver.kept_bytes)
    if kind in {"http", "https"}:
        return replays.HttpTarget(to, receiver)
    if kind == "kafka":
        return replays.KafkaTarget(to)
    raise InputError(f"--to: must be one of {', '.join(_KINDS)} (got {to!r}){did_you_mean(kind, _NAMES)}")


@dataclass
class _Sending:
    """Sends batches one by one, and keeps the state of the replay in memory and on disk.

    Attributes:
        target: The receiver.
        states: The file of the state.
        state: What has been acknowledged so far, now and by earlier replays.
        pace: Decides when lines are due.
        progress: Called with the share that is done.
        n_events: Events of the run.
    """

    target: Target
    states: StateFile
    state: ReplayState
    pace: Pace
    progress: Callable[[float], None] | None
    n_events: int

    def __post_init__(self) -> None:
        self._resumed_at, self._n_sent, self._n_batches = self.state.acknowledged, 0, 0
        self._not_sent: Counter[str] = Counter()
        self._first_ms: int | None = None
        self._last_ms: int | None = None
        self._took_s = 0.0

    def send(self, batch: list[RecordedLine]) -> None:
        """Send a batch, and record that it is acknowledged.

        Args:
            batch: Lines in order; those that the receiver refuses are counted and not sent.

        Raises:
            DeliveryError: The receiver does not accept the batch.
        """
        refused = [self.target.refuses(line) for line in batch]
        taken = [line for line, reason in zip(batch, refused, strict=True) if not reason]
        if taken:
            try:
                self.target.send(taken)
            except DeliveryError as error:
                raise DeliveryError(f"{error} ({self.state.acknowledged:,} lines have been acknowledged)") from error
            self._n_batches += 1
        self._n_sent += len(taken)
        self._not_sent.update(filter(None, refused))
        # Refused lines count too: the replay has passed their moments.
        self._first_ms = batch[0].at_ms if self._first_ms is None else self._first_ms
        self._last_ms = batch[-1].at_ms
        acknowledged = self.state.acknowledged + len(batch)
        self.state = replace(self.state, acknowledged=acknowledged, n_bytes=self.target.n_bytes)
        # After each batch: a crash then repeats one batch at most.
        self.states.keep(self.state)
        self._took_s = self.pace.elapsed_s
        if self.progress is not None:
            self.progress(min(1.0, acknowledged / max(1, self.n_events)))

    def result(self) -> ReplayResult:
        """Return the result."""
        return ReplayResult(
            to=self.state.to,
            speed=self.pace.speed,
            resumed_at=self._resumed_at,
            sent=self._n_sent,
            not_sent=dict(self._not_sent),
            batches=self._n_batches,
            retries=self.target.n_retries,
            first=_moment(self._first_ms),
            last=_moment(self._last_ms),
            seconds=self._took_s,
            behind_seconds=self.pace.behind_s,
        )


def _after(lines: Iterator[RecordedLine], n: int) -> Iterator[RecordedLine]:
    """Skip lines that were acknowledged before.

    Args:
        lines: All lines, in order.
        n: How many to skip.

    Raises:
        InputError: There are not so many.
    """
    for n_skipped in range(n):
        if next(lines, None) is None:
            raise InputError(
                f"--resume: {n:,} lines have been acknowledged, of a run with {n_skipped:,}; it is damaged"
            )
    yield from lines


def _batches(lines: Iterator[RecordedLine], target: Target, pace: Pace) -> Iterator[list[RecordedLine]]:
    """Put together what is due and fits: one line at a time where they are rare, more where sending is slower."""
    batch: list[RecordedLine] = []
    n_bytes = 0
    for line in lines:
        # A batch ends where the next line is not yet due, so that no line waits for a later one.
        if batch and not (target.fits(len(batch) + 1, n_bytes + len(line.line)) and pace.is_due(line.at_ms)):
            yield batch
            batch, n_bytes = [], 0
        pace.wait(line.at_ms)
        batch.append(line)
        n_bytes += len(line.line)
    if batch:
        yield batch


def _checked(speed: float | Literal["max"]) -> float | None:
    """Read a speed; None is as fast as possible.

    Raises:
        InputError: It is no speed.
    """
    if speed in ("max", 0):
        return None
    if isinstance(speed, str) or not (math.isfinite(speed) and speed >= _SLOWEST):
        raise InputError(f"--speed: must be a number greater than 0, at least {_SLOWEST:g}, or max (got {speed!r})")
    return float(speed)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)

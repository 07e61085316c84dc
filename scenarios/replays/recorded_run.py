"""The lines that a run's collector received, read back from the run folder in the order in which they are replayed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from operator import attrgetter
from pathlib import Path
from typing import Final, Literal

import polars as pl

from analytics.errors import EventFileError
from analytics.events.event_time import event_times
from analytics.io.batch_decoding import flatten_lines
from analytics.io.ndjson import encode
from analytics.io.tables import parquet_tables
from scenarios.errors import InputError
from scenarios.files.run_folder import RunFolder

ReplayOrder = Literal["arrival", "event-time"]
"""``arrival``: by ``receivedAt``, as the collector got them, late ones late. ``event-time``: as things happened."""

_AT_ONCE: Final = 20_000


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """One line that the collector received.

    Args:
        at_ms: Its recorded moment, in milliseconds since 1970; a broken line has that of the line before it.
        line: The bytes, without newline.
        browser: The event's ``anonymousId``, or else its ``userId``.
        is_event: Whether it is an event; a line that arrived broken is not.
    """

    at_ms: int
    line: bytes
    browser: str | None = None
    is_event: bool = True


class RecordedRun:
    """The events of a run folder.

    Args:
        folder: The run folder.

    Attributes:
        digest: Sha256 of the run's events.
        n_events: Number of events.
        file: The file that holds them, NDJSON or Parquet.

    Raises:
        InputError: The folder is not that of a run, or its events were not kept.
    """

    def __init__(self, folder: Path) -> None:
        run = RunFolder(folder)
        self.digest = str(run.manifest["digest"])
        self.n_events = int(run.manifest["counts"]["events"])
        self.file = run.events_file

    def lines(
        self, order: ReplayOrder, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[RecordedLine]:
        """Yield the lines in order.

        Args:
            order: By which time. For ``event-time`` all of them are held in memory.
            since: The first moment to yield, of the time by which they are ordered.
            until: The moment to stop before.
        """
        low = -(2**63) if since is None else _ms(since)
        high = 2**63 if until is None else _ms(until)
        read = _from_ndjson if self.file.suffix == ".ndjson" else _from_parquet
        lines: Iterator[RecordedLine] = read(self.file, order)
        if order == "event-time":
            lines = iter(
                sorted(lines, key=attrgetter("at_ms"))
            )  # a stable sort: events of one time stay in order of arrival
        # The lines are in order, so reading stops at the first one after the end.
        return (line for line in takewhile(lambda line: line.at_ms < high, lines) if low <= line.at_ms)


def _ms(moment: datetime) -> int:
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _from_parquet(file: Path, order: ReplayOrder) -> Iterator[RecordedLine]:
    try:
        for events in parquet_tables(file, _AT_ONCE):
            browsers = events.select(pl.coalesce("anonymous_id", "user_id")).to_series()
            # JSON escapes line breaks within values, so each line is one event.
            lines = encode(events).splitlines()
            yield from map(RecordedLine, _moments(events, order), lines, browsers)
    except EventFileError as error:
        raise InputError(str(error)) from None


def _from_ndjson(file: Path, order: ReplayOrder) -> Iterator[RecordedLine]:
    """Read the original bytes; a broken line has the moment of the line before it.

    Args:
        file: The NDJSON file.
        order: By which time lines get their moments.
    """
    with file.open("rb") as source:
        turn: int | None = None
        while lines := [line.rstrip(b"\n") for line in islice(source, _AT_ONCE)]:
            batch = list(_recorded(lines, order, turn))
            turn = batch[-1].at_ms
            yield from batch


def _recorded(lines: Sequence[bytes], order: ReplayOrder, turn: int | None) -> Iterator[RecordedLine]:
    flat = flatten_lines(list(enumerate(lines)))
    broken = {letter.position for letter in flat.dead_letters}
    moments = _moments(flat.frame, order)
    browsers = flat.frame.select(pl.coalesce("anonymous_id", "user_id")).to_series()
    events = zip(moments, browsers, strict=True)
    if turn is None:  # the very first line may be broken
        turn = moments[0] if moments else 0
    for number, line in enumerate(lines):
        if number in broken:
            yield RecordedLine(turn, line, is_event=False)
        else:
            turn, browser = next(events)
            yield RecordedLine(turn, line, browser)


def _moments(events: pl.DataFrame, order: ReplayOrder) -> list[int]:
    times = events["received_at"] if order == "arrival" else event_times(events)
    # An event without a time has that of the one before it, as a broken line has.
    return times.dt.epoch("ms").fill_null(strategy="forward").fill_null(0).to_list()

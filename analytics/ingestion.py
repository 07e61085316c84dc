"""Ingestion: events from sources into a store in a folder, once or for as long as they come."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from analytics.durable.backfill import BACKFILL, Backfill
from analytics.durable.durable_store import DurableStore
from analytics.durable.opening import open_store
from analytics.durable.recovery import Recovery
from analytics.durable.settings import StoreSettings
from analytics.durable.side_file import AGAIN
from analytics.errors import AnalyticsError, EventFileError
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.io.position import Offset, SourceBatch, SourcePosition
from analytics.io.reading import EventFormat, located
from analytics.io.recognition import description, shown
from analytics.sources.opening import OpenSources
from analytics.sources.source import Source
from analytics.store.clock_guard import ClockGuard, SteadyClock
from analytics.store.counts import Counts
from analytics.store.quarantine import Quarantine

DEFAULT_BATCH: Final = 50_000
"""Events in a batch, by default."""

# Seconds between two acknowledgements to the sources, where each costs a flush to the disk.
_ACKNOWLEDGE_S: Final = 2.0

# Dead letters that are kept in memory until a usable event comes.
_MOST_HELD: Final = 100_000
# Of these, how many show what the source looks like.
_LOOKED_AT: Final = 10
# Of no source: what waited was read long ago.
_CONFIRMED: Final = SourcePosition(f"{AGAIN}confirmed", {})

Acknowledged = Callable[[SourceBatch, Counts], None]
"""Called with each batch, once it is safe, and the counts of its events."""


@dataclass(frozen=True)
class Ingested:
    """The result of :func:`ingest`.

    Args:
        counts: Counts of this time.
        store_counts: Counts of all that the store has ever received.
        recovery: What was replayed when the store was opened.
        offsets: How far each source has been read.
        was_stopped: Whether ``stop`` was set before the end of the sources.
        invalid_by_reason: Dead letters of this time by reason.
        was_backfill: Whether the events were sorted first.
        empty: Files given by name of which no line or record has ever been read.
        sole_device: The only device with events in the window, where more events are late than are there.
        counts_again: Counts of the events that were taken in again: they had been far ahead, and others confirmed them.
        stream_time: Stream time of the store.
        notes: What was not read of the sources, such as last lines that are not complete yet, and of clocks that jump.
    """

    counts: Counts
    store_counts: Counts
    recovery: Recovery
    offsets: Mapping[str, Offset]
    was_stopped: bool
    invalid_by_reason: Mapping[DeadLetterReason, int] = field(default_factory=dict)
    was_backfill: bool = False
    empty: tuple[str, ...] = ()
    sole_device: str | None = None
    counts_again: Counts = field(default_factory=Counts)
    stream_time: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for a reader of the counts."""
        of_times = (*self._impossible_times(), *self._far_ahead(), *self._late_events())
        return (*self.recovery.warnings, *self.notes, *self._nothing_used(), *of_times)

    def _nothing_used(self) -> Iterator[str]:
        if not self.store_counts.received and not self.notes:
            yield "nothing was read: the sources hold no events"
        elif self.counts.received and self.counts.invalid == self.counts.received:
            yield f"none of {self.counts.received:,} events could be used"
        if self.store_counts.received and self.empty:
            yield f"nothing was read from {shown(self.empty)}: no events there"

    def _impossible_times(self) -> Iterator[str]:
        if n := self.invalid_by_reason.get(DeadLetterReason.IMPOSSIBLE_TIME, 0):
            yield f"{n:,} events have times far from all others: a wrong clock set them; they are in no figure"

    def _far_ahead(self) -> Iterator[str]:
        waiting = self.invalid_by_reason.get(DeadLetterReason.FAR_AHEAD, 0) - self.counts_again.received
        if waiting > 0:
            yield (
                f"far ahead of all others, which would then be late: {waiting:,} (far_ahead); they wait until others "
                "confirm that time; `funnelsim reprocess --store DIR --from dead-letters --reason far_ahead` takes "
                "them as they are, which moves stream time to theirs"
            )

    def _late_events(self) -> Iterator[str]:
        n, n_usable = self.counts.late, self.counts.received - self.counts.invalid
        if not n or self.was_backfill:
            return
        ahead = f", where only {self.sole_device!r} has events: its clock may be ahead" if self.sole_device else ""
        why = f"their hours had left the window{ahead}; they are kept in late.ndjson"
        late = f"{n:,} of {n_usable:,} events are late, as {why}"
        backfill = "if this is history, ingest it into a new folder with --backfill"
        if self.stream_time is None or n <= n_usable / 2:
            yield f"{late}; {backfill}"
            return
        yield (
            f"{late}; stream time is {self.stream_time:%Y-%m-%d %H:%M}: if a wrong clock moved it there, `funnelsim "
            "rewind --store DIR --to TIME` sets it back and then `funnelsim reprocess --store DIR --from late` takes "
            f"them in; {backfill}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            **asdict(self.counts),
            "invalid_by_reason": {str(reason): n for reason, n in self.invalid_by_reason.items()},
            "warnings": list(self.warnings),
            "again": asdict(self.counts_again),
            "store": asdict(self.store_counts),
            "recovery": asdict(self.recovery),
            "offsets": {name: _shown(offset) for name, offset in self.offsets.items()},
            "was_stopped": self.was_stopped,
        }


def ingest(
    names: Sequence[str],
    folder: Path,
    settings: StoreSettings | None = None,
    *,
    n_events: int = DEFAULT_BATCH,
    follow: bool = False,
    live: bool = False,
    backfill: bool = False,
    form: EventFormat | None = None,
    stop: threading.Event | None = None,
    acknowledged: Acknowledged | None = None,
) -> Ingested:
    r"""Ingest each source from its offset in the store, and make a checkpoint at the end.

    Args:
        names: Sources, read one after the other; see :func:`analytics.sources.opening.open_source`. Of a folder all
            files of events are read, and of a pattern such as ``logs/*.ndjson`` all that match.
        folder: Folder of the store; it is created if need be.
        settings: How the store is to be kept.
        n_events: Events in a batch, at most.
        follow: Whether to wait for more at the end of what can grow, and for new files in folders and of patterns.
        live: Whether events come as they happen. Events without ``receivedAt`` then arrive when they are read, or, from
            Kafka, at the timestamps of their messages; so no device's clock moves the window.
        backfill: Whether the sources are history, in any order: their events are sorted by hour before the store takes
            them, with few in memory at a time. After an interruption, run it again with the same sources.
        form: What is known of the files beforehand, such as their format; recognised by default.
        stop: Set it to end; the current batch is finished.
        acknowledged: Called with each batch of a source.

    Raises:
        EventFileError: A source cannot be read, or new sources hold nothing usable. What was read before is in the
            store; of sources without a usable event nothing is.
        StoreError: The store cannot be opened, or not be written to, or is past the history that is to be backfilled.
        AnalyticsError: A backfill is to be live, or to be followed, or a batch is to be of no possible size.

    >>> import tempfile
    >>> page = '{{"type": "page", "messageId": "{0}", "anonymousId": "a", "timestamp": "2026-03-{0}T10:00:00Z"}}'
    >>> with tempfile.TemporaryDirectory() as place:
    ...     path = Path(place) / "events.ndjson"
    ...     _ = path.write_text("\n".join(map(page.format, (30, 10, 20))))
    ...     ingest([str(path)], Path(place) / "store", backfill=True).counts.accepted
    3
    """
    if backfill and (live or follow):
        wrong = f"cannot be {'live' if live else 'followed'}"
        raise AnalyticsError(f"a backfill is of the past, and {wrong}: backfill first, then ingest without it")
    stop = stop or threading.Event()
    with ExitStack() as open_sources:
        clock = SteadyClock(partial(datetime.now, UTC)) if live else None
        sources = open_sources.enter_context(OpenSources(names, n_events, stop, clock, form, follow=follow))
        with open_store(folder, settings) as store:
            before = _result(store)
            acknowledger = _Acknowledger(store, sources.opened, settings or StoreSettings())
            if backfill:
                batches = _sorted(sources, store, stop, open_sources)
            else:
                batches = _checked(sources.batches(store.offsets), store, is_one=sources.is_one)
            for batch in batches if follow else _usable(batches, sources.opened, store.offsets, names):
                counts = _taken(batch, store)
                acknowledger.acknowledge_if_due()
                if acknowledged is not None and not batch.again:
                    acknowledged(batch, counts)
                if stop.is_set():
                    break
            store.checkpoint()
            acknowledger.acknowledge()
            # A backfill sorts events into files of its own, and has no offsets of its sources.
            empty = () if backfill or stop.is_set() else _unread(names, store.offsets, sources.notes)
            done = replace(_result(store, before), was_stopped=stop.is_set(), was_backfill=backfill)
            return replace(done, empty=empty, notes=(*sources.notes, *(clock.notes if clock else ())))


def _shown(offset: Offset) -> dict[str, int]:
    """What of an offset says something to a reader, and is the same on every machine."""
    return {key: n for key, n in offset.items() if key not in {"inode", "after"}}


def _unread(names: Sequence[str], offsets: Mapping[str, Offset], notes: Sequence[str]) -> tuple[str, ...]:
    """The files among sources that have no offset, as nothing was ever read from them; the notes say of some why."""
    files = [name for name in names if Path(name).is_file() and str(Path(name).resolve()) not in offsets]
    return tuple(file for file in files if not any(note.startswith(f"{Path(file)}: ") for note in notes))


def _result(store: DurableStore, before: Ingested | None = None) -> Ingested:
    """What a store has taken, and what of that since an earlier result."""
    counts, again, invalid = store.counts, store.counts_again, Counter(store.dead_letter_counts)
    if before is not None:
        counts, again = counts - before.store_counts, again - before.counts_again
        invalid -= Counter(before.invalid_by_reason)
    offsets = {name: offset for name, offset in store.offsets.items() if not name.startswith((BACKFILL, AGAIN))}
    device = _sole_device(store, counts.late)
    done = Ingested(counts, store.counts, store.recovery, offsets, was_stopped=False, invalid_by_reason=invalid)
    return replace(done, sole_device=device, counts_again=again, stream_time=store.stream_time)


def _sole_device(store: DurableStore, n_late: int) -> str | None:
    """The only device with events in the window, where more are late: its clock may have moved the window."""
    if n_late <= store.hourly()["n_events"].sum():
        return None
    devices = store.events().select(pl.coalesce("anonymous_id", "user_id").unique()).to_series()
    return str(devices[0]) if len(devices) == 1 else None


def _taken(batch: SourceBatch, store: DurableStore) -> Counts:
    return store.append_flattened(batch.events, batch.position, arrived_at=batch.arrived_at, again=batch.again)


def _sorted(
    sources: OpenSources, store: DurableStore, stop: threading.Event, stack: ExitStack
) -> Iterator[SourceBatch]:
    """Sort history by hour; temporary files go with the stack."""
    return stack.enter_context(closing(Backfill(sources.opened, store, stop.is_set))).batches()


def _checked(batches: Iterator[SourceBatch], store: DurableStore, *, is_one: bool) -> Iterator[SourceBatch]:
    """Let no wrong clock move the window, and have dead letters say their source, where there are several."""
    guard = ClockGuard(store.stream_time, store.counts.accepted)
    quarantine = Quarantine(store.stream_time, store.n_accepted, store.window_hours, store.dead_letters)
    for batch in batches:
        # Among several sources a number alone would not say which dead letter it is.
        events = batch.events if is_one else located(batch.events, batch.position.source)
        events = guard.checked(events, batch.arrived_at)
        if batch.arrived_at is not None:
            yield replace(batch, events=events)
            continue
        before, events, after = quarantine.checked(events)
        if before is not None:
            yield SourceBatch(before, _CONFIRMED, again=True)
        yield replace(batch, events=events)
        if after is not None:
            yield SourceBatch(after, _CONFIRMED, again=True)


def _usable(
    batches: Iterator[SourceBatch], sources: Sequence[Source], offsets: Mapping[str, Offset], names: Sequence[str]
) -> Iterator[SourceBatch]:
    """Pass on batches as soon as there is a usable event, so that nothing is stored of what is none at all.

    Args:
        batches: The batches.
        sources: The sources; if one of them cannot be refused, all batches are passed on.
        offsets: How far sources have been read before; what is not new was usable once.
        names: Sources, for the message.

    Raises:
        EventFileError: There was none.
    """
    if not all(source.can_be_refused for source in sources):
        yield from batches
    held: list[SourceBatch] = []
    for batch in batches:
        held.append(batch)
        is_known = batch.position.source in offsets or batch.again
        # What waits is usable.
        is_known |= any(letter.reason is DeadLetterReason.FAR_AHEAD for letter in batch.events.dead_letters)
        if is_known or batch.events.frame.height or sum(len(each.events.dead_letters) for each in held) > _MOST_HELD:
            yield from held
            yield from batches
            return
    letters = [letter for batch in held for letter in batch.events.dead_letters]
    if letters:
        raise EventFileError(f"{shown(names)}: {_unusable(letters)}")
    yield from held


def _unusable(letters: Sequence[DeadLetter]) -> str:
    """Why no event is usable: the fault of the first, what all look like, and what to do."""
    looks_like = description(b"\n".join(letter.raw for letter in letters[:_LOOKED_AT]))
    parts = (f"none of {len(letters):,} events is usable", letters[0].detail, looks_like)
    return "; ".join(part for part in parts if part)


class _Acknowledger:
    """Acknowledges to the sources what they need not keep: only what not even a power cut can undo."""

    def __init__(self, store: DurableStore, sources: Sequence[Source], settings: StoreSettings) -> None:
        self._store = store
        self._sources = sources
        self._is_cheap = settings.fsync == "always"
        self._last = time.monotonic()

    def acknowledge_if_due(self) -> None:
        """Acknowledge, unless that needs a flush and was done just now."""
        if self._is_cheap or time.monotonic() - self._last >= _ACKNOWLEDGE_S:
            self.acknowledge()

    def acknowledge(self) -> None:
        """Flush the store, and acknowledge to each source how far it is safe."""
        self._store.sync()
        for source in self._sources:
            source.acknowledge(self._store.offsets)
        self._last = time.monotonic()

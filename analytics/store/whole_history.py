"""Events of the past, judged together: no window, so that none is late and no identifier is forgotten."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from math import inf
from pathlib import Path
from typing import Final

import polars as pl

from analytics.events.dead_letters import DeadLetter
from analytics.events.enrichment import with_derived
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import Flattened
from analytics.store.counts import Counts, StoreCounters
from analytics.store.deliveries import contents, duplicate_or_conflict, with_event_time
from analytics.store.hour import IN_ORDER
from analytics.store.intake import JudgedEvents
from analytics.store.seen_ids import Verdict
from analytics.store.spill import temporary_folder, write_part

_SKEW_MS: Final = 60_000

_N_PARTS: Final = 64
"""Parts of events that do not fit into memory: of a hundred million, each has a million and a half."""

_ROWS_AT_ONCE: Final = 500_000
"""Events that are cut into parts at a time."""

_PART: Final = "part of the history"


class WholeHistory(JudgedEvents):
    r"""All events of files of the past, deduplicated, whatever the time between them.

    The rules are those of :mod:`analytics.store.event_store` without the window: rules 3, 4 and 6 do not apply. Of
    deliveries with one identifier the first to arrive counts, and of those that arrived together the first given.

    Args:
        batches: Usable events and dead letters, in any order of arrival. A stream comes in order; files do not: the
            pages of a month, then its demo requests.
        most_in_memory: More events than that go to temporary files, which last as long as this object; none unless
            given.

    Raises:
        SpillError: They cannot be written there.

    >>> from analytics import decode
    >>> page = '{{"type": "page", "messageId": "{}", "anonymousId": "a", "timestamp": "2026-03-{}T10:00:00Z"}}'
    >>> lines = [page.format(*each) for each in (("m1", 30), ("m2", "03"), ("m1", 30))]
    >>> history = WholeHistory([decode("\n".join(lines).encode())])
    >>> history.counts.accepted, history.counts.duplicate, history.counts.late
    (2, 1, 0)
    """

    def __init__(self, batches: Iterable[Flattened], most_in_memory: int | None = None) -> None:
        letters, ignored_times, deliveries = list[DeadLetter](), Counter[str](), _Deliveries(most_in_memory)
        for batch in batches:
            deliveries.append(batch.frame)
            letters.extend(batch.dead_letters)
            ignored_times.update(batch.ignored_times)
        self.dead_letters = deque(letters)
        self._counters = StoreCounters(
            Counts(received=len(letters), invalid=len(letters)),
            invalid_by_reason=Counter(letter.reason for letter in letters),
            ignored_times=ignored_times,
        )
        self._accepted: list[pl.LazyFrame] = []
        for part in deliveries.parts():
            accepted, counters = _judged(part)
            self._counters += counters
            self._accepted.append(deliveries.keep(accepted))
        # Their files last as long as this object.
        self._deliveries = deliveries

    def _counted(self) -> StoreCounters:
        return self._counters

    def events(self) -> pl.DataFrame:
        """Return all accepted events, enriched, in order of event time and, within that, of identifier."""
        return with_derived(pl.concat(self._accepted).collect()).sort(IN_ORDER)

    def scan(self) -> list[pl.LazyFrame]:
        """All accepted events, flat with their ``event_time``, in no order; tables to be read one after the other."""
        return self._accepted


class _Deliveries:
    """Deliveries of events: in memory, or in files, with all of one identifier in the same part.

    Args:
        most_in_memory: As for :class:`WholeHistory`.
    """

    def __init__(self, most_in_memory: int | None) -> None:
        self._most = inf if most_in_memory is None else most_in_memory
        self._waiting, self._n_waiting = [EVENT_SCHEMA.to_frame()], 0
        self._n_files = 0
        self._folder: Path | None = None

    def append(self, events: pl.DataFrame) -> None:
        """Add flat events."""
        self._waiting.append(events)
        self._n_waiting += events.height
        if self._n_waiting > (self._most if self._folder is None else min(self._most, _ROWS_AT_ONCE)):
            self._write()

    def parts(self) -> Iterator[pl.DataFrame]:
        """Yield the deliveries of each part by arrival; of one moment, in the order in which they were added."""
        if self._folder is None:
            waiting, self._waiting = pl.concat(self._waiting), []
            yield waiting.sort("received_at", maintain_order=True)
            return
        self._write()
        for number in range(_N_PARTS):
            files = sorted(self._folder.glob(f"{number:02}-*.parquet"))
            part = pl.concat([EVENT_SCHEMA.to_frame(), *map(pl.read_parquet, files)])
            yield part.sort("received_at", maintain_order=True)
            for file in files:
                file.unlink()

    def keep(self, accepted: pl.DataFrame) -> pl.LazyFrame:
        """Keep the accepted events of a part where its deliveries were."""
        if self._folder is None:
            return accepted.lazy()
        path = self._new_file("accepted")
        write_part(accepted, path)
        return pl.scan_parquet(path)

    def _write(self) -> None:
        """Write what is waiting, each part to a file of its own."""
        if self._folder is None:
            self._folder = temporary_folder(self)
        # No result depends on which part an event is in, so the hash may differ between versions of Polars.
        number = (pl.col("message_id").hash() % _N_PARTS).alias(_PART)
        for rows in pl.concat(self._waiting).iter_slices(_ROWS_AT_ONCE):
            of_rows = rows.with_columns(number).partition_by(_PART, as_dict=True, include_key=False)
            for (part,), events in of_rows.items():
                write_part(events, self._new_file(f"{part:02}"))
        self._waiting, self._n_waiting = [EVENT_SCHEMA.to_frame()], 0

    def _new_file(self, name: str) -> Path:
        assert self._folder is not None  # noqa: S101 - made with the first file
        self._n_files += 1
        return self._folder / f"{name}-{self._n_files:06}.parquet"


def _judged(deliveries: pl.DataFrame) -> tuple[pl.DataFrame, StoreCounters]:
    """The accepted events, with their times, of deliveries in order of arrival, and the counts of all."""
    events, n_future = with_event_time(deliveries, _SKEW_MS)
    is_first = deliveries["message_id"].is_first_distinct()
    n_duplicate, n_conflict = _redelivered(deliveries, is_first)
    accepted = events.filter(is_first)
    return accepted, StoreCounters(
        Counts(deliveries.height, accepted.height, duplicate=n_duplicate, conflict=n_conflict),
        accepted_by_type=Counter(dict(accepted["type"].cast(pl.String).value_counts().iter_rows())),
        n_future=n_future,
    )


def _redelivered(deliveries: pl.DataFrame, is_first: pl.Series) -> tuple[int, int]:
    """How many deliveries repeat the first one with their identifier, and how many conflict with it."""
    again = deliveries.filter(~is_first)
    firsts = deliveries.filter(is_first & deliveries["message_id"].is_in(again["message_id"].unique().implode()))
    before = again.select("message_id").join(firsts, on="message_id", how="left", maintain_order="left")
    verdicts = duplicate_or_conflict(contents(again), contents(before))
    n_duplicate = int((verdicts == Verdict.DUPLICATE).sum())
    return n_duplicate, len(verdicts) - n_duplicate

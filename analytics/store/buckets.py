"""Hour buckets as readers get them, and the revisions of their reports."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import polars as pl

from analytics.events.times import HOUR_MS, moment
from analytics.events.tracking_plan import UTC_MS
from analytics.store.hour import HourEvents


@dataclass(frozen=True)
class HourBucket:
    """The accepted events of one hour: from ``start``, included, to an hour later, excluded.

    Args:
        start: Beginning of the hour, UTC.
        n_events: Events of any kind, bots' included.
        n_page_views: Of these, `page` calls.
        n_demo_requests: Of these, `track` calls named Demo Requested.
        revision: Earlier reports of this hour with other counts; reports of one revision are the same.
        final: Whether the hour has left the window, so that it gets no more events.
    """

    start: datetime
    n_events: int
    n_page_views: int
    n_demo_requests: int
    revision: int = 0
    final: bool = False
    _hour: HourEvents = field(default_factory=HourEvents, repr=False, compare=False)

    @property
    def events(self) -> pl.DataFrame:
        """The events, enriched, in order of event time and identifier; read when they are asked for."""
        return self._hour.events()

    def parts(self, n: int) -> Iterator[pl.DataFrame]:
        """The same in some parts, one after the other, for an hour that does not fit into memory.

        Args:
            n: How many parts of the hour's time there are.
        """
        return self._hour.parts(n)

    @property
    def flat(self) -> pl.DataFrame:
        """The events in the same order, flat with their ``event_time``; quicker than :attr:`events`."""
        return self._hour.flat()

    @classmethod
    def flat_of(cls, buckets: Sequence[HourBucket]) -> Iterator[pl.DataFrame]:
        """The same of several hours, which is quicker for all of them together."""
        HourEvents.make_whole(bucket._hour for bucket in buckets)  # noqa: SLF001 - of its own class
        return (bucket.flat for bucket in buckets)

    def without_events(self) -> HourBucket:
        """The same counts, without a reference to the events, so that their memory can be released."""
        return replace(self, _hour=HourEvents())


HOURLY_SCHEMA: Final = pl.Schema(
    {
        "hour": UTC_MS,
        "n_events": pl.UInt32(),
        "n_page_views": pl.UInt32(),
        "n_demo_requests": pl.UInt32(),
        "revision": pl.UInt32(),
        "final": pl.Boolean(),
        "partial": pl.Boolean(),
    }
)
"""Columns of :meth:`analytics.EventStore.hourly`, one row an hour."""


class HourReports:
    """The latest report of each hour, from which its revisions are numbered.

    The first report of an hour is revision 0. A report with other counts than the one before has the next number,
    whether one event came in between or a thousand, in one batch or many. So reports of one revision are the same.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, int]] = {}
        self._final: dict[int, HourBucket] = {}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HourReports:
        """Reports from the data of :meth:`to_dict`."""
        reports = cls()
        reports._last = {hour: (n_events, revision) for hour, n_events, revision in data["last"]}
        reports._final = {hour: HourBucket(moment(hour), *rest) for hour, *rest in data["final"]}
        return reports

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the inverse of :meth:`from_dict`."""
        last = [[hour, n_events, revision] for hour, (n_events, revision) in sorted(self._last.items())]
        numbers = ("n_events", "n_page_views", "n_demo_requests", "revision", "final")
        final = [[hour, *(getattr(bucket, name) for name in numbers)] for hour, bucket in sorted(self._final.items())]
        return {"last": last, "final": final}

    def revision(self, hour: int, n_events: int) -> int:
        """Record that an hour is reported now, and return the number of its revision.

        Args:
            hour: Its beginning, in epoch milliseconds.
            n_events: Events in it. An hour never loses events, so it has changed if and only if their number has.
        """
        # A first report is compared with itself, and so is revision 0.
        reported, revision = self._last.get(hour, (n_events, 0))
        revision += n_events != reported
        self._last[hour] = n_events, revision
        return revision

    def close(self, hour: int, bucket: HourBucket) -> None:
        """Keep the final report of an hour that has left the window, without its events."""
        self._final[hour] = bucket.without_events()

    def final(self, hour: int) -> HourBucket | None:
        """The final report of an hour, or None where nothing was in it."""
        return self._final.get(hour)

    def forget_before(self, window_start: int, oldest_final: int) -> None:
        """Drop reports of hours before the window, and final reports of hours before ``oldest_final``."""
        self._last = {hour: last for hour, last in self._last.items() if hour >= window_start}
        self._final = {hour: bucket for hour, bucket in self._final.items() if hour >= oldest_final}


def hourly_table(buckets: Iterable[HourBucket], partial: Container[datetime] = ()) -> pl.DataFrame:
    """Table of hours, one row each, with the columns of ``HOURLY_SCHEMA``; ``partial`` has the starts of such hours."""
    rows = [
        (
            each.start,
            each.n_events,
            each.n_page_views,
            each.n_demo_requests,
            each.revision,
            each.final,
            each.start in partial,
        )
        for each in buckets
    ]
    return pl.DataFrame(rows, schema=HOURLY_SCHEMA, orient="row")


def partly_seen(known: Sequence[HourBucket], stream_ms: int | None, n_accepted: int) -> set[datetime]:
    """Starts of the hours that a store has seen in part only: the current one, and the first and all before it.

    Args:
        known: Hours in order, up to the current one.
        stream_ms: Stream time in epoch milliseconds.
        n_accepted: Events that the store has ever accepted.
    """
    current = {known[-1].start} if stream_ms is not None and (stream_ms + 1) % HOUR_MS else set[datetime]()
    filled = [each.start for each in known if each.n_events]
    # Otherwise the first event has left before these hours, which have then been seen from their beginnings.
    is_all = sum(each.n_events for each in known) == n_accepted
    return current | ({each.start for each in known if each.start <= filled[0]} if is_all and filled else set())

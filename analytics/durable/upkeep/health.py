"""Health of a store: what a monitor watches, and the reasons for an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from analytics.durable.recovery import Recovery
from analytics.store.event_store import EventStore

# A larger share of late or invalid events is an alarm.
_MOST_UNUSED: Final = 0.5


@dataclass(frozen=True)
class Health:
    """Health of a store.

    Args:
        problems: Reasons for an alarm, a sentence each; none of a healthy store.
        events_per_hour: Accepted events of the last hour that is whole, by event time; None before there is one.
        late_share: Events that came late, among those received.
        invalid_share: Events that came invalid, among those received.
        unused_share: Those of both that were not taken in again, among those received.
        backlog_bytes: Bytes of each file among the sources that are not yet read, where there are some.
        lag_s: Seconds by which stream time is behind the time that was given; None where none was.
    """

    problems: tuple[str, ...] = ()
    events_per_hour: int | None = None
    late_share: float = 0.0
    invalid_share: float = 0.0
    unused_share: float = 0.0
    backlog_bytes: dict[str, int] | None = None
    lag_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"status": "degraded" if self.problems else "ok", **asdict(self)}


def health_of(
    store: EventStore, recovery: Recovery, *, now: datetime | None = None, max_lag: timedelta | None = None
) -> Health:
    """Return the health of a store.

    Args:
        store: What was read of it.
        recovery: What was replayed when it was read.
        now: The present, if lag matters.
        max_lag: The longest lag that is no alarm.

    >>> health_of(EventStore(), Recovery(n_bytes_doubtful=512)).to_dict()["status"]
    'degraded'
    """
    counts, hours = store.counts, store.hourly().filter(~pl.col("partial"))
    taken = store.counts_again.received - store.counts_again.late - store.counts_again.invalid
    lag = None if now is None or store.stream_time is None else now - store.stream_time
    health = Health(
        events_per_hour=int(hours["n_events"][-1]) if hours.height else None,
        late_share=counts.late / max(1, counts.received),
        invalid_share=counts.invalid / max(1, counts.received),
        unused_share=max(0, counts.late + counts.invalid - taken) / max(1, counts.received),
        backlog_bytes=_backlog(store),
        lag_s=None if lag is None else lag.total_seconds(),
    )
    problems = (*recovery.warnings, *_problems(health), *_lagging(lag, now, max_lag))
    return replace(health, problems=problems)


def _problems(health: Health) -> Iterator[str]:
    if health.unused_share > _MOST_UNUSED:
        yield (
            f"{health.unused_share:.0%} of all events are late or invalid ({health.late_share:.0%} came late, "
            f"{health.invalid_share:.0%} invalid), and were not taken in again"
        )


def _lagging(lag: timedelta | None, now: datetime | None, max_lag: timedelta | None) -> Iterator[str]:
    if max_lag is None:
        return
    if lag is None and now is not None:
        yield "no event has come yet"
    elif lag is not None and lag > max_lag:
        most = max_lag.total_seconds()
        yield f"stream time is {lag.total_seconds():,.0f} seconds behind; at most {most:,.0f} are allowed"


def _backlog(store: EventStore) -> dict[str, int]:
    """Bytes of plain files that are not yet read; of a gzipped one the offset is that of its content."""
    found = {}
    for name, offset in store.offsets.items():
        path = Path(name)
        if "bytes" in offset and path.suffix != ".gz" and path.is_file():
            found[name] = max(0, path.stat().st_size - offset["bytes"])
    return {name: n for name, n in found.items() if n}

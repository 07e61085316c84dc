"""Events of the past, judged together: no window, so that none is late and no identifier is forgotten."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

import polars as pl

from analytics.events.enrichment import with_derived
from analytics.io.flatten import Flattened
from analytics.store.counts import Counts, StoreCounters
from analytics.store.deliveries import contents, duplicate_or_conflict, with_event_time
from analytics.store.intake import JudgedEvents
from analytics.store.seen_ids import Verdict

_SKEW_MS: Final = 60_000


class WholeHistory(JudgedEvents):
    r"""All events of files of the past, deduplicated, whatever the time between them.

    The rules are those of :mod:`analytics.store.event_store` without the window: rules 3, 4 and 6 do not apply. Of
    deliveries with one identifier the first one counts.

    Args:
        batch: All usable events, in order of arrival, and the dead letters.

    >>> from analytics import decode
    >>> page = '{{"type": "page", "messageId": "{}", "anonymousId": "a", "timestamp": "2026-03-{}T10:00:00Z"}}'
    >>> lines = [page.format(*each) for each in (("m1", 30), ("m2", "03"), ("m1", 30))]
    >>> history = WholeHistory(decode("\n".join(lines).encode()))
    >>> history.counts.accepted, history.counts.duplicate, history.counts.late
    (2, 1, 0)
    """

    def __init__(self, batch: Flattened) -> None:
        events, n_future = with_event_time(batch.frame, _SKEW_MS)
        is_first = batch.frame["message_id"].is_first_distinct()
        n_duplicate, n_conflict = _redelivered(batch.frame, is_first)
        self._accepted = events.filter(is_first)
        self.dead_letters = deque(batch.dead_letters)
        self._counters = StoreCounters(
            counts=Counts(
                received=batch.n_received,
                accepted=self._accepted.height,
                duplicate=n_duplicate,
                conflict=n_conflict,
                invalid=len(batch.dead_letters),
            ),
            accepted_by_type=Counter(dict(self._accepted["type"].cast(pl.String).value_counts().iter_rows())),
            invalid_by_reason=Counter(letter.reason for letter in batch.dead_letters),
            n_future=n_future,
            ignored_times=Counter(batch.ignored_times),
        )

    def _counted(self) -> StoreCounters:
        return self._counters

    def events(self) -> pl.DataFrame:
        """Return all accepted events, enriched, in order of event time and, within that, of identifier."""
        return with_derived(self._accepted).sort("event_time", "message_id")


def _redelivered(deliveries: pl.DataFrame, is_first: pl.Series) -> tuple[int, int]:
    """How many deliveries repeat the first one with their identifier, and how many conflict with it."""
    again = deliveries.filter(~is_first)
    firsts = deliveries.filter(is_first & deliveries["message_id"].is_in(again["message_id"].unique().implode()))
    before = again.select("message_id").join(firsts, on="message_id", how="left", maintain_order="left")
    verdicts = duplicate_or_conflict(contents(again), contents(before))
    n_duplicate = int((verdicts == Verdict.DUPLICATE).sum())
    return n_duplicate, len(verdicts) - n_duplicate

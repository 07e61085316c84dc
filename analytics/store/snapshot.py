"""The state of an event store, taken from one store and given to a new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from analytics.events.dead_letters import DeadLetter
from analytics.io.position import Offset
from analytics.store.deliveries import REDELIVERIES_SCHEMA


@dataclass(frozen=True, eq=False)
class StoreSnapshot:
    """The state of an event store; which identifiers it remembers follows from the events.

    Args:
        summary: Stream time, counts and revisions, as plain data that JSON can hold.
        redeliveries: What was delivered again; see :meth:`analytics.store.deliveries.Redeliveries.table`.
        events: Accepted events, flat with their ``event_time``, in any order and number of tables.
        dead_letters: The latest dead letters.
        offsets: How far each source has been read, by its name.
    """

    summary: Mapping[str, Any]
    redeliveries: pl.DataFrame = field(default_factory=REDELIVERIES_SCHEMA.to_frame)
    events: Iterable[pl.DataFrame] = ()
    dead_letters: Iterable[DeadLetter] = ()
    offsets: Mapping[str, Offset] = field(default_factory=dict)

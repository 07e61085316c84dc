"""How far a source of events has been read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from analytics.io.flatten import Flattened

Offset = Mapping[str, int]
"""How far a source has been read: named numbers, such as ``bytes`` and ``lines``, which only the source interprets."""


@dataclass(frozen=True)
class SourcePosition:
    """Position of a source after a batch.

    Args:
        source: Name of the source.
        offset: How far it has been read, this batch included.
        others: How far other sources have been read, which is stored together with it.
    """

    source: str
    offset: Offset
    others: Mapping[str, Offset] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SourceBatch:
    """A batch of events and the position of its source after it.

    Args:
        events: The events, and the dead letters among them.
        position: Position of the source after them.
        arrived_at: When they arrived, of a live source.
        again: Whether they came before, and could not be used then.
    """

    events: Flattened
    position: SourcePosition
    arrived_at: datetime | None = None
    again: bool = False

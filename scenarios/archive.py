"""Events from files, put in the order in which they once arrived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from analytics.events.dead_letters import DeadLetter
from analytics.events.event_names import renamed
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import Flattened
from analytics.io.row_validation import usable_events

__all__ = ["Archive"]

_ROWS_AT_ONCE: Final = 100_000


class Archive:
    """Takes events in as a store does, and puts off judging them until all are there.

    A stream comes in order of arrival, files come as somebody named them: the pages of a month, then its demo requests.
    A store that took them in as they come would find most of the second file late.

    Args:
        event_names: The tracking plan's names for foreign ones.
    """

    def __init__(self, event_names: Mapping[str, str] | None = None) -> None:
        self._event_names = event_names or {}
        self._frames = [EVENT_SCHEMA.to_frame()]
        self._letters: list[DeadLetter] = []
        self._rows_before = 0

    def begin_file(self) -> None:
        """Count the rows of tables from 1 again."""
        self._rows_before = 0

    def append(self, events: pl.DataFrame) -> None:
        """Take a batch of a table's rows; dead letters get their row's number in the whole table."""
        n_letters = len(self._letters)
        self.append_flattened(usable_events(events))
        self._letters[n_letters:] = (
            replace(letter, position=self._rows_before + (letter.position or 0)) for letter in self._letters[n_letters:]
        )
        self._rows_before += events.height

    def append_flattened(self, batch: Flattened) -> None:
        """Keep a batch for later."""
        self._frames.append(renamed(batch.frame, self._event_names))
        self._letters.extend(batch.dead_letters)

    @property
    def fault(self) -> str:
        """Why nothing can be made of these files; empty if something can."""
        if any(frame.height for frame in self._frames):
            return ""
        if not self._letters:
            return "holds no events"
        return f"holds no usable event; line {self._letters[0].position}: {self._letters[0].detail}"

    def in_order_of_arrival(self) -> Iterator[Flattened]:
        """Give out the dead letters, and then the events by arrival; what arrived at one time, as it was read."""
        yield Flattened(EVENT_SCHEMA.to_frame(), tuple(self._letters))
        events = pl.concat(self._frames).sort("received_at", maintain_order=True)
        yield from map(Flattened, events.iter_slices(_ROWS_AT_ONCE))

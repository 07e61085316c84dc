"""Timeline of a visitor: everything that happened, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from simulator.agents.visit import Page, Visit
from simulator.engine.clock import Clock


@dataclass(frozen=True)
class Timeline:
    """What a visitor did, in order; printed as text, and as a table in a notebook.

    Attributes:
        title: Who the visitor is.
        rows: Time in UTC, number of the visit, and what happened.
    """

    title: str
    rows: Sequence[tuple[datetime, int, str]]

    @classmethod
    def of(cls, title: str, visits: Sequence[Visit], pages: Sequence[Page], clock: Clock) -> Timeline:
        """Timeline of some visits.

        Args:
            title: Who the visitor is.
            visits: The visits.
            pages: Pages of the site, by index.
            clock: Start of the simulation.
        """
        found = sorted(
            (time_ms, visit.number, place, what)
            for visit in visits
            for place, (time_ms, what) in enumerate(_acts_of(visit, pages))
        )
        return cls(title, [(clock.to_utc(time_ms), number, what) for time_ms, number, _, what in found])

    def __repr__(self) -> str:
        lines = [f"{time:%Y-%m-%d %H:%M:%S}  visit {number}  {what}" for time, number, what in self.rows]
        return "\n".join([self.title, *lines])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{time:%Y-%m-%d %H:%M:%S}</td><td>{number}</td><td>{escape(what)}</td></tr>"
            for time, number, what in self.rows
        )
        head = "<tr><th>Time (UTC)</th><th>Visit</th><th>What happened</th></tr>"
        return f"<table><caption>{escape(self.title)}</caption><thead>{head}</thead><tbody>{cells}</tbody></table>"


def _acts_of(visit: Visit, pages: Sequence[Page]) -> Iterator[tuple[int, str]]:
    """Time in ms and description of everything that happened in a visit."""
    for time_ms, page in zip(visit.times_ms, visit.pages, strict=True):
        yield time_ms, f"viewed {pages[page].name}"
    for view, time_ms in visit.forms:
        yield time_ms, f"submitted the form on {pages[visit.pages[view]].name}"
    for time_ms, event in visit.tracked:
        yield time_ms, event
    if visit.requested:
        yield visit.end_ms, "requested a demo"

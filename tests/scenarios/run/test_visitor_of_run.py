"""A visitor can be looked at after the run: what is shown is what the events hold, whoever was on the clock."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

from scenarios.run.run import Run
from scenarios.scenario import Scenario

CHANGES = {
    "clock.hours": 12,
    "traffic.visitors_per_day": 400,
    "intent.intercept": -2.0,
    "intent.conversion_unit": "visitor",
}


@cache
def run(active_agents: str, use: str = "") -> Run:
    """Half a day with many requests."""
    part = {"components.part": {"use": use}} if use else {}
    return Scenario.load("baseline", {**CHANGES, **part, "active_agents": active_agents}).run()


@pytest.mark.parametrize(
    ("active_agents", "use"), [("all", ""), ("interacting", ""), ("all", "live_chat"), ("interacting", "live_chat")]
)
def test_a_trace_holds_what_the_events_hold(active_agents: str, use: str) -> None:
    """Page views, forms, chats and the request of each visitor, at their times."""
    made = run(active_agents, use)
    requests = set(made.sales.requests["anonymous_id"])
    events = made.events.filter(pl.col("type") == "page").group_by("anonymous_id").agg(pl.col("timestamp").sort())
    times = dict(events.iter_rows())
    # Those who asked, and some who did not.
    people = [*requests, *made.people["person_id"][:20]]
    assert len(requests) > 10
    for person in people:
        rows = made.visitor(person).trace().rows
        assert [time for time, _, what in rows if what.startswith("viewed ")] == times[person]
        assert ("requested a demo" in [what for *_, what in rows]) == (person in requests)


@pytest.mark.parametrize("use", ["", "live_chat"])
def test_a_trace_does_not_depend_on_who_was_on_the_clock(use: str) -> None:
    """With everybody on the clock and with few, each visitor has done the same."""
    everybody, few = run("all", use), run("interacting", use)
    for person in everybody.people["person_id"][:40]:
        assert everybody.visitor(person).trace() == few.visitor(person).trace()


def test_a_visitor_reads_well() -> None:
    """A trace is text, and a table in a notebook; somebody unknown is a clear error."""
    made = run("interacting")
    person = made.people["person_id"][0]
    trace = made.visitor(person).trace()
    assert repr(trace).splitlines()[0].startswith(f"visitor {person}, ")
    assert len(repr(trace).splitlines()) == 1 + len(trace.rows)
    assert trace._repr_html_().count("<tr>") == 1 + len(trace.rows)
    assert repr(made.visitor(person)).startswith(f"<Visitor {person[:8]}")
    with pytest.raises(KeyError, match="there is no visitor 'nobody'"):
        made.visitor("nobody")

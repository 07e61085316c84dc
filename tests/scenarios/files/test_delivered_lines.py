"""Claims about dirty deliveries as lines, in files and in the store."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, strategies as st

from analytics.io.ndjson import decode
from scenarios.files.delivered_lines import broken_lines, delivered_lines
from scenarios.run.run import Run
from scenarios.run.running import simulate
from scenarios.scenario import Scenario
from simulator.tracking.delivery import CollectingSink
from simulator.tracking.faults import CORRUPTIONS

DIRTY = {
    "clock.hours": 4,
    "traffic.visitors_per_day": 3000,
    "tracking": {
        "ad_blocker_rate": 0.3,
        "malformed_rate": 0.05,
        "late_rate": 0.05,
        "duplicate_rate": 0.05,
        "id_collision_rate": 0.03,
        "bots_per_day": 30.0,
    },
}


@pytest.fixture(scope="module")
def received() -> tuple[Run, CollectingSink]:
    """Four hours of dirty tracking, and what the collector received."""
    sink = CollectingSink()
    return simulate(Scenario(name="dirty").replace(DIRTY), sinks=[sink]), sink


@given(st.sampled_from(CORRUPTIONS), st.floats(0, 1, exclude_max=True))
def test_a_broken_line_is_never_an_event(damage: str, place: float) -> None:
    """Wherever a line is cut or garbled, something is left of it, one line, which no reader takes for an event."""
    event = {"type": "page", "anonymous_id": "a", "message_id": "m", "name": "Größe \n ✓"}
    (line,) = broken_lines(pl.DataFrame([{**event, "damage": damage, "place": place}]))
    read = decode(line)
    assert line.strip()
    assert b"\n" not in line
    assert (read.frame.height, len(read.dead_letters)) == (0, 1)


def test_lines_are_in_order_of_arrival(received: tuple[Run, CollectingSink]) -> None:
    """Among the lines of a delivery each broken one follows as many events as arrived before it; none is lost."""
    _, sink = received
    assert sum(delivery.malformed.height for delivery in sink.deliveries) > 20
    for delivery in sink.deliveries:
        read = decode(delivered_lines(delivery))
        assert read.frame.equals(delivery.events)
        before = [letter.position - 1 - number for number, letter in enumerate(read.dead_letters) if letter.position]
        assert before == delivery.malformed["n_before"].to_list()
        assert [letter.raw for letter in read.dead_letters] == broken_lines(delivery.malformed)


def test_the_store_counts_what_the_labels_say(received: tuple[Run, CollectingSink]) -> None:
    """Invalid, duplicate and conflict are as many as labels of deliveries that arrived; the manifest has them all."""
    run, _ = received
    arrived = dict(run.labels.drop_nulls("received_at")["label"].cast(pl.String).value_counts().iter_rows())
    counts = run.store.counts
    assert (counts.invalid, counts.duplicate, counts.conflict) == tuple(
        arrived[name] for name in ("malformed", "duplicate", "conflict")
    )
    assert arrived["late"] > 0 == counts.late  # all of them fit the window
    assert counts.received == run.outcome.counts["events"] + run.outcome.counts["malformed_lines"]
    assert sum(run.manifest["labels"].values()) == run.labels.height
    assert run.manifest["labels"]["blocked"] > 0

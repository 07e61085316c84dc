"""Claims about the events of a simulation by their keys: statistics, digest and store are those of the table."""

from __future__ import annotations

import copy

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.events.event_rows import EventRows
from analytics.events.times import HOUR_MS
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.store.event_store import EventStore
from scenarios.files.digest import EventsDigest, digest_of
from scenarios.scenario import Scenario
from simulator.model import Model
from simulator.tracking.delivery import CollectingSink


@pytest.fixture(scope="module")
def collected() -> CollectingSink:
    """What half a day delivers, with a chat."""
    sink = CollectingSink()
    world = Scenario.load("live-chat").replace({"traffic.visitors_per_day": 3000, "clock.hours": 14}).world
    Model(world, seed=7, sinks=[sink]).run()
    return sink


def test_events_come_by_their_keys(collected: CollectingSink):
    """Without faults nothing is gathered before somebody asks, and then in the types of the tracking plan."""
    assert any(delivery.rows.parts for delivery in collected.deliveries)
    assert collected.events.schema == EVENT_SCHEMA
    assert collected.events["email"].drop_nulls().len() > 0


def test_the_digest_of_rows_is_that_of_the_table(collected: CollectingSink):
    """Hour by hour, and all together, with the sums of visits and pages added once a row."""
    by_rows, together = EventsDigest(), EventsDigest()
    for delivery in collected.deliveries:
        by_rows.write(delivery)
    together.update(EventRows.concat([delivery.rows for delivery in collected.deliveries]))
    assert by_rows.hexdigest() == together.hexdigest() == digest_of(collected.events)


def test_a_store_of_rows_is_that_of_the_table(collected: CollectingSink):
    """Counts, state, hours and events are the same, and so is a copy; an event that comes again is a duplicate."""
    by_rows, by_table = EventStore(), EventStore()
    for delivery in collected.deliveries:
        by_rows.append_rows(delivery.rows)
        by_table.append(delivery.events)
    assert by_rows.hourly().equals(by_table.hourly())
    assert by_rows.digest() == by_table.digest() == copy.deepcopy(by_rows).digest()
    assert_frame_equal(by_rows.events(), by_table.events())
    assert by_rows.views("country").equals(by_table.views("country"))
    first = next(delivery.rows for delivery in collected.deliveries if len(delivery.rows))
    assert by_rows.append_rows(first).duplicate == len(first)


def test_rows_of_several_hours_are_kept_by_hour(collected: CollectingSink):
    """One batch of all hours gives the buckets of hourly ones."""
    store = EventStore()
    store.append_rows(EventRows.concat([delivery.rows for delivery in collected.deliveries]))
    hours = collected.events["timestamp"].dt.epoch("ms") // HOUR_MS
    counted = hours.value_counts(sort=False).sort("timestamp")["count"].to_list()
    assert [n for n in store.hourly()["n_events"].to_list() if n] == counted
    assert store.events()["event_time"].is_sorted()
    assert isinstance(store.events(), pl.DataFrame)

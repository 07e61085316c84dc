"""Claims about the way from the tracker to the collector: what is lost, corrupted and invented, and its labels."""

from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_worlds import DIRTY

from analytics.events.enrichment import enrich
from analytics.events.event_rows import EventRows
from analytics.events.geography import REGION_OF_COUNTRY
from analytics.events.tracking_plan import EVENT_SCHEMA, SERVER_SIDE_EVENTS
from analytics.io.ndjson import encode
from analytics.store.event_store import EventStore
from scenarios.files.digest import digest_of
from simulator.model import Model
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import HourActivity
from simulator.tracking.delivery import CollectingSink
from simulator.tracking.labels import LABELS_SCHEMA, Label
from simulator.tracking.tracker import Tracker

WORLD: dict[str, Any] = {
    "traffic": {"visitors_per_day": 3000},
    "intent": {"target_conversion": 0.1},
    "visits": {"return_rate": 0.5, "gap_hours": 1.0},
}
FEW = {"visitors_per_day": 800}
BOTS = [Label.CRAWLER, Label.DISGUISED_BOT]
ABSENT = [Label.BLOCKED, Label.NO_CONSENT, Label.MALFORMED]
SERVER = [str(name) for name in SERVER_SIDE_EVENTS]
SE = 4
"""Standard errors of tolerance."""


def simulated(tracking: dict[str, Any] | None = None, seed: int = 11, **world: Any) -> SimpleNamespace:
    """A day with this tracking: ``events``, ``malformed``, ``labels``, ``counts``, ``deliveries``, ``world``."""
    settings = WorldSettings.model_validate({**WORLD, **world, "tracking": tracking or {}})
    sink = CollectingSink()
    outcome = Model(settings, seed=seed, sinks=[sink]).run().outcome
    return SimpleNamespace(
        world=settings,
        events=sink.events,
        malformed=sink.malformed,
        deliveries=sink.deliveries,
        outcome=outcome,
        labels=outcome.labels,
        counts=outcome.counts,
    )


def ids(labels: pl.DataFrame, *chosen: Label, detail: str | None = None) -> list[str]:
    """Identifiers of the events with these labels, once for each label."""
    rows = labels.filter(pl.col("label").cast(pl.String).is_in([str(label) for label in chosen]))
    return (rows if detail is None else rows.filter(pl.col("detail") == detail))["message_id"].to_list()


@pytest.fixture(scope="module")
def truth() -> SimpleNamespace:
    """The day without loss."""
    return simulated()


@pytest.fixture(scope="module")
def dirty() -> SimpleNamespace:
    """The same day with everything that can go wrong."""
    return simulated(DIRTY)


def browser_events(events: pl.DataFrame) -> pl.DataFrame:
    """Events that browsers sent."""
    return events.filter(~pl.col("event").cast(pl.String).is_in(SERVER).fill_null(value=False))


def check_share(hits: np.ndarray, rate: float) -> None:
    """A share of independent draws is a rate, within so many of the rate's own standard errors."""
    assert len(hits) > 100
    assert abs(hits.mean() - rate) <= SE * np.sqrt(rate * (1 - rate) / len(hits))


def test_without_rates_there_are_no_faults(monkeypatch: pytest.MonkeyPatch):
    """By default there are no labels and no broken lines, and lines and digest are those of what the tracker sent."""
    sent, track = [], Tracker.track

    def recorded(tracker: Tracker, hour: HourActivity) -> EventRows:
        events = track(tracker, hour)
        sent.append(events.frame())
        return events

    monkeypatch.setattr(Tracker, "track", recorded)
    run = simulated(traffic=FEW)
    assert run.world.tracking.is_lossless
    assert run.labels.schema == LABELS_SCHEMA
    assert run.labels.is_empty()
    assert run.malformed.is_empty()
    assert run.counts["events"] == run.counts["true_events"] == run.events.height
    assert run.counts["page_views"] == run.counts["true_page_views"]
    assert encode(run.events) == encode(pl.concat(sent))
    assert digest_of(run.events) == digest_of(pl.concat(sent))


def test_a_vanishing_rate_gives_the_lossless_events(truth: SimpleNamespace):
    """The way through the transport, taken by events without faults, changes no event and no order."""
    rates = {name: 1e-300 for name in DIRTY if name.endswith("_rate")}
    passed = simulated(rates)
    assert not passed.world.tracking.is_lossless
    assert_frame_equal(passed.events, truth.events)
    assert passed.labels.is_empty()


@pytest.mark.parametrize("name", sorted(DIRTY))
def test_any_rate_above_0_makes_tracking_lossy(name: str):
    """Every rate counts for whether tracking is lossless."""
    zero = {"late_minutes": 5.0, "ad_blocker_rate": {"desktop": 0.0}, "consent_refusal_rate": {}}
    assert WorldSettings.model_validate({"tracking": zero}).tracking.is_lossless
    assert not WorldSettings.model_validate({"tracking": {name: DIRTY[name]}}).tracking.is_lossless


def test_labels_and_events_account_for_every_true_event(truth: SimpleNamespace, dirty: SimpleNamespace):
    """Each true event is received once, unless a label says why it is not; nothing else is received without a label."""
    true_ids = set(truth.events["message_id"])
    bots = set(ids(dirty.labels, *BOTS))
    absent = set(ids(dirty.labels, *ABSENT)) | set(ids(dirty.labels, Label.NOT_RECEIVED, detail="first delivery"))
    received = Counter(dirty.events["message_id"])
    again = Counter(ids(dirty.labels.filter(pl.col("received_at").is_not_null()), Label.DUPLICATE, Label.CONFLICT))
    assert absent < true_ids
    assert not bots & true_ids
    assert received == Counter([*(true_ids - absent), *bots]) + again
    assert len(true_ids) == dirty.counts["true_events"]


def test_a_label_names_the_fault(truth: SimpleNamespace, dirty: SimpleNamespace):
    """Labelled events differ from the truth by what their labels say and in no other column, all others not at all."""
    times = ("original_timestamp", "sent_at", "received_at", "timestamp")
    true_rows = truth.events.rename({name: f"true_{name}" for name in EVENT_SCHEMA if name != "message_id"})
    first = dirty.events.unique("message_id", keep="first", maintain_order=True).join(true_rows, on="message_id")
    for name in EVENT_SCHEMA:
        if name not in {"message_id", *times}:
            assert first[name].equals(first[f"true_{name}"]), name
    unlabelled = ~pl.col("message_id").is_in(dirty.labels["message_id"].implode())
    assert truth.events.filter(unlabelled).height > 1000
    assert_frame_equal(dirty.events.filter(unlabelled), truth.events.filter(unlabelled))
    for name, causes in {
        "original_timestamp": [Label.CLOCK_SKEW],
        "sent_at": [Label.CLOCK_SKEW, Label.LATE],
        "received_at": [Label.LATE, Label.REORDERED],
        "timestamp": [Label.REORDERED],
    }.items():
        moved = set(first.filter(pl.col(name) != pl.col(f"true_{name}"))["message_id"])
        assert moved <= set(ids(dirty.labels, *causes)), name
        assert len(moved) > 100


def test_labels_know_the_true_time_and_the_arrival(truth: SimpleNamespace, dirty: SimpleNamespace):
    """A label's true time is that of the event as it happened, its arrival that of a line that was received."""
    true_times = dict(zip(truth.events["message_id"], truth.events["timestamp"], strict=True))
    real = dirty.labels.filter(~pl.col("label").cast(pl.String).is_in([str(label) for label in BOTS]))
    assert all(true_times[who] == when for who, when in real.select("message_id", "true_time").iter_rows())
    lines = pl.concat([dirty.events, dirty.malformed.select(EVENT_SCHEMA.names())]).select("message_id", "received_at")
    arrived = dirty.labels.drop_nulls("received_at")
    assert arrived.join(lines, on=["message_id", "received_at"], how="anti").is_empty()
    assert_frame_equal(dirty.labels, dirty.labels.sort("true_time", "message_id", "label", "detail"))


def test_server_side_events_arrive_at_once_and_as_they_were(truth: SimpleNamespace, dirty: SimpleNamespace):
    """Demo requests and demos held are never blocked, lost, late, repeated or malformed, even where all else is."""
    hopeless = simulated({name: 1.0 for name in DIRTY if name.endswith("_rate")})
    for run in (dirty, hopeless):
        found, wanted = (x.events.filter(pl.col("event").cast(pl.String).is_in(SERVER)) for x in (run, truth))
        assert wanted.height > 100
        assert_frame_equal(found, wanted)
    assert_frame_equal(hopeless.events, wanted)


def test_blocked_and_refusing_visitors_have_their_rates(truth: SimpleNamespace, dirty: SimpleNamespace):
    """The share of visitors lost is the rate of their device and region, within 4 SE, and they are lost whole."""
    visitors = browser_events(truth.events).unique("anonymous_id", maintain_order=True)
    region = visitors["context_location_country"].cast(pl.String).replace_strict(REGION_OF_COUNTRY)
    device = visitors["context_device_type"].cast(pl.String)
    for label, classes, rates in (
        (Label.BLOCKED, device, {"desktop": 0.4, "mobile": 0.1, "tablet": 0.0}),
        (Label.NO_CONSENT, region, {"europe": 0.3, "north_america": 0.0}),
    ):
        chosen = dirty.labels.filter(pl.col("label") == label.value)
        hit = visitors["anonymous_id"].is_in(chosen["anonymous_id"].unique().implode())
        for name, rate in rates.items():
            check_share(hit.filter(classes == name).to_numpy(), rate)
        lost = browser_events(truth.events).filter(pl.col("anonymous_id").is_in(chosen["anonymous_id"].implode()))
        assert set(lost["message_id"]) == set(chosen["message_id"])


def test_faults_of_events_have_their_rates(truth: SimpleNamespace, dirty: SimpleNamespace):
    """Of the events that were sent, each rate's share is late, reordered, broken or sent again, within 4 SE."""
    lost = set(ids(dirty.labels, Label.BLOCKED, Label.NO_CONSENT))
    sent = [name for name in browser_events(truth.events)["message_id"] if name not in lost]
    broken = set(ids(dirty.labels, Label.MALFORMED))
    whole = [name for name in sent if name not in broken]
    for label, rate, population in (
        (Label.LATE, DIRTY["late_rate"], sent),
        (Label.REORDERED, DIRTY["reorder_rate"], sent),
        (Label.MALFORMED, DIRTY["malformed_rate"], sent),
        (Label.DUPLICATE, DIRTY["duplicate_rate"], whole),
        (Label.CONFLICT, DIRTY["id_collision_rate"], whole),
    ):
        chosen = set(ids(dirty.labels, label))
        check_share(np.array([name in chosen for name in population]), rate)
        assert len(chosen) == len(ids(dirty.labels, label))


def test_delays_have_the_means_that_were_set():
    """Delays of late and reordered events and of second deliveries are exponential: mean within 4 SE, and SD alike."""
    means = {Label.LATE: 600.0, Label.REORDERED: 45.0, Label.DUPLICATE: 120.0, Label.CONFLICT: 120.0}
    run = simulated(
        {
            **{f"{name}_rate": 0.2 for name in ("late", "reorder", "duplicate", "id_collision")},
            "late_minutes": 10.0,
            "reorder_seconds": 45.0,
            "duplicate_minutes": 2.0,
        }
    )
    for label, mean in means.items():
        chosen = run.labels.filter(pl.col("label") == label.value)["detail"]
        delays = chosen.str.strip_suffix(" s").cast(pl.Float64).to_numpy()
        # Rounded up to a millisecond; the SD of an exponential is its mean, and the variance of its variance 8 mean⁴.
        assert abs(delays.mean() - mean) < SE * mean / np.sqrt(len(delays)) + 0.001
        assert abs(delays.var() - mean**2) < SE * mean**2 * np.sqrt(8 / len(delays)) + 0.01 * mean
        assert delays.min() > 0


def test_the_event_time_survives_all_but_the_network(truth: SimpleNamespace, dirty: SimpleNamespace):
    """By the Segment rule late and skewed events are at their true time, reordered ones later by the delay."""
    times = enrich(dirty.events).unique("message_id", keep="first").select("message_id", "event_time")
    both = times.join(truth.events.select("message_id", true_time="timestamp"), on="message_id")
    held = dirty.labels.filter(pl.col("label") == "reordered").select(
        "message_id", held=pl.col("detail").str.strip_suffix(" s").cast(pl.Float64)
    )
    shift = (pl.col("event_time") - pl.col("true_time")).dt.total_milliseconds() / 1000
    compared = both.join(held, on="message_id", how="left").select(shift=shift, held=pl.col("held").fill_null(0.0))
    assert (compared["held"] > 0).any()
    np.testing.assert_allclose(compared["shift"], compared["held"], atol=1e-9)


def test_clocks_are_wrong_by_what_was_set(truth: SimpleNamespace):
    """A visitor's clock is wrong by one time throughout: normal, with mean 0 and the SD that was set, within 4 SE."""
    run = simulated({"clock_skew_rate": 0.3, "clock_skew_seconds": 90.0})
    error = (pl.col("original_timestamp") - pl.col("received_at")).dt.total_milliseconds() / 1000
    clocks = (
        browser_events(run.events).group_by("anonymous_id").agg(error.min().alias("low"), error.max().alias("high"))
    )
    assert clocks["low"].equals(clocks["high"])
    skewed = clocks["anonymous_id"].is_in(run.labels["anonymous_id"].unique().implode())
    assert (clocks.filter(~skewed)["low"] == 0).all()
    check_share(skewed.to_numpy(), 0.3)
    errors = clocks.filter(skewed)["low"].to_numpy()
    assert abs(errors.mean()) < SE * 90 / np.sqrt(len(errors))
    assert abs(errors.std() - 90) < SE * 90 / np.sqrt(2 * len(errors))
    assert run.events["received_at"].equals(truth.events["received_at"])


@pytest.mark.slow
def test_the_store_refuses_what_comes_after_its_window():
    """With delays of days the store's late events are those of hours more than 23 before the stream's, no others."""
    run = simulated({"late_rate": 0.3, "late_minutes": 1500.0}, clock={"hours": 72}, traffic=FEW)
    store = EventStore()
    for delivery in run.deliveries:
        store.append(delivery.events)
    stream, n_late, hour = None, 0, timedelta(hours=1)
    true_times = dict(run.labels.select("message_id", "true_time").iter_rows())
    for name, arrival in run.events.select("message_id", "received_at").iter_rows():
        time = true_times.get(name, arrival)
        stream = time if stream is None else max(stream, time)
        opened = stream.replace(minute=0, second=0, microsecond=0) - 23 * hour
        n_late += time < opened
    assert store.counts.late == n_late > 50
    assert store.counts.accepted == run.events.height - n_late


def test_what_is_due_after_the_end_is_never_received():
    """Deliveries that fall behind the end are labelled, with the delivery that it was, and not there."""
    run = simulated({"late_rate": 0.5, "late_minutes": 600.0, "duplicate_rate": 0.5, "duplicate_minutes": 600.0})
    missing = run.labels.filter(pl.col("label") == "not_received")
    assert set(missing["detail"]) == {"first delivery", "duplicate"}
    assert missing["received_at"].null_count() == missing.height > 1000
    first = ids(run.labels, Label.NOT_RECEIVED, detail="first delivery")
    assert not set(first) & set(run.events["message_id"])
    late = run.labels.filter((pl.col("label") == "late") & pl.col("received_at").is_null())
    assert set(late["message_id"]) == set(first)


def test_deliveries_are_hours_in_order_of_arrival(dirty: SimpleNamespace):
    """Each delivery holds what arrived in its hour, and the stream as a whole is in order of arrival."""
    start, hour = dirty.world.clock.start, timedelta(hours=1)
    for number, delivery in enumerate(dirty.deliveries):
        begins, ends = start + number * hour, start + (number + 1) * hour
        for frame in (delivery.events, delivery.malformed):
            assert frame["received_at"].is_between(begins, ends, closed="left").all()
        assert delivery.malformed["n_before"].is_sorted()
        assert (delivery.malformed["n_before"] <= delivery.events.height).all()
        assert (delivery.malformed["place"].is_between(0, 1)).all()
    assert dirty.events["received_at"].is_sorted()
    assert not enrich(dirty.events)["event_time"].is_sorted()


def test_a_conflict_has_another_body_and_a_duplicate_the_same(dirty: SimpleNamespace):
    """Second deliveries differ from the first in the times of sending, and a conflict in the page's title too."""
    copies = dirty.events.filter(pl.col("message_id").is_duplicated())
    conflicts = set(ids(dirty.labels, Label.CONFLICT))
    bodies = copies.drop("sent_at", "received_at", "timestamp", "context_page_title")
    assert bodies.unique().height == copies["message_id"].n_unique()
    titles = copies.group_by("message_id").agg(pl.col("context_page_title").n_unique())
    two = set(titles.filter(pl.col("context_page_title") == 2)["message_id"])
    assert two <= conflicts
    assert len(conflicts - two) <= len(ids(dirty.labels, Label.NOT_RECEIVED, detail="conflict"))


def test_bots_change_nothing_that_happened(truth: SimpleNamespace, dirty: SimpleNamespace):
    """Bots have identifiers of their own and change nothing that happened: visits, visitors and demos stay the same."""
    bots = dirty.labels.filter(pl.col("label").cast(pl.String).is_in([str(label) for label in BOTS]))
    assert not set(bots["anonymous_id"]) & set(truth.events["anonymous_id"])
    assert_frame_equal(dirty.outcome.visits, truth.outcome.visits)
    assert_frame_equal(dirty.outcome.sales.requests, truth.outcome.sales.requests)
    happened = ("visitors", "visits", "demo_requests", "true_events", "true_page_views")
    assert {name: dirty.counts[name] for name in happened} == {name: truth.counts[name] for name in happened}


@pytest.fixture(scope="module")
def small_dirty() -> SimpleNamespace:
    """Everything that can go wrong, on a day of few visitors."""
    return simulated(DIRTY, traffic=FEW)


@pytest.mark.parametrize("name", sorted(DIRTY))
def test_no_rate_moves_the_draws_of_another(name: str, small_dirty: SimpleNamespace):
    """What a rate alone labels, it labels the same beside all others, but for what those have taken away before."""
    chosen = {
        "ad_blocker_rate": "blocked",
        "consent_refusal_rate": "no_consent",
        "id_collision_rate": "conflict",
        "bots_per_day": "crawler",
        "undeclared_bots_per_day": "disguised_bot",
    }
    label = chosen.get(name, name.removesuffix("_rate").replace("reorder", "reordered"))
    alone, beside = simulated({name: DIRTY[name]}, traffic=FEW), small_dirty
    lost = ids(beside.labels, Label.BLOCKED, Label.NO_CONSENT)
    broken = [] if label == "malformed" or label in BOTS else ids(beside.labels, Label.MALFORMED)
    gone = set() if label in {"blocked", "no_consent"} else {*lost, *broken}
    if label in {"late", "reordered", "clock_skew"}:
        gone = set(lost)
    key = ["message_id", "label", "detail"]
    one, two = (run.labels.filter(pl.col("label") == label).select(key).sort(key) for run in (alone, beside))
    assert one.height > 10
    assert_frame_equal(one.filter(~pl.col("message_id").is_in(list(gone))), two)


def test_a_higher_rate_loses_what_a_lower_one_loses():
    """Common random numbers: those who block at a rate of 0.2 are among those who block at 0.5."""
    few, many = (simulated({"ad_blocker_rate": rate}, traffic=FEW).labels for rate in (0.2, 0.5))
    assert set(ids(few, Label.BLOCKED)) < set(ids(many, Label.BLOCKED))


def test_a_site_without_visitors_has_empty_tables():
    """Dirty tracking of a site without visitors gives empty tables with all their columns."""
    rates = {name: rate for name, rate in DIRTY.items() if name.endswith("_rate")}
    empty = simulated(rates, traffic={"visitors_per_day": 1e-9})
    assert empty.events.schema == EVENT_SCHEMA
    assert empty.events.height == empty.labels.height == empty.malformed.height == 0


def test_ad_blockers_go_by_persona_and_device():
    """A browser blocks at its device's rate times its persona's factor (4 SE), 1 at most; at the rate without one."""
    personas = {"careful": {}, "careless": {}, "plain": {}, "walled": {}}
    tracking = {
        "ad_blocker_rate": {"desktop": 0.4, "mobile": 0.1},
        "ad_blocker_factors": {"careful": 2.0, "careless": 0.0, "walled": 20.0},
    }
    run = simulated(tracking, population={"personas": personas})
    blocked = set(run.labels.filter(pl.col("label") == Label.BLOCKED.value)["anonymous_id"])
    people = run.outcome.people.with_columns(hit=pl.col("anonymous_id").is_in(list(blocked)))
    for device, rate in (("desktop", 0.4), ("mobile", 0.1)):
        for persona, factor in (("careful", 2.0), ("plain", 1.0)):
            chosen = people.filter((pl.col("device") == device) & (pl.col("persona") == persona))
            check_share(chosen["hit"].to_numpy(), factor * rate)
    assert not people.filter(pl.col("persona") == "careless")["hit"].any()
    seen = set(browser_events(run.events)["anonymous_id"])
    walled = people.filter(pl.col("persona") == "walled", pl.col("device") != "tablet")
    assert walled["hit"].all()
    assert not seen & set(walled["anonymous_id"])


def test_each_browser_of_a_person_has_an_ad_blocker_of_its_own():
    """Of people with two browsers some block in one and not in the other."""
    run = simulated(
        {"ad_blocker_rate": 0.5},
        population={"second_device_rate": 1.0, "personas": {}},
        visits={"return_rate": 0.7, "gap_hours": 0.5},
    )
    blocked = set(run.labels.filter(pl.col("label") == Label.BLOCKED.value)["anonymous_id"])
    hits = run.outcome.people.with_columns(hit=pl.col("anonymous_id").is_in(list(blocked)))
    both = hits.group_by("person_id").agg(pl.len(), pl.col("hit").sum()).filter(pl.col("len") == 2)
    # One of two independent halves: as often as not.
    check_share((both["hit"] == 1).to_numpy(), 0.5)

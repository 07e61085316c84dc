"""Claims about models: they are reproducible, can be stopped and run on, and their counts agree."""

import gc
import hashlib
import os
import subprocess
import sys
from datetime import datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_worlds import check_same, simulated

from analytics.events.times import HOUR_MS
from analytics.io.ndjson import encode
from simulator.agents.component import Component
from simulator.components.live_chat import LiveChat
from simulator.components.nurture_email import NurtureEmail
from simulator.model import Model
from simulator.settings.sales import WEEKDAYS
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink, Delivery
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_sampler import CohortSampler

HOUR = timedelta(hours=1)
ALWAYS = {"opens": "00:00", "closes": "24:00", "weekdays": list(WEEKDAYS)}


SMALL = {"traffic": {"visitors_per_day": 400}, "intent": {"target_conversion": 0.2}}


def world_of(**settings: object) -> WorldSettings:
    """A small world with many demo requests."""
    return WorldSettings.model_validate(SMALL | settings)


def digest(seed: int = 1, replication: int = 0) -> str:
    """SHA-256 of the lines of a small simulation."""
    events, _ = simulated(world_of(), seed, replication=replication)
    return hashlib.sha256(encode(events)).hexdigest()


IN_A_PROCESS = f"""
import hashlib
from analytics.io.ndjson import encode
from simulator.model import Model
from simulator.settings.world import WorldSettings
model = Model(WorldSettings.model_validate({SMALL!r}), seed=1).run()
print(hashlib.sha256(encode(model.events)).hexdigest())
"""


@pytest.mark.slow
def test_hash_order_and_threads_do_not_matter():
    """Processes with another PYTHONHASHSEED and number of Polars threads write the same bytes as this one."""
    found = {digest()}
    for hash_seed, threads in (("0", "1"), ("4242", "2")):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "POLARS_MAX_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found.add(done.stdout.strip())
    assert len(found) == 1


def test_the_same_seed_gives_the_same_events_and_another_others():
    """Each seed and replication, 0 included, has different events, the same at every run, whatever runs before it."""
    keys = [(0, 0), (1, 0), (2, 0), (1, 1), (0, 1)]
    digests = [digest(*key) for key in keys]
    assert len(set(digests)) == len(keys)
    # The runs in between, and one of another world, do not affect it.
    Model(world_of(traffic={"visitors_per_day": 900}), seed=8).run()
    assert digest(0, 0) == digests[0]


def test_two_models_of_a_world_are_the_same():
    """A run does not modify the settings, and the requests of accounts belong to it.

    A model has its end once: to run on changes nothing.
    """
    world = world_of(population={"accounts": 5})
    before, first, second = world.model_dump_json(), Model(world, seed=3).run(), Model(world, seed=3).run()
    check_same(first, second)
    check_same(first.run(), second)
    assert Model(world, seed=3, sinks=[]).run().outcome.counts == first.outcome.counts
    assert world.model_dump_json() == before


@pytest.mark.parametrize("active_agents", ["all", "interacting"])
@pytest.mark.parametrize("components", [[], [LiveChat("chat", agents=1), NurtureEmail("mail", delay_hours=1.0)]])
def test_a_model_that_is_stopped_and_run_on_is_that_of_one_run(active_agents: Any, components: list[Component]):
    """Wherever it is stopped, within an hour or on it, by hours or by the time of day; each hour is sent when over."""
    given: dict[str, Any] = {"seed": 3, "active_agents": active_agents, "components": components}
    whole, parts = Model(world_of(), **given).run(), Model(world_of(), **given)
    for until in (0.0, 0.31, 2.0, parts.clock.start + 2.7 * HOUR, 9.5, 9.5, 23.999):
        parts.run(until)
        hours = (until - parts.clock.start) / HOUR if isinstance(until, datetime) else until
        assert parts.now_ms == round(hours * HOUR_MS)
        sent = pl.col("received_at") < parts.clock.start + int(hours) * HOUR
        assert_frame_equal(parts.events, whole.events.filter(sent))
    with pytest.raises(ValueError, match=r"cannot run until .* 01:00:00.*: it is .* 23:59:56\.400000"):
        parts.run(1.0)
    with pytest.raises(ValueError, match=r"not to its end; run\(\) it first"):
        _ = parts.outcome
    check_same(parts.run(100.0), whole)


def test_garbage_collection_is_restored():
    """Garbage collection is disabled only during the run, also when a sink fails."""

    class Full:
        def write(self, delivery: Delivery) -> None:
            raise OSError("no space left")

        def close(self) -> None:
            """Nothing to do."""

    assert gc.isenabled()
    Model(world_of(), seed=1).run()
    assert gc.isenabled()
    with pytest.raises(OSError, match="no space left"):
        Model(world_of(), seed=1, sinks=[Full()]).run()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_batches_are_hours_half_open(small_run: SimpleNamespace):
    """One batch for each hour, its start included and its end excluded; visits too lie in the simulated time.

    Progress is reported after every hour and ends at 1; each sink is closed once.
    """
    start, batches = small_run.world.clock.start, small_run.batches
    assert len(batches) == small_run.world.clock.hours
    for number, batch in enumerate(batches):
        assert batch["received_at"].is_between(start + number * HOUR, start + (number + 1) * HOUR, closed="left").all()
    assert sum(batch.height > 0 for batch in batches) > 20
    for name in ("started_at", "ended_at"):
        assert small_run.outcome.visits[name].is_between(start, start + 24 * HOUR, closed="left").all()
    assert small_run.progress == [(hour + 1) / 24 for hour in range(24)]
    assert small_run.recorder.n_closed == 1


def batches_of_arrivals_at_one_hour(monkeypatch: pytest.MonkeyPatch, hours: int) -> list[pl.DataFrame]:
    """Hourly batches of a simulation in which all visitors arrive exactly one hour after the start."""
    draw = CohortSampler.draw

    def all_at_once(sampler: CohortSampler, index: int, intercept: float) -> Cohort:
        cohort = draw(sampler, index, intercept)
        cohort.arrival_ms[:] = HOUR_MS
        return cohort

    monkeypatch.setattr(CohortSampler, "draw", all_at_once)
    sink = CollectingSink()
    Model(world_of(clock={"hours": hours}), seed=1, sinks=[sink]).run()
    return [delivery.events for delivery in sink.deliveries]


def test_an_event_on_the_hour_belongs_to_the_hour_that_starts(monkeypatch: pytest.MonkeyPatch):
    """Page views at exactly the hour are in the batch that starts there; at the end itself they do not happen.

    The first 12 hours of 24 have the events of a simulation of 12.
    """
    short, long = (simulated(world_of(clock={"hours": hours}))[0] for hours in (12, 24))
    assert_frame_equal(long.filter(pl.col("received_at") < WorldSettings().clock.start + 12 * HOUR), short)
    before, after = batches_of_arrivals_at_one_hour(monkeypatch, 2)
    assert before.height == 0
    assert (after["received_at"] == WorldSettings().clock.start + HOUR).sum() == after["anonymous_id"].n_unique() > 5
    (only,) = batches_of_arrivals_at_one_hour(monkeypatch, 1)
    assert only.height == 0


def test_counts_agree_with_events_and_visits(small_run: SimpleNamespace):
    """Visitors, visits, events, page views and requests equal the counts in the events."""
    counts, events, visits = small_run.outcome.counts, small_run.events, small_run.outcome.visits
    pages = events.filter(pl.col("type") == "page")
    requests = events.filter(pl.col("event") == "Demo Requested")
    assert counts["events"] == events.height
    assert counts["page_views"] == pages.height == visits["n_page_views"].sum()
    assert counts["demo_requests"] == requests.height == visits["requested_demo"].sum()
    assert counts["visits"] == visits.height
    assert counts["visitors"] == events["anonymous_id"].n_unique() == visits["anonymous_id"].n_unique()


def test_the_sales_desk_got_the_requests(small_run: SimpleNamespace):
    """Requests and later steps at the desk are those of the events, by the same visitors at the same times."""
    clock, requests = small_run.world.clock, small_run.outcome.sales.requests
    events = small_run.events.filter(pl.col("event") == "Demo Requested").sort("anonymous_id")
    at = requests.sort("anonymous_id").select("anonymous_id", ms=(pl.col("requested_s") * 1000).round().cast(pl.Int64))
    assert at["anonymous_id"].equals(events["anonymous_id"])
    assert (at["ms"] == events["timestamp"].dt.epoch("ms") - round(clock.start.timestamp() * 1000)).all()
    start_ms = round(clock.start.timestamp() * 1000)
    for event, column in STEPS.items():
        steps = small_run.events.filter(pl.col("event") == event).sort("anonymous_id")
        rows = requests.filter(pl.col(column).is_not_null()).sort("anonymous_id")
        assert rows.height > 0, event
        assert rows["anonymous_id"].equals(steps["anonymous_id"])
        assert (steps["asset"] == "demo").all()
        assert ((1000 * rows[column]).round() == steps["timestamp"].dt.epoch("ms") - start_ms).all()


STEPS = {
    "Demo Scheduled": "scheduled_s",
    "Demo Held": "held_s",
    "Demo Missed": "missed_s",
    "Opportunity Created": "opportunity_s",
    "Deal Won": "won_s",
}


def world_with(executives: int, wait_effect_per_day: float = 0.0) -> WorldSettings:
    """A small world over a working week with this many account executives; every visitor decides independently."""
    sales = {
        "teams": {"default": {"account_executives": {"headcount": executives}}},
        "wait_effect_per_day": wait_effect_per_day,
    }
    return world_of(sales=sales, clock={"hours": 120}, intent={"target_conversion": 0.2, "conversion_unit": "visitor"})


@pytest.mark.slow
def test_more_executives_make_no_wait_longer_and_no_demo_fewer():
    """With common random numbers page views and requests stay the same, and no wait is longer with a larger team."""
    runs = [simulated(world_with(executives), seed=6) for executives in (2, 4, 12)]
    for (few, one), (many, other) in pairwise(runs):
        fewer, more = one.sales, other.sales
        same = ["anonymous_id", "requested_s", "responded_s"]
        assert_frame_equal(fewer.requests.select(same), more.requests.select(same))
        of_sales = pl.col("event").cast(pl.String).fill_null("").is_in(list(STEPS))
        assert_frame_equal(few.filter(~of_sales), many.filter(~of_sales))
        assert (more.requests["slot_s"] <= fewer.requests["slot_s"]).all()
        # A buyer who attends after a long wait attends after a short one.
        assert not (fewer.requests["held_s"].is_not_null() & more.requests["held_s"].is_null()).any()
        assert more.summary["held"] > fewer.summary["held"]
        assert more.summary["slot_wait_hours_mean"] < fewer.summary["slot_wait_hours_mean"]


@pytest.mark.slow
def test_a_long_visible_wait_only_discourages():
    """Requests despite a visible wait would also happen without it; the larger the effect, the fewer there are.

    A discouraged visitor may still request at a later visit, so sets of visitors are compared, not times.
    """
    requested = []
    for effect in (0.0, -0.2, -1.0):
        requests = Model(world_with(2, effect), seed=6).run().outcome.sales.requests
        requested.append(dict(requests.select("anonymous_id", "requested_s").iter_rows()))
    undisturbed, some, most = requested
    for fewer in (some, most):
        assert fewer.keys() < undisturbed.keys()
        assert all(at >= undisturbed[who] for who, at in fewer.items())
    assert len(most) < len(some)


def test_without_a_wait_the_effect_of_the_wait_is_nothing():
    """Where the next slot starts at once, the effect of the wait is negligible."""
    teams = {"default": {**ALWAYS, "account_executives": {"headcount": 500}}}
    sales = {"teams": teams, "lead_hours": 0.0}
    worlds = (world_of(sales={**sales, "wait_effect_per_day": effect}) for effect in (0.0, -1e-9))
    assert_frame_equal(*(simulated(world, seed=6)[0] for world in worlds))


@pytest.mark.slow  # that streams of replications are unrelated is shown in a moment, number by number
def test_replications_are_independent():
    """Hourly page views of six pairs of replications, less the profile, are uncorrelated within 4 SE."""
    views = []
    for replication in range(12):
        events, _ = simulated(world_of(), 1, replication=replication)
        hours = events.filter(pl.col("type") == "page")["received_at"].dt.hour()
        views.append(hours.value_counts().sort("received_at")["count"].to_list())
    table = pl.DataFrame(views, orient="row").to_numpy().astype(float)
    residual = (table - table.mean(axis=0)) / table.std(axis=0, ddof=1)
    # Twelve rows that sum to 0 have a mean product of −1/12; a pair of 24 hours has a standard error of 1/√24.
    pairs = [(residual[i] * residual[i + 1]).mean() for i in range(0, 12, 2)]
    assert abs(sum(pairs) / len(pairs) + 1 / 12) < 4 / (24 * len(pairs)) ** 0.5


@pytest.mark.parametrize("until", [float("nan"), "noon", datetime.fromisoformat("2026-03-03T12:00"), None])
def test_the_time_until_which_to_run_is_checked(until: Any):
    """Hours or a time with a zone; infinity and nothing are the end."""
    model = Model(WorldSettings.model_validate(SMALL), seed=7)
    if until is None:
        assert model.run(until=float("inf")).now == model.clock.end
        return
    with pytest.raises(ValueError, match="hours since the start, or a datetime with a time zone, not"):
        model.run(until=until)


class Failing(CollectingSink):
    """A sink whose third delivery fails, as on a full disk."""

    def write(self, delivery: Delivery) -> None:
        """Keep a delivery, or fail."""
        if len(self.deliveries) == 2:
            raise OSError("disk full")
        super().write(delivery)


def test_a_run_does_not_go_on_after_a_failed_delivery():
    """Whatever came later would have a gap, which nobody would see."""
    model = Model(WorldSettings.model_validate({"traffic": {"visitors_per_day": 100}}), sinks=[Failing()])
    with pytest.raises(OSError, match="disk full"):
        model.run(until=12)
    with pytest.raises(ValueError, match="a sink has failed"):
        model.run()


def test_a_sink_gets_each_hour_as_soon_as_it_is_over():
    """Unless it says that hours may be joined; a component or a callback may look at it meanwhile."""

    class Live(CollectingSink):
        joins_hours = False

    sink, seen = Live(), []
    model = Model(WorldSettings.model_validate({"traffic": {"visitors_per_day": 100}}), sinks=[sink])
    model.run(until=5, progress=lambda _: seen.append(len(sink.deliveries)))
    assert seen == [1, 2, 3, 4, 5]

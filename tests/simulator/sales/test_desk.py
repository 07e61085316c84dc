"""Claims about the sales desk: the queue for an answer, the diary of demo slots, and what becomes of a demo."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import date, datetime, timedelta
from heapq import heapreplace
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
import simpy

from analytics.events.tracking_plan import EventName
from simulator.engine.clock import DAY_MS, Clock
from simulator.engine.streams import Streams
from simulator.sales.desk import BuyerDraws, SalesDesk, no_show_probability
from simulator.sales.outcome import SalesOutcome
from simulator.settings.clock import ClockSettings
from simulator.settings.sales import WEEKDAYS, SalesSettings
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort_sampler import CohortSampler

ALWAYS = {"time_zone": "UTC", "opens": "00:00", "closes": "24:00", "weekdays": list(WEEKDAYS)}
TUESDAY = "2026-03-03T00:00:00Z"
DAY_S = 86_400.0
COMES = BuyerDraws(*[0.5] * 7)._replace(show=0.999_999, delay=1.0)
"""A buyer who wants the demo at once, comes to it, and buys nothing by a rate below a half."""


def settings_of(team: dict[str, Any] | None = None, **settings: Any) -> SalesSettings:
    """A desk of one team, open around the clock unless given otherwise, with many executives."""
    whole = {**ALWAYS, "sdrs": {"headcount": 1}, "account_executives": {"headcount": 500}, **(team or {})}
    return SalesSettings.model_validate({"teams": {"default": whole}, "lead_hours": 0.0, **settings})


def run(
    settings: SalesSettings,
    requests: Iterable[tuple[float, BuyerDraws]],
    until_s: float,
    start: str = TUESDAY,
    regions: Sequence[str] = ("europe",),
) -> SalesOutcome:
    """Send requests to a desk at these seconds, to the nearest millisecond, from the regions in turn."""
    clock = Clock(ClockSettings.model_validate({"start": start}))
    desk = SalesDesk(clock, settings)

    def arrive() -> Generator[simpy.Event, None, None]:
        for number, (at, draws) in enumerate(requests):
            yield clock.until(round(1000 * at))
            desk.request_demo(str(number), regions[number % len(regions)], draws)

    clock.env.process(arrive())
    until_ms = round(1000 * until_s)
    clock.env.run(until=until_ms)
    return desk.outcome(until_ms)


def answer(
    sdrs: int,
    arrivals_min: Iterable[float],
    lengths_min: Iterable[float],
    until_min: float,
    team: dict[str, Any] | None = None,
) -> SalesOutcome:
    """Let a team answer requests that arrive at these minutes, each in this many minutes."""
    draws = [COMES._replace(response=float(np.exp(-length))) for length in lengths_min]
    settings = settings_of({**(team or {}), "sdrs": {"headcount": sdrs}}, response_minutes=1.0)
    return run(settings, zip((60 * at for at in arrivals_min), draws, strict=True), 60 * until_min)


# The queue for an answer.


def whole_ms(minutes: np.ndarray) -> np.ndarray:
    """Minutes as the clock has them, in whole milliseconds."""
    return np.round(60_000 * minutes) / 60_000


def started_min(arrivals: np.ndarray, lengths: np.ndarray, reps: int, opens: Callable[[float], float]) -> np.ndarray:
    """When requests are taken up, in minutes, by a recursion without a clock; ``opens`` gives the next open minute."""
    free, started = [0.0] * reps, []
    for at, length in zip(arrivals.tolist(), lengths.tolist(), strict=True):
        started.append(opens(max(at, free[0])))
        heapreplace(free, started[-1] + length)
    return np.array(started)


@pytest.mark.parametrize(("reps", "load"), [(1, 0.9), (3, 2.8), (20, 19.0)])
def test_waits_equal_a_recursion_without_a_clock(reps: int, load: float):
    """Waits and bookings are those of the recursion: each request goes to the representative who is free first."""
    rng = np.random.default_rng(9)
    arrivals, lengths = whole_ms(np.cumsum(rng.exponential(1 / load, 2000))), whole_ms(rng.exponential(1.0, 2000))
    expected = started_min(arrivals, lengths, reps, lambda at_min: at_min)
    found = answer(reps, arrivals, lengths, arrivals[-1] + 1000).requests
    # Sums of some 2,000 numbers in minutes have a rounding error; those of the clock have none.
    np.testing.assert_allclose(found["response_minutes"], expected - arrivals, atol=1e-6)
    np.testing.assert_allclose(found["scheduled_s"] / 60, expected + lengths, atol=1e-6)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_answers_keep_office_hours(zone: str):
    """Waits over two weeks and a change of the clocks are those of the recursion with the wall clock in it.

    A free representative starts the next request at the first minute in office hours; a response that has started is
    finished after closing. Starts on Tuesday, 24 March 2026 (Berlin changes on the 29th, and the 27th is a holiday).
    """
    start = datetime.fromisoformat("2026-03-24T00:00:00+00:00")

    def first_open(at_min: float) -> float:
        while True:
            wall = (start + timedelta(minutes=at_min)).astimezone(ZoneInfo(zone))
            if wall.weekday() < 5 and wall.date() != date(2026, 3, 27) and 9 <= wall.hour < 17:
                return at_min
            at_min = np.floor(at_min) + 1

    rng = np.random.default_rng(3)
    arrivals, lengths = whole_ms(np.sort(rng.uniform(0, 14 * 1440, 300))), whole_ms(rng.exponential(25.0, 300))
    expected = started_min(arrivals, lengths, 3, first_open)
    team = {"time_zone": zone, "opens": "09:00", "closes": "17:00", "weekdays": list(WEEKDAYS[:5])}
    settings = settings_of({**team, "holidays": ["2026-03-27"], "sdrs": {"headcount": 3}}, response_minutes=25.0)
    draws = [COMES._replace(response=float(np.exp(-length / 25))) for length in lengths]
    outcome = run(settings, zip(60 * arrivals, draws, strict=True), 40 * DAY_S, start="2026-03-24T00:00:00Z")
    np.testing.assert_allclose(outcome.requests["responded_s"] / 60, expected, atol=1e-6)


def test_more_representatives_make_nobody_wait_longer():
    """With the same requests, each is answered no later by one representative more."""
    office = {"opens": "08:00", "closes": "16:00"}
    rng = np.random.default_rng(4)
    arrivals, lengths = np.sort(rng.uniform(0, 7 * 1440, 400)), rng.exponential(15.0, 400)
    waits = [
        answer(reps, arrivals, lengths, 60 * 1440, office).requests["response_minutes"].to_numpy()
        for reps in (2, 3, 4, 6)
    ]
    for fewer, more in pairwise(waits):
        assert (more <= fewer).all()
        assert more.mean() < fewer.mean()


def test_who_is_absent_answers_nothing_and_gives_no_demos():
    """The one representative is away on Tuesday and Wednesday, and answers when the office opens on Thursday.

    When all executives are away for good, a request is answered and goes no further.
    """
    away = {"headcount": 1, "absences": [{"rep": 1, "first": date(2026, 3, 3), "last": date(2026, 3, 4)}]}
    settings = settings_of({"opens": "09:00", "closes": "17:00", "sdrs": away})
    outcome = run(settings, [(10 * 3600.0, COMES)], 10 * DAY_S)
    assert outcome.requests["responded_s"].to_list() == [2 * DAY_S + 9 * 3600]
    gone = {"headcount": 1, "absences": [{"rep": 1, "first": date(2026, 1, 1), "last": date(2030, 1, 1)}]}
    outcome = run(settings_of({"account_executives": gone}), [(0.0, COMES)], 5 * DAY_S)
    assert outcome.requests["stage"].to_list() == ["responded"]
    assert outcome.summary["scheduled"] == 0
    assert outcome.summary["executive_utilisation"] is None


def test_requests_go_to_the_team_of_their_region():
    """A region with its own team is answered in its hours, and the others in those of the default team."""
    europe = {**ALWAYS, "time_zone": "Europe/Berlin", "opens": "09:00", "closes": "17:00"}
    default = {**ALWAYS, "time_zone": "America/New_York", "opens": "09:00", "closes": "17:00"}
    settings = SalesSettings.model_validate({"teams": {"europe": europe, "default": default}})
    regions = ("europe", "latin_america", "asia_pacific")
    outcome = run(settings, [(at, COMES) for at in (0.0, 1.0, 2.0)], DAY_S, regions=regions)
    assert outcome.requests["team"].to_list() == ["europe", "default", "default"]
    assert (outcome.requests["responded_s"] / 3600).to_list() == [8, 14, 14]
    assert outcome.by_region["region"].to_list() == sorted(regions)
    assert outcome.by_region["requests"].sum() == outcome.summary["requests"] == 3


# The diary.


def slots_of(office_min: list[int], slot: int, capacity: dict[int, int]) -> Counter[int]:
    """Places by minute of beginning: runs of open minutes cut into slots; the last piece of a run is left."""
    places: Counter[int] = Counter()
    runs: list[list[int]] = []
    for minute in office_min:
        if runs and runs[-1][-1] == minute - 1:
            runs[-1].append(minute)
        else:
            runs.append([minute])
    for run_ in runs:
        for first in range(0, len(run_) - slot + 1, slot):
            places[run_[first]] = capacity[run_[first] // 1440]
    return places


def test_demos_are_in_the_earliest_free_slots():
    """Slots over two weeks and a change of the clocks are those of a search through the open minutes of the wall clock.

    Bookings are looked at in the order in which they were made; each has the first slot with a place left that begins
    no earlier than the lead time and the buyer allow. Three executives in Berlin, 9:00 to 17:30, slots of 45 minutes;
    one is away in the second week, from 30 March on.
    """
    away = {"rep": 2, "first": date(2026, 3, 30), "last": date(2026, 4, 30)}
    team = {"time_zone": "Europe/Berlin", "opens": "09:00", "closes": "17:30", "weekdays": list(WEEKDAYS[:5])}
    settings = settings_of(
        {**team, "sdrs": {"headcount": 50}, "account_executives": {"headcount": 3, "absences": [away]}},
        lead_hours=2.0,
        buyer_delay_days=0.7,
        response_minutes=5.0,
    )
    rng = np.random.default_rng(5)
    draws = [COMES._replace(response=r, delay=d) for r, d in rng.uniform(size=(300, 2)).tolist()]
    outcome = run(settings, zip(np.sort(rng.uniform(0, 10 * DAY_S, 300)), draws, strict=True), 60 * DAY_S, "2026-03-24")

    start, zone = datetime.fromisoformat("2026-03-24T00:00:00+00:00"), ZoneInfo("Europe/Berlin")
    walls = [(start + timedelta(minutes=m)).astimezone(zone) for m in range(50 * 1440)]
    open_min = [m for m, w in enumerate(walls) if w.weekday() < 5 and "09:00" <= w.strftime("%H:%M") < "17:30"]
    capacity = {day: 3 if day < 6 else 2 for day in range(50) if day < 38} | dict.fromkeys(range(38, 50), 3)
    places = slots_of(open_min, 45, capacity)
    for row in outcome.requests.sort("scheduled_s").iter_rows(named=True):
        delay_s = -0.7 * DAY_S * np.log(draws[int(row["anonymous_id"])].delay)
        not_before = row["scheduled_s"] + max(7200.0, delay_s)
        expected = next(m for m in sorted(places) if 60 * m >= not_before and places[m] > 0)
        places[expected] -= 1
        assert row["slot_s"] == 60 * expected
    assert outcome.requests.height == outcome.summary["held"] == 300


def test_a_slot_can_be_booked_up_to_its_beginning():
    """A request answered in no time at midnight has the slot of midnight, and one of a millisecond later the next."""
    at_once = COMES._replace(response=1.0)
    outcome = run(settings_of(), [(0.0, at_once), (0.001, at_once)], DAY_S)
    assert outcome.requests["slot_s"].to_list() == [0.0, 45 * 60.0]


def test_more_executives_bring_each_demo_forward_and_lose_none():
    """With the same buyers no demo is later with more executives, and buyers who attended still do."""
    rng = np.random.default_rng(6)
    requests = list(
        zip(np.sort(rng.uniform(0, 4 * DAY_S, 300)), map(BuyerDraws._make, rng.random((300, 7))), strict=True)
    )
    office = {"opens": "09:00", "closes": "17:00", "sdrs": {"headcount": 20}}
    outcomes = [
        run(
            settings_of({**office, "account_executives": {"headcount": reps}}, no_show_growth_per_day=0.2),
            requests,
            100 * DAY_S,
        ).requests
        for reps in (2, 3, 5, 20)
    ]
    for fewer, more in pairwise(outcomes):
        assert (more["slot_s"] <= fewer["slot_s"]).all()
        assert not (more["held_s"].is_null() & fewer["held_s"].is_not_null()).any()
        assert more["held_s"].count() > fewer["held_s"].count()


def test_a_new_executive_fills_the_mornings_first():
    """With one week of ramp-up an executive has half the slots in the first week and all of them in the second."""
    hire = {"rep": 1, "on": date(2026, 3, 3)}
    executives = {"headcount": 1, "ramp_weeks": 1, "hires": [hire]}
    settings = settings_of({"sdrs": {"headcount": 90}, "account_executives": executives}, slot_minutes=60.0)
    outcome = run(settings, [(0.0, COMES)] * 300, DAY_S)
    by_day = Counter((outcome.requests["slot_s"] // DAY_S).to_list())
    # The first answers take until the morning's first slots are gone, so day 0 is left out.
    assert [by_day[day] for day in range(1, 9)] == [12, 12, 12, 12, 12, 12, 24, 24]


def test_the_visible_wait_discourages_by_the_day():
    """On Tuesday noon the next slot is on Wednesday at 9: 21 hours, each day of which counts."""
    clock = Clock(ClockSettings.model_validate({"start": "2026-03-03T12:00:00Z"}))
    team = {"opens": "09:00", "closes": "12:30", "account_executives": {"headcount": 1}}
    desk = SalesDesk(clock, settings_of(team, wait_effect_per_day=-0.8))
    assert desk.visible_wait_days("europe") == pytest.approx(21 / 24)
    assert desk.decision_penalty("europe") == pytest.approx(-0.8 * 21 / 24)
    assert SalesDesk(clock, settings_of(team)).decision_penalty("europe") == 0.0


# From demo to deal.


def outcomes_of(settings: SalesSettings, n: int = 4000, until_s: float = 400 * DAY_S) -> pl.DataFrame:
    """Outcomes of many requests with independent draws."""
    rng = np.random.default_rng(11)
    draws = [BuyerDraws(*row) for row in rng.random((n, 7)).tolist()]
    return run(settings, zip(np.sort(rng.uniform(0, DAY_S, n)), draws, strict=True), until_s).requests


def test_no_shows_grow_with_the_wait_by_the_formula():
    """In each sixth of the waits the share missed is the formula's mean, within 4 standard errors, and it grows."""
    settings = settings_of(
        {"sdrs": {"headcount": 60}}, buyer_delay_days=10.0, no_show_rate=0.05, no_show_growth_per_day=0.08
    )
    requests = outcomes_of(settings).with_columns(wait=pl.col("slot_s") - pl.col("requested_s")).sort("wait")
    missed = (requests["missed_s"].is_not_null()).to_numpy()
    p = 1 - 0.95 * np.exp(-0.08 * requests["wait"].to_numpy() / DAY_S)
    shares = []
    for rows in np.array_split(np.arange(len(p)), 6):
        error = np.sqrt((p[rows] * (1 - p[rows])).sum()) / len(rows)
        assert abs(missed[rows].mean() - p[rows].mean()) < 4 * error
        shares.append(missed[rows].mean())
    assert shares == sorted(shares)
    # At rate ln 2 each day halves the rest.
    halving = settings_of(no_show_rate=0.2, no_show_growth_per_day=float(np.log(2)))
    assert [no_show_probability(halving, d * DAY_MS) for d in (0, 1, 2)] == pytest.approx([0.2, 0.6, 0.8])


def test_buyers_cool_from_the_request_on():
    """The wait for an answer counts: after two days without one a demo held on the spot is missed as after two days.

    A buyer whose number is 0.7 comes up to a no-show probability of 0.7: at ln 2 a day that is 1.74 days.
    """
    away = {"headcount": 1, "absences": [{"rep": 1, "first": date(2026, 3, 3), "last": date(2026, 3, 4)}]}
    cooling = {"no_show_rate": 0.0, "no_show_growth_per_day": float(np.log(2))}
    buyer = COMES._replace(response=1.0, show=0.7)
    outcome = run(settings_of({"sdrs": away}, **cooling), [(0.0, buyer), (0.5 * DAY_S, buyer)], 4 * DAY_S)
    assert outcome.requests["slot_s"].to_list() == [2 * DAY_S, 2 * DAY_S]
    assert outcome.requests["stage"].to_list() == ["missed", "held"]


def test_the_pipeline_has_its_rates_and_its_values():
    """Shares of opportunities and deals, time to close and value have their means, within 4 standard errors."""
    settings = settings_of(
        {"sdrs": {"headcount": 60}},
        no_show_rate=0.0,
        no_show_growth_per_day=0.0,
        held_to_opportunity=0.6,
        opportunity_to_won=0.5,
        days_to_close=20.0,
        deal_value=1000.0,
        deal_value_spread=0.5,
    )
    requests = outcomes_of(settings)
    opportunities = requests.filter(pl.col("opportunity_s").is_not_null())
    won = requests.filter(pl.col("won_s").is_not_null())
    n, m = requests.height, opportunities.height
    assert requests["held_s"].count() == n
    assert abs(m / n - 0.6) < 4 * np.sqrt(0.6 * 0.4 / n)
    assert abs(won.height / m - 0.5) < 4 * np.sqrt(0.25 / m)
    days = (won["won_s"] - won["opportunity_s"]) / DAY_S
    assert abs(days.mean() - 20) < 4 * 20 / np.sqrt(won.height)
    logs = np.log(won["deal_value"].to_numpy() / 1000)
    assert abs(logs.mean()) < 4 * 0.5 / np.sqrt(won.height)
    assert abs(logs.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * won.height)
    assert requests.filter(pl.col("won_s").is_null())["deal_value"].null_count() == n - won.height


def test_deals_are_signed_in_office_hours():
    """Every deal is won in office hours on a working day."""
    team = {"opens": "09:00", "closes": "17:00", "weekdays": list(WEEKDAYS[:5]), "sdrs": {"headcount": 60}}
    settings = settings_of(team, opportunity_to_won=1.0, no_show_rate=0.0)
    won = outcomes_of(settings, 500)["won_s"].drop_nulls()
    assert won.len() > 50
    assert ((won % DAY_S).is_between(9 * 3600, 17 * 3600)).all()
    assert (((won // DAY_S).cast(pl.Int64) + 1) % 7 < 5).all()  # day 0 is a Tuesday


def test_steps_are_reported_in_order_and_on_time():
    """A buyer with favourable draws goes from booking to deal; a no-show is reported as such."""
    clock, steps = Clock(ClockSettings.model_validate({"start": TUESDAY})), []
    settings = settings_of(response_minutes=10.0, days_to_close=1.0)
    desk = SalesDesk(clock, settings)

    def on_step(event: EventName) -> None:
        steps.append((clock.now_ms // 1000, str(event)))

    favourable = COMES._replace(response=float(np.exp(-1)), opportunity=0.0, win=0.0, close=float(np.exp(-2)))
    desk.request_demo("ann", "europe", favourable, on_step)
    clock.env.run(until=3 * DAY_MS)
    end = (2 * 45) * 60  # answered by 0:10, so in the slot from 0:45 to 1:30
    assert steps == [
        (600, "Demo Scheduled"),
        (end, "Demo Held"),
        (end, "Opportunity Created"),
        (end + round(2 * DAY_S), "Deal Won"),
    ]
    steps.clear()
    desk.request_demo("bob", "europe", COMES._replace(show=0.0), on_step)
    clock.env.run(until=4 * DAY_MS)
    assert [event for _, event in steps] == ["Demo Scheduled", "Demo Missed"]
    assert [request.stage for request in desk.requests] == ["won", "missed"]


def test_the_summary_is_that_of_the_requests():
    """Counts, waits, rates and utilisations of a case small enough to work out by hand.

    Of an answer of 60 minutes begun 10 minutes before the end, 10 minutes are busy time, and nothing is booked.
    """
    draws = [COMES._replace(response=float(np.exp(-10))), COMES._replace(response=float(np.exp(-10)), show=0.0)] * 2
    settings = settings_of({"account_executives": {"headcount": 2}}, response_minutes=1.0)
    outcome = run(settings, zip((0.0, 300.0, 720.0, 4500.0), draws, strict=True), 5400.0 + 1)
    summary = outcome.summary
    assert [summary[key] for key in ("requests", "responded", "scheduled", "held", "missed")] == [4, 4, 4, 1, 1]
    assert summary["held_rate"] == summary["no_show_rate"] == 0.5
    assert summary["response_minutes_mean"] == pytest.approx((0 + 5 + 8 + 0) / 4)
    assert summary["response_minutes_p90"] == pytest.approx(np.quantile([0, 5, 8, 0], 0.9))
    # Booked at minutes 10, 20, 30 and 85: the slots from minute 45 for two, and those from 90 for the others.
    assert summary["slot_wait_hours_mean"] == pytest.approx((35 + 25 + 60 + 5) / 4 / 60)
    assert summary["sdr_utilisation"] == pytest.approx(2400 / 5401)
    assert summary["executive_utilisation"] == pytest.approx((2 * 2700 + 2 * 1) / (2 * 5401))
    cut = answer(1, [30], [60], 40)
    assert cut.summary["sdr_utilisation"] == pytest.approx(10 / 40)
    assert cut.requests["scheduled_s"].to_list() == [None]


def test_no_requests_are_no_waits():
    """Without requests there is no mean wait, rather than one of 0, and no region."""
    outcome = answer(3, [], [], 60)
    nothing = {key for key, value in outcome.summary.items() if value is None}
    assert nothing == {
        *("held_rate", "no_show_rate"),
        *("response_minutes_mean", "response_minutes_p90", "slot_wait_hours_mean", "slot_wait_hours_p90"),
    }
    assert {outcome.summary[key] for key in outcome.summary.keys() - nothing} == {0}
    assert outcome.requests.schema["response_minutes"] == pl.Float64
    assert outcome.by_region.height == 0


def test_the_draws_belong_to_the_visitor():
    """Another desk changes no draw, and the draws of a cohort are uniform and independent of one another."""
    worlds = [WorldSettings(), WorldSettings.model_validate({"sales": {"slot_minutes": 20.0, "no_show_rate": 0.9}})]
    one, two = (CohortSampler(world, Streams(3)).draw(0, -5.0).buyer_draws for world in worlds)
    np.testing.assert_array_equal(one, two)
    n, fields = one.shape
    assert fields == len(BuyerDraws._fields)
    # 4 standard errors of a mean of uniforms, and of a correlation of independent numbers, for 7 means and 21 pairs.
    assert (np.abs(one.mean(axis=0) - 0.5) < 4 / np.sqrt(12 * n)).all()
    assert (np.abs(np.corrcoef(one.T)[np.triu_indices(fields, 1)]) < 4 / np.sqrt(n)).all()

"""Claims about arrivals: how many visitors are expected when, and how positions become moments."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.events.times import HOUR_MS
from simulator.engine.clock import Clock
from simulator.settings.clock import ClockSettings
from simulator.settings.traffic import TrafficSettings
from simulator.world.arrivals import Arrivals

ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/Los_Angeles"]
FLAT = (1.0,) * 24


def clock_of(start: datetime = datetime(2026, 3, 3, tzinfo=UTC), hours: int = 24) -> Clock:
    """A clock."""
    return Clock(ClockSettings(start=start, hours=hours))


def integral(traffic: TrafficSettings, zone: str, start: datetime, minutes: int) -> float:
    """Expected visitors by adding up minutes, each by the local hour and weekday that Python's zoneinfo gives."""
    total = 0.0
    for minute in range(minutes):
        local = (start + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
        share = traffic.hourly_profile[local.hour] / sum(traffic.hourly_profile)
        total += traffic.visitors_per_day * share / 60 * traffic.weekday_weights[local.weekday()]
    return total


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 3, 3, tzinfo=UTC),
        datetime(2026, 3, 6, 17, 7, tzinfo=UTC),  # into the week-end, off the quarter of an hour
        datetime(2026, 3, 28, 20, tzinfo=UTC),  # over Europe's change to summer time
    ],
)
def test_the_expected_visitors_are_the_integral_of_the_profile(zone: str, start: datetime):
    """At every hour the expected visitors so far equal the sum over the minutes, weighted by local hour and weekday."""
    traffic = TrafficSettings(visitors_per_day=1000.0)
    arrivals = Arrivals(traffic, clock_of(start, 30), [zone])
    hours = range(0, 31, 5)
    expected = [integral(traffic, zone, start, 60 * hour) for hour in hours]
    found = arrivals.expected_until(np.array(hours) * HOUR_MS, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert arrivals.expected_visitors[0] == pytest.approx(integral(traffic, zone, start, 1800), rel=1e-9)


@pytest.mark.parametrize("zone", range(len(ZONES)))
def test_inversion_is_the_inverse(zone: int):
    """At the moment of the n-th visitor n visitors are expected, to the millisecond to which moments are cut."""
    arrivals = Arrivals(TrafficSettings(visitors_per_day=5000.0), clock_of(hours=48), ZONES)
    positions = np.linspace(0, arrivals.expected_visitors[zone], 1001)[1:-1]
    times = arrivals.times_ms(positions, np.full(len(positions), zone))
    assert (arrivals.expected_until(times, zone) <= positions + 1e-9).all()
    assert (arrivals.expected_until(times + 1, zone) >= positions - 1e-9).all()
    assert (np.diff(times) >= 0).all()


def test_the_earliest_moment_is_a_lower_bound_over_the_zones():
    """No visitor at a position or a later one arrives before the earliest time; one could arrive then.

    A position beyond all expected visitors has the end of the simulation for its time, and so does not arrive.
    """
    arrivals = Arrivals(TrafficSettings(visitors_per_day=5000.0), clock_of(), ZONES)
    for position in (0.5, 700.0, 3210.0):
        zones = np.arange(len(ZONES))
        assert arrivals.earliest_ms(position) == arrivals.times_ms(np.full(len(ZONES), position), zones).min()
    assert arrivals.times_ms(np.array([1e9]), np.array([0]))[0] == clock_of().length_ms


def test_the_nth_visitor_stays_the_nth_when_traffic_grows():
    """With twice the traffic, and a profile ten times as high, visitor n comes when visitor n / 2 came before."""
    positions, zone = np.linspace(1, 900, 500), np.zeros(500, dtype=int)
    slow = Arrivals(TrafficSettings(visitors_per_day=1000.0), clock_of(), ["UTC"])
    profile = tuple(10 * weight for weight in TrafficSettings().hourly_profile)
    fast = Arrivals(TrafficSettings(visitors_per_day=2000.0, hourly_profile=profile), clock_of(), ["UTC"])
    np.testing.assert_allclose(fast.times_ms(2 * positions, zone), slow.times_ms(positions, zone), atol=1)


def local_counts(arrivals: Arrivals, zone: str, start: datetime, index: int = 0) -> dict[tuple[int, int], int]:
    """Arrivals of a zone by local day and hour, by Python's zoneinfo, one visitor for each expected one."""
    positions = np.arange(0.5, arrivals.expected_visitors[index])
    times = arrivals.times_ms(positions, np.full(len(positions), index)).tolist()
    locals_ = [(start + timedelta(milliseconds=ms)).astimezone(ZoneInfo(zone)) for ms in times]
    return Counter((local.day, local.hour) for local in locals_)


@pytest.mark.parametrize(
    ("zone", "day", "odd"),
    [
        ("Europe/Berlin", "2026-03-29", {2: 0}),
        ("Europe/Berlin", "2026-10-25", {2: 2}),
        ("America/New_York", "2026-03-08", {2: 0}),
        ("America/New_York", "2026-11-01", {1: 2}),
        ("Pacific/Auckland", "2026-09-27", {2: 0}),
        ("Pacific/Auckland", "2026-04-05", {2: 2}),
        ("Australia/Lord_Howe", "2026-10-04", {2: 0.5}),  # half an hour is skipped
        ("Australia/Lord_Howe", "2026-04-05", {1: 1.5}),
    ],
)
def test_a_day_on_which_the_clocks_change_keeps_its_local_hours(zone: str, day: str, odd: dict[int, float]):
    """On the local day of a change every hour has its share of the visitors, the odd hour as often as it occurs."""
    traffic = TrafficSettings(visitors_per_day=24_000.0, weekday_weights=(1.0,) * 7)
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    arrivals = Arrivals(traffic, clock_of(start, 26), [zone])
    found = local_counts(arrivals, zone, start)
    for hour, weight in enumerate(traffic.hourly_profile):
        expected = 24_000 * weight / sum(traffic.hourly_profile) * odd.get(hour, 1)
        assert abs(found[int(day[-2:]), hour] - expected) <= 2, hour


def test_both_sides_of_the_date_line_have_their_own_day():
    """The same moment is Monday in Pago Pago and Tuesday in Auckland and Kiritimati; each follows its own weekday."""
    zones = ["Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
    weights = (1.0, 10.0, 100.0, 1.0, 1.0, 1.0, 1.0)
    traffic = TrafficSettings(visitors_per_day=2400.0, hourly_profile=FLAT, weekday_weights=weights)
    # 10:30 UTC on a Tuesday is 23:30 in Auckland, 0:30 on Wednesday in Kiritimati, and 23:30 on Monday in Pago Pago.
    arrivals = Arrivals(traffic, clock_of(datetime(2026, 3, 3, 10, 30, tzinfo=UTC), 1), zones)
    halves = np.array([0, HOUR_MS // 2, HOUR_MS])
    first, second = np.diff(np.stack([arrivals.expected_until(halves, zone) for zone in range(3)])).T
    np.testing.assert_allclose(first, [500.0, 5000.0, 50.0])
    np.testing.assert_allclose(second, [5000.0, 5000.0, 500.0])


def test_a_week_has_the_weights_of_its_days():
    """Each local day of a week brings visitors_per_day times the weight of its weekday, in every zone."""
    traffic = TrafficSettings(visitors_per_day=1000.0)
    for zone in ("Asia/Kathmandu", "America/Los_Angeles", "Pacific/Kiritimati"):
        monday = datetime(2026, 5, 4, tzinfo=ZoneInfo(zone))
        arrivals = Arrivals(traffic, clock_of(monday.astimezone(UTC), 7 * 24), [zone])
        daily = np.diff(arrivals.expected_until(np.arange(8) * 24 * HOUR_MS, 0))
        np.testing.assert_allclose(daily, 1000 * np.array(traffic.weekday_weights), rtol=1e-12)


@pytest.mark.parametrize("growth", [0.25, -0.4, 5.0])
def test_growth_is_compounded_at_every_moment(growth: float):
    """With a flat profile the visitors up to t weeks are those of a week times ((1 + g)^t − 1) / ln(1 + g)."""
    traffic = TrafficSettings(
        visitors_per_day=100.0, hourly_profile=FLAT, weekday_weights=(1.0,) * 7, growth_per_week=growth
    )
    start = datetime(2026, 3, 3, 5, tzinfo=UTC)
    arrivals = Arrivals(traffic, clock_of(start, 3 * 168), ["UTC"])
    weeks = np.array([0.0, 1.0, 2.0, 3.0])
    expected = 700 * np.expm1(weeks * np.log1p(growth)) / np.log1p(growth)
    found = arrivals.expected_until((weeks * 168 * HOUR_MS).astype(int), 0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_growth_multiplies_the_weekly_pattern():
    """The third week brings the visitors of the first times (1 + g)², hour by hour."""
    traffic = TrafficSettings(visitors_per_day=100.0, growth_per_week=0.3)
    arrivals = Arrivals(traffic, clock_of(hours=3 * 168), ["UTC"])
    hourly = np.diff(arrivals.expected_until(np.arange(3 * 168 + 1) * HOUR_MS, 0)).reshape(3, 168)
    np.testing.assert_allclose(hourly[2], hourly[0] * 1.3**2, rtol=1e-9)

"""Arrival times: a non-homogeneous Poisson process over local hours and weekdays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from simulator.engine.arrays import Floats, Integers
from simulator.engine.clock import DAY_MS, Clock
from simulator.settings.traffic import TrafficSettings

# Time zones change their offset, and local hours start, at multiples of a quarter of an hour.
_STEP_MS = 15 * 60_000


@dataclass(frozen=True)
class Period:
    """A period of time.

    Attributes:
        start: Its first moment, UTC.
        length_ms: Its length in ms.
    """

    start: datetime
    length_ms: int


@dataclass(frozen=True)
class Window:
    """A time window with its own intensity.

    Attributes:
        start_ms, end_ms: Start and end in ms since the start of the simulation; either may lie outside it.
        factor: Intensity inside, as a multiple of the ordinary one; it is 0 outside.
    """

    start_ms: int
    end_ms: int
    factor: float


class ArrivalProcess:
    """Non-homogeneous Poisson process of arrivals, by inversion (Çinlar 1975; Law, *Simulation Modeling*, ch. 8).

    Visitors are the points of a Poisson process of rate 1 on an axis of *expected visitors*. A visitor arrives when
    that many visitors would have been expected if all lived in the visitor's time zone. As zones are drawn
    independently, the arrivals of each zone are a Poisson process with the zone's share of the intensity, and the n-th
    visitor stays the n-th visitor when the intensity changes.

    Args:
        grid_ms: Times in ms since the start of the period, from 0 to its end; shape (points,).
        expected: Visitors expected up to each of them if all lived in one zone, evenly in between; shape (zones,
            points).

    >>> steady = ArrivalProcess(np.array([0, 1000]), np.array([[0.0, 8.0]]))
    >>> steady.times_ms(np.array([2.0, 6.0]), np.array([0, 0]))
    array([250, 750])
    """

    def __init__(self, grid_ms: Integers, expected: Floats) -> None:
        self._grid_ms, self._expected = grid_ms, expected

    @property
    def expected_visitors(self) -> Floats:
        """Visitors expected over the whole period if all lived in one zone; shape (zones,)."""
        totals: Floats = self._expected[:, -1]
        return totals

    def expected_until(self, time_ms: Integers, zone: int) -> Floats:
        """Visitors expected until the given times if all lived in one zone.

        Args:
            time_ms: Times in ms since the start; shape (n,).
            zone: Index of the time zone.

        Returns:
            Expected visitors; shape (n,).
        """
        expected: Floats = np.interp(time_ms, self._grid_ms, self._expected[zone])
        return expected

    def earliest_ms(self, position: float) -> int:
        """Earliest time at which a visitor at this position or later can arrive; the end if there is none.

        Args:
            position: Position on the axis of expected visitors.
        """
        moments = [np.interp(position, expected, self._grid_ms) for expected in self._expected]
        return int(min(moments))

    def times_ms(self, positions: Floats, zones: Integers) -> Integers:
        """Arrival times in ms since the start.

        Args:
            positions: Positions on the axis of expected visitors; shape (n,).
            zones: Index of each visitor's time zone; shape (n,).

        Returns:
            Arrival times; the end of the period for visitors who would arrive later; shape (n,).
        """
        # Zones without a visitor here are skipped below.
        times = np.full(len(positions), self._grid_ms[-1], dtype=np.int64)
        for zone in np.flatnonzero(np.bincount(zones)):
            here = np.flatnonzero(zones == zone)
            times[here] = np.interp(positions[here], self._expected[zone], self._grid_ms)
        return times

    def times_after(self, since_ms: Integers, positions: Floats, zones: Integers) -> Integers:
        """Times by which a given number of further visitors are expected.

        Args:
            since_ms: Start of each wait in ms since the start; shape (n,).
            positions: Expected visitors during each wait if all lived in the zone; shape (n,).
            zones: Index of the time zone of each; shape (n,).

        Returns:
            Times in ms since the start, not before ``since_ms``; the end of the period where it comes first; shape
            (n,).
        """
        expected = np.empty(len(positions))
        for zone in np.flatnonzero(np.bincount(zones)):
            here = np.flatnonzero(zones == zone)
            expected[here] = self.expected_until(since_ms[here], int(zone)) + positions[here]
        # Interpolation may round to just before the start of the wait.
        return np.maximum(self.times_ms(expected, zones), since_ms)


class Arrivals(ArrivalProcess):
    """Arrivals by the volume and the profiles of the traffic, in the local hours and weekdays of each time zone.

    Args:
        traffic: Volume and profiles.
        clock: Start and end of the simulation, or any other period.
        time_zones: IANA names of the visitors' time zones.
        window: Only time at which visitors arrive, and the intensity then; None for the ordinary traffic.

    >>> traffic = TrafficSettings(visitors_per_day=240.0, hourly_profile=(1.0,) * 24)
    >>> day = Period(datetime.fromisoformat("2026-03-03T00:00:00+00:00"), DAY_MS)
    >>> arrivals = Arrivals(traffic, day, ["UTC"])
    >>> arrivals.times_ms(np.array([10.0, 120.0]), np.array([0, 0])) / 3_600_000
    array([ 1., 12.])
    """

    def __init__(
        self, traffic: TrafficSettings, clock: Clock | Period, time_zones: Sequence[str], window: Window | None = None
    ) -> None:
        start, length_ms = clock.start, clock.length_ms
        # The grid starts at the quarter of an hour before the start, which may be off it.
        first_step = -(round(start.timestamp() * 1000) % _STEP_MS)
        inner = np.arange(first_step + _STEP_MS, length_ms, _STEP_MS)
        bounds = [] if window is None else [ms for ms in (window.start_ms, window.end_ms) if 0 < ms < length_ms]
        # The window's bounds are grid points, so that intensity is constant within each step.
        grid_ms = np.union1d(np.concatenate(([0], inner, [length_ms])), bounds).astype(np.int64)
        amount = _growth_integral(grid_ms, traffic.growth_per_week)
        if window is not None:
            inside = (grid_ms[:-1] >= window.start_ms) & (grid_ms[:-1] < window.end_ms)
            amount = amount * np.where(inside, window.factor, 0.0)
        super().__init__(grid_ms, _expected_in(time_zones, traffic, grid_ms, start, amount))


def _expected_in(
    zones: Sequence[str], traffic: TrafficSettings, grid_ms: Integers, start: datetime, amount: Floats
) -> Floats:
    """Expected visitors up to each grid point if all visitors lived in one zone; shape (zones, points)."""
    moment = pl.Series("at", grid_ms[:-1] + round(start.timestamp() * 1000)).cast(pl.Datetime("ms", "UTC"))
    local = [pl.col("at").dt.convert_time_zone(zone).dt for zone in zones]
    # One query for all zones: the fixed cost of a query exceeds that of its rows.
    local_times = moment.to_frame().select(
        *(time.hour().alias(f"hour {place}") for place, time in enumerate(local)),
        *(time.weekday().alias(f"weekday {place}") for place, time in enumerate(local)),
    )
    hour, weekday = local_times.to_numpy().T.astype(np.int64).reshape(2, len(zones), -1)
    # Relative to the mean, so that a flat profile is 1 in every hour.
    profile = np.array(traffic.hourly_profile) / np.mean(traffic.hourly_profile)
    weight = np.array(traffic.weekday_weights)[weekday - 1]
    per_ms = traffic.visitors_per_day / DAY_MS * profile[hour] * weight
    return np.cumsum(np.pad(per_ms * amount, ((0, 0), (1, 0))), axis=1)


def _growth_integral(grid_ms: Integers, growth_per_week: float) -> Floats:
    """Length of each grid step in ms, weighted by the growth since the start: ∫ (1 + g)^(t / week) dt."""
    rate = np.log1p(growth_per_week) / (7 * DAY_MS)
    # The formula below divides by the rate.
    if rate == 0:
        return np.diff(grid_ms).astype(np.float64)
    total: Floats = np.expm1(rate * grid_ms) / rate
    return np.diff(total)

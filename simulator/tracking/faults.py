"""Tracking faults: what goes wrong with each event of a browser, drawn before it is sent.

Every fault has its own random stream, and every draw is addressed: draws of a browser by its random word, draws of an
event by its number in addition. So no rate affects the draws of another fault, and of two scenarios with the same seed
the one with the higher rate loses all events that the other loses, and more.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from analytics.events.geography import REGION_OF_COUNTRY
from analytics.events.tracking_plan import SERVER_LIBRARIES
from simulator.engine.arrays import Bools, Floats, Integers, Words, sparse_column
from simulator.engine.streams import Streams
from simulator.settings.tracking import TrackingSettings

CORRUPTIONS: Final = ("truncated", "garbled")
"""Kinds of corruption of a line."""

# Milliseconds in the units of the settings.
_SECOND_MS, _MINUTE_MS = 1000.0, 60_000.0


class TrackingFaults:
    """Draws the faults of events.

    Args:
        settings: Rates and durations.
        streams: Random streams of the replication.
    """

    def __init__(self, settings: TrackingSettings, streams: Streams) -> None:
        self._settings = settings
        self._streams = streams

    def draw(self, sent: pl.DataFrame) -> pl.DataFrame:
        """Draw the faults of a batch.

        Args:
            sent: Events from the tracker, with their addresses.

        Returns:
            One row for each event. ``_blocked`` and ``_refused``: whether it is never sent; then it has no other fault.
                ``_late_ms``, ``_network_ms``, ``_skew_ms``: delays and clock error, null without. ``_duplicate_ms``,
                ``_conflict_ms``: time to a second delivery, null without; a malformed line is not sent again.
                ``_damage`` (one of :data:`CORRUPTIONS`, null without) and ``_place``, its position in the line, from 0
                to 1.
        """
        settings, draws = self._settings, _Draws(self._streams, sent)
        in_browser = ~sent["context_library_name"].cast(pl.String).is_in(list(SERVER_LIBRARIES)).to_numpy()
        ad_blocker_rate = _rates(settings.ad_blocker_rate, _devices(sent)) * _factors(settings, sent["_persona"])
        blocked = in_browser & draws.browser_hit("ad_blocker", ad_blocker_rate)
        refused = in_browser & draws.browser_hit("consent", _rates(settings.consent_refusal_rate, _regions(sent)))
        # An event that is never sent has no other fault.
        goes = in_browser & ~blocked & ~refused
        breaks = goes & draws.hit("malformed", settings.malformed_rate)
        # The retry would replace a malformed line.
        whole = goes & ~breaks
        skewed = goes & draws.browser_hit("clock_skew", settings.clock_skew_rate)
        again_ms = settings.duplicate_minutes * _MINUTE_MS
        return pl.DataFrame(
            {
                "_blocked": blocked,
                "_refused": refused,
                "_late_ms": draws.delay("late", goes, settings.late_rate, settings.late_minutes * _MINUTE_MS),
                "_network_ms": draws.delay(
                    "reorder", goes, settings.reorder_rate, settings.reorder_seconds * _SECOND_MS
                ),
                "_skew_ms": draws.clock_error(skewed, settings.clock_skew_seconds * _SECOND_MS),
                "_duplicate_ms": draws.delay("duplicate", whole, settings.duplicate_rate, again_ms),
                "_conflict_ms": draws.delay("conflict", whole, settings.id_collision_rate, again_ms),
                **draws.damage(breaks),
            }
        )


class _Draws:
    """Draws of one batch; a fault with rate 0 needs none."""

    def __init__(self, streams: Streams, sent: pl.DataFrame) -> None:
        self._streams = streams
        self._browser: Words = sent["_browser"].to_numpy()
        # Two events share an address only if the 64-bit words of their browsers are nearly equal: practically never.
        self._event: Words = self._browser + sent["_message"].to_numpy().astype(np.uint64)

    def browser_hit(self, source: str, rate: float | Floats) -> Bools:
        """Whether a fault affects each event's browser."""
        return self._below(source, rate, self._browser)

    def hit(self, source: str, rate: float) -> Bools:
        """Whether a fault affects each event."""
        return self._below(source, rate, self._event)

    def delay(self, source: str, may: Bools, rate: float, mean_ms: float) -> pl.Series:
        """Exponential delay of the affected events, in whole milliseconds and at least one."""
        rows = np.flatnonzero(may & self.hit(source, rate))
        uniforms = self._at(f"{source}_delay", self._event, rows)
        return sparse_column(len(may), rows, pl.Series(np.ceil(-mean_ms * np.log(uniforms)).astype(np.int64)))

    def clock_error(self, skewed: Bools, deviation_ms: float) -> pl.Series:
        """Normal error of wrong clocks in whole milliseconds, by the Box–Muller transform."""
        rows = np.flatnonzero(skewed)
        radius = np.sqrt(-2 * np.log(self._at("clock_skew_radius", self._browser, rows)))
        angle = 2 * np.pi * self._at("clock_skew_angle", self._browser, rows)
        return sparse_column(
            len(skewed), rows, pl.Series(np.rint(deviation_ms * radius * np.cos(angle)).astype(np.int64))
        )

    def damage(self, breaks: Bools) -> dict[str, pl.Series]:
        """Kind and position of the corruption of each malformed line."""
        rows = np.flatnonzero(breaks)
        # The stream keeps its old name: renaming it would change the draws.
        kind = (self._at("damage", self._event, rows) * len(CORRUPTIONS)).astype(np.int64)
        place = sparse_column(len(breaks), rows, pl.Series(self._at("damage_place", self._event, rows)))
        names = pl.Series([*CORRUPTIONS], dtype=pl.Enum(CORRUPTIONS))
        return {"_damage": names.gather(sparse_column(len(breaks), rows, pl.Series(kind))), "_place": place}

    def _below(self, source: str, rate: float | Floats, address: Words) -> Bools:
        # Most rates are 0: skip the draws of the whole batch.
        if not np.any(rate):
            return np.zeros(len(address), dtype=bool)
        # Strictly below, so that a rate of 0 affects nobody and a rate of 1 everybody.
        below: Bools = self._uniforms(source, address) < rate
        return below

    def _at(self, source: str, address: Words, rows: Integers) -> Floats:
        return self._uniforms(source, address[rows])

    def _uniforms(self, source: str, address: Words) -> Floats:
        return self._streams.uniforms(f"tracking.{source}").at(address)


def _rates(rate: float | dict[str, float], classes: pl.Series) -> float | Floats:
    """Rate of each event: one for all, or that of its class."""
    if not isinstance(rate, dict):
        return rate
    return classes.replace_strict(rate, default=0.0, return_dtype=pl.Float64).to_numpy()


def _factors(settings: TrackingSettings, personas: pl.Series) -> float | Floats:
    """Multiplier of the ad blocker rate for each event's visitor."""
    factors = settings.ad_blocker_factors
    if not factors:
        return 1.0
    return personas.cast(pl.String).replace_strict(factors, default=1.0, return_dtype=pl.Float64).to_numpy()


def _devices(sent: pl.DataFrame) -> pl.Series:
    return sent["context_device_type"].cast(pl.String)


def _regions(sent: pl.DataFrame) -> pl.Series:
    return sent["context_location_country"].cast(pl.String).replace_strict(REGION_OF_COUNTRY, default=None)

"""Built-in traffic sources."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from simulator.agents.traffic_source import TrafficSource
from simulator.engine.arrays import Floats
from simulator.settings.base import Positive
from simulator.settings.traffic import Moment
from simulator.world.traffic_rule import Hours


class Burst(TrafficSource):
    """A burst: most visitors come at once and ever fewer later, as after a newsletter or a popular post."""

    class Settings(TrafficSource.Settings):
        """Settings of the burst, beside those of every source.

        Attributes:
            start: First moment, as exact as an hour of the clock: visitors of the hour in which it lies come evenly in
                that hour. UTC unless it has another time zone.
            visitors: Visitors expected in all time, including the part outside the simulation.
            half_life_hours: Time in which half of the visitors come, then half of the rest, and so on.
        """

        start: Moment = datetime(2026, 3, 3, 9, tzinfo=UTC)
        visitors: Positive = 500.0
        half_life_hours: Positive = 3.0

    settings: Settings

    def expected_visitors(self, hours: Hours) -> Floats:
        """Exponential decay: the difference of the visitors expected until the end and the start of each hour."""
        since = hours.since(self.settings.start)
        begins, ends = (
            1 - np.exp2(-np.maximum(each, 0.0) / self.settings.half_life_hours) for each in (since, since + 1)
        )
        expected: Floats = self.settings.visitors * (ends - begins)
        return expected

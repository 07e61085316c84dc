"""Probes: what is measured while the clock runs."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, ClassVar, Final, Self

import polars as pl
import simpy
from pydantic import model_validator

from analytics.events.tracking_plan import UTC_MS
from simulator.agents.component import ModelView
from simulator.engine.clock import MINUTE_MS
from simulator.settings.base import Positive, Settings as SettingsModel
from simulator.settings.own_classes import check_class
from simulator.settings.plugins import PROBES
from simulator.settings.world import WorldSettings

PROBE_SCHEMA: Final = pl.Schema({"time": UTC_MS, "measure": pl.String(), "value": pl.Float64()})
"""Columns of a probe's table: one row for each measure and time."""

_LAST = (2**60,)
"""Rank of a measurement: after everything else of its millisecond."""


class Probe:
    """Base class of the probes of a world: they measure the model every few minutes, after events, or both.

    They change nothing.

    Measure what belongs to the world: the sales team, components. Only some visitors are on the clock, and which ones
    depends on the speed that is asked for.

    Args:
        name: Name of the probe in the model; that of its class unless given.
        settings: Settings of the probe, as keyword arguments.

    Attributes:
        name: Its name.
        settings: Its settings, checked.
        model: The model, once it has started.
    """

    class Settings(SettingsModel):
        """Settings of the probe.

        Attributes:
            every_minutes: Time between two measurements; null to measure after events only.
            on_events: Names of events after each of which is measured too: "Demo Requested", those of the sales team,
                and those of components.
        """

        every_minutes: Positive | None = 15.0
        on_events: tuple[str, ...] = ()

        @model_validator(mode="after")
        def _measures_some_time(self) -> Self:
            if self.every_minutes is None and not self.on_events:
                raise ValueError("give every_minutes or on_events: nothing would be measured")
            return self

    registered_as: ClassVar[str] = PROBES
    """Group of entry points under which packages register such classes by short names."""

    settings: Any
    model: ModelView

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - as Python has it
        super().__init_subclass__(**options)
        check_class(cls, Probe.Settings)

    def __init__(self, name: str | None = None, /, **settings: object) -> None:
        self.name = name or type(self).__name__
        self.settings = self.Settings(**settings)
        self._rows: list[tuple[int, str, float]] = []
        self._measured_ms = self._due_ms = -1

    def check(self, world: WorldSettings) -> None:
        """Check the settings against the world that they are for, as :meth:`Component.check` does."""

    def measure(self) -> Mapping[str, float]:
        """Measures of now, by name."""
        raise NotImplementedError

    def attach(self, model: ModelView) -> None:
        """Put the probe into a model and start it."""
        self.model = model
        for event in self.settings.on_events:
            model.subscribe(event, self._measure_soon)
        if self.settings.every_minutes is not None:
            model.env.process(self._measure_often())

    def _measure_often(self) -> Generator[simpy.Event, object, None]:
        every_ms = max(1, round(MINUTE_MS * self.settings.every_minutes))
        for at_ms in range(0, self.model.clock.length_ms, every_ms):
            yield self.model.clock.until(at_ms, _LAST)
            self._measure()

    def _measure_soon(self) -> None:
        """Measure at the end of this millisecond, when all that the event entails has happened."""
        clock = self.model.clock
        if self._due_ms < clock.now_ms:
            self._due_ms = clock.now_ms
            clock.until(clock.now_ms, _LAST).callbacks.append(lambda _: self._measure())

    def _measure(self) -> None:
        now_ms = self.model.clock.now_ms
        # Several events of one millisecond leave the same state, which is one measurement.
        if now_ms > self._measured_ms:
            self._measured_ms = now_ms
            self._rows += [(now_ms, name, float(value)) for name, value in self.measure().items()]

    def frame(self) -> pl.DataFrame:
        """Everything measured so far; columns as in :data:`PROBE_SCHEMA`."""
        table = pl.DataFrame(
            self._rows, schema={"at": pl.Int64, "measure": pl.String, "value": pl.Float64}, orient="row"
        )
        return table.select(
            (pl.lit(self.model.clock.start, UTC_MS) + pl.duration(milliseconds="at")).cast(UTC_MS).alias("time"),
            "measure",
            "value",
        )

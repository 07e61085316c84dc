"""The sales team behind the form: representatives who answer demo requests, first come, first served."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import simpy

from simulator.settings import Count, Positive, Settings

__all__ = ["DemoRequest", "SalesDesk", "SalesOutcome", "SalesSettings"]


class SalesSettings(Settings):
    """The team. The default figures are assumptions.

    Attributes:
        reps: Representatives, on duty around the clock.
        demo_minutes: Mean length of a demo, with call and follow-up, in minutes; lengths are exponential.
    """

    reps: Count = 14
    demo_minutes: Positive = 45.0


@dataclass
class DemoRequest:
    """One request and what became of it. Times are simulated seconds; None for what has not happened.

    Attributes:
        visitor: Identifier of who asked (the anonymous id).
        requested_s: When the form was sent.
        demo_s: How long the demo takes, in seconds.
        started_s: When a representative took it up.
        held_s: When the demo was over.
    """

    visitor: str
    requested_s: float
    demo_s: float
    started_s: float | None = None
    held_s: float | None = None


@dataclass(frozen=True)
class SalesOutcome:
    """What the team achieved.

    Attributes:
        requests: One row per request: ``anonymous_id``, ``requested_s``, ``started_s``, ``held_s`` (seconds since the
            start, null for what has not happened), ``wait_minutes`` until a representative took it up.
        summary: ``requests``, ``started``, ``held`` (counts), ``wait_minutes_mean``, ``wait_minutes_p90`` (of those
            taken up; None when there are none) and ``utilisation`` (busy share of the team's time).
    """

    requests: pl.DataFrame
    summary: dict[str, float | None]


@dataclass
class SalesDesk:
    """The team at work, as a SimPy resource.

    Args:
        env: SimPy environment, in seconds.
        settings: The team.
    """

    env: simpy.Environment
    settings: SalesSettings
    requests: list[DemoRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reps = simpy.Resource(self.env, capacity=self.settings.reps)

    def request_demo(
        self, visitor: str, demo_minutes: float, when_held: Callable[[DemoRequest], None] | None = None
    ) -> DemoRequest:
        """Enter a request now.

        Args:
            visitor: Identifier of who asks.
            demo_minutes: How long the demo will take once a representative is free.
            when_held: Called with the request when the demo is over.
        """
        request = DemoRequest(visitor, self.env.now, 60 * demo_minutes)
        self.requests.append(request)
        self.env.process(self._serve(request, when_held))
        return request

    def _serve(
        self, request: DemoRequest, when_held: Callable[[DemoRequest], None] | None
    ) -> Generator[simpy.Event, None, None]:
        with self.reps.request() as turn:
            yield turn
            request.started_s = self.env.now
            yield self.env.timeout(request.demo_s)
            request.held_s = self.env.now
        if when_held is not None:
            when_held(request)

    def outcome(self, length_s: float) -> SalesOutcome:
        """What the team achieved in the first ``length_s`` seconds."""
        table = pl.DataFrame(
            {
                "anonymous_id": [request.visitor for request in self.requests],
                "requested_s": [request.requested_s for request in self.requests],
                "started_s": [request.started_s for request in self.requests],
                "held_s": [request.held_s for request in self.requests],
            },
            schema={
                "anonymous_id": pl.String,
                "requested_s": pl.Float64,
                "started_s": pl.Float64,
                "held_s": pl.Float64,
            },
        ).with_columns(wait_minutes=(pl.col("started_s") - pl.col("requested_s")) / 60)
        waits = table["wait_minutes"].drop_nulls().to_numpy()
        busy_s = sum(
            min(request.demo_s, length_s - request.started_s)
            for request in self.requests
            if request.started_s is not None and request.started_s < length_s
        )
        summary: dict[str, float | None] = {
            "requests": table.height,
            "started": len(waits),
            "held": table["held_s"].count(),
            "wait_minutes_mean": float(waits.mean()) if len(waits) else None,
            "wait_minutes_p90": float(np.quantile(waits, 0.9)) if len(waits) else None,
            "utilisation": busy_s / (self.settings.reps * length_s),
        }
        return SalesOutcome(table, summary)

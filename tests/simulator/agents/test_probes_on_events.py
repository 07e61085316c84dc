"""Probes measure after events, whoever is on the clock when they happen."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest
from pydantic import ValidationError

from simulator.agents.probe import Probe
from simulator.components.live_chat import LiveChat
from simulator.errors import ComponentError
from simulator.model import Model
from simulator.settings.world import ActiveAgents, WorldSettings

WORLD = WorldSettings.model_validate(
    {"clock": {"hours": 24}, "traffic": {"visitors_per_day": 400}, "intent": {"intercept": -2.0}}
)


class Requests(Probe):
    """Requests so far, and chats under way."""

    def measure(self) -> Mapping[str, float]:
        """Both numbers."""
        return {"requests": len(self.model.sales.requests)}


def measured(active_agents: ActiveAgents, **settings: object) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the probe has measured, and all events."""
    probe = Requests("requests", **settings)
    model = Model(WORLD, seed=3, probes=[probe], components=[LiveChat("chat")], active_agents=active_agents).run()
    return model.outcome.probes["requests"], model.events


@pytest.mark.parametrize("event", ["Demo Requested", "Demo Scheduled", "Live Chat Started"])
def test_each_event_is_measured_once_it_has_happened(event: str) -> None:
    """One row for each event, at its time; the request itself is counted already."""
    found, events = measured("interacting", every_minutes=None, on_events=[event])
    times = events.filter(event=event)["timestamp"].unique().sort()
    assert len(times) > 10
    assert found["time"].to_list() == times.to_list()
    if event == "Demo Requested":
        assert found["value"].to_list() == list(range(1, len(times) + 1))


def test_events_are_measured_beside_the_minutes_and_whoever_is_awake() -> None:
    """Both kinds of times are there, in order, and the same with everybody on the clock."""
    settings = {"every_minutes": 60.0, "on_events": ["Demo Requested"]}
    found, events = measured("interacting", **settings)
    assert found.height == 24 + events.filter(event="Demo Requested").height
    assert found["time"].is_sorted()
    assert found.equals(measured("all", **settings)[0])


def test_what_cannot_be_measured_is_refused() -> None:
    """An unknown event is an error with a suggestion, and so is a probe that never measures."""
    with pytest.raises(ComponentError, match="there is no event 'Demo Reqested'; did you mean 'Demo Requested'"):
        measured("interacting", on_events=["Demo Reqested"])
    with pytest.raises(ValidationError, match="give every_minutes or on_events"):
        Requests("requests", every_minutes=None)

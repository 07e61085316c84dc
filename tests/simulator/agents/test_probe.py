"""Claims about probes: they measure in time, and change nothing."""

from collections.abc import Mapping
from datetime import timedelta

from acting import lived
from small_worlds import check_same

from simulator.agents.probe import PROBE_SCHEMA, Probe
from simulator.components.live_chat import LiveChat
from simulator.components.probes import QueueLength


class Busy(Probe):
    """Chats that are under way, and the time."""

    def measure(self) -> Mapping[str, float]:
        """Both."""
        return {"chats": self.model.components["chat"].agents.count, "hours": self.model.clock.now_ms / 3_600_000}  # type: ignore[attr-defined]  # the model itself


def test_probes_measure_every_few_minutes_and_change_nothing():
    """From the start on, until the end and not at it; each has a table, and the world is the same without."""
    settings = {"intent": {"target_conversion": 0.1}}
    model = lived(LiveChat("chat"), probes=[Busy("busy", every_minutes=7.5), QueueLength("inbox")], **settings)
    frame, start = model.outcome.probes["busy"], model.clock.start
    assert frame.schema == PROBE_SCHEMA == model.outcome.probes["inbox"].schema
    hours = frame.filter(measure="hours")
    assert hours["time"].to_list() == [start + number * timedelta(minutes=7.5) for number in range(12 * 8)]
    assert hours["value"].to_list() == [number / 8 for number in range(12 * 8)]
    assert frame.filter(measure="chats")["value"].is_between(0, 3).all()
    assert frame.filter(measure="chats")["value"].max() > 0
    without = lived(LiveChat("chat"), **settings)
    without.outcome.probes.update(model.outcome.probes)  # type: ignore[attr-defined]  # nothing else differs
    check_same(model, without)

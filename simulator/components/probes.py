"""Built-in probes."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.agents.probe import Probe


class QueueLength(Probe):
    """Requests that wait for an answer, by sales team."""

    def measure(self) -> Mapping[str, float]:
        """Length of each team's inbox."""
        return self.model.sales.queue_lengths()

"""Delivered hours: what happened in each hour becomes events, and these go to the sinks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from simulator.replication.generator import EventGenerator
from simulator.tracking.activity import HourActivity
from simulator.tracking.delivery import Sink
from simulator.tracking.labels import LabelKeeper
from simulator.tracking.transport import DeliveryQueue

_MAX_RECORDS_TOGETHER: Final = 20_000
"""Activity records up to which hours wait for each other: a quiet hour costs as much as its first thousand events."""

_MAX_HOURS_TOGETHER: Final = 24


class DeliveredHours:
    """Delivers hours to the sinks: several quiet ones together if all sinks allow it, else each as soon as it is over.

    Args:
        generator: Makes events of what happened.
        sinks: Receive the events of each hour in turn.
        labels: Stores the faults of events.
    """

    def __init__(self, generator: EventGenerator, sinks: Sequence[Sink], labels: LabelKeeper) -> None:
        self._counts = Counter[str]()
        self._generator, self._sinks, self._labels = generator, sinks, labels
        self._queue = DeliveryQueue(generator.transport)
        self._waiting: dict[int, HourActivity] = {}
        self._may_wait = all(getattr(sink, "joins_hours", False) for sink in sinks)
        self._has_failed = False

    @property
    def counts(self) -> Counter[str]:
        """Counts of what was sent and received.

        Raises:
            ValueError: As for :meth:`flush`.
        """
        self._require_whole()
        return self._counts

    def add(self, hour: int, happened: HourActivity) -> None:
        """Add an hour; it waits for later ones if all sinks have a true ``joins_hours``.

        Args:
            hour: Number of the hour, from 0; each in turn.
            happened: What happened in it.
        """
        n_records = len(happened.records) + sum(len(activity.records) for activity in self._waiting.values())
        if n_records > _MAX_RECORDS_TOGETHER or len(self._waiting) == _MAX_HOURS_TOGETHER:
            self.flush()
        self._waiting[hour] = happened
        if not self._may_wait:
            self.flush()

    def flush(self) -> None:
        """Deliver all hours that wait.

        Raises:
            ValueError: An earlier delivery has failed, so that events are missing.
        """
        self._require_whole()
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        hours = range(min(waiting), max(waiting) + 1)
        # Until all sinks have everything: whatever comes after an error would have a gap.
        self._has_failed = True
        for true_counts, delivery in self._queue.deliver(self._generator.emit(waiting), hours):
            for sink in self._sinks:
                sink.write(delivery)
            self._labels.add(delivery.labels)
            # Both kinds of counts have different names, so they can share one counter.
            self._counts.update({**true_counts, **delivery.counts})
        self._has_failed = False

    def close(self) -> None:
        """Deliver all hours that wait, and close the sinks."""
        self.flush()
        for sink in self._sinks:
            sink.close()

    def _require_whole(self) -> None:
        if self._has_failed:
            raise ValueError("a sink has failed, and its events are lost: make a new model and run that")

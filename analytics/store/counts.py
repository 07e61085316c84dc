"""The counts of a store: the verdicts on the events received, and how late the late ones were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.errors import AnalyticsError
from analytics.events.dead_letters import DeadLetterReason
from analytics.store.seen_ids import Verdict

UNASKED: Final = "unasked"
"""Key of an offset of what is taken in again: how many of the dead letters before it were only kept as before."""


@dataclass(frozen=True)
class Counts:
    """Numbers of received events by outcome (accepted, duplicate, …); every event is counted once.

    Raises:
        AnalyticsError: The parts do not sum to what was received.
    """

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    late: int = 0
    invalid: int = 0

    def __post_init__(self) -> None:
        parts = self.accepted + self.duplicate + self.conflict + self.late + self.invalid
        # Checked whenever counts are made, so that an event lost on the way cannot go unnoticed.
        if self.received != parts:
            raise AnalyticsError(
                f"{self.received} events received, but {parts} accounted for; this is a bug of funnelsim"
            )

    @classmethod
    def of(cls, received: int, verdicts: NDArray[np.int8], invalid: int) -> Counts:
        """Count the verdicts on a batch, beside the events that were not judged because they are invalid."""
        # With a length for every verdict, also those that did not occur.
        n_of = np.bincount(verdicts, minlength=len(Verdict)).tolist()
        judged = {verdict.name.lower(): n_of[verdict] for verdict in Verdict}
        return cls(received=received, invalid=invalid, **judged)

    def __add__(self, other: Counts) -> Counts:
        mine, others = asdict(self), asdict(other)
        return Counts(**{name: mine[name] + others[name] for name in mine})

    def __sub__(self, other: Counts) -> Counts:
        mine, others = asdict(self), asdict(other)
        return Counts(**{name: mine[name] - others[name] for name in mine})


@dataclass(frozen=True)
class Lateness:
    """How late the late events were: stream time minus event time, in seconds; None when there were none."""

    max_s: float | None = None
    mean_s: float | None = None


@dataclass
class StoreCounters:
    """All counts of a store, over the whole stream.

    Args:
        counts: Events by verdict.
        accepted_by_type: Accepted events of each call.
        invalid_by_reason: Dead letters by reason.
        n_future: Events that claimed an impossible time.
        late_ms_sum: Sum of the late events' lateness, in milliseconds.
        late_ms_max: The largest of them.
        ignored_times: Times of usable events that could not be read, by their keys.
        again: Events that were taken in again after they had been invalid or late, by verdict; ``counts`` has how they
            were judged the first time.
        forgotten: Accepted events that were removed later, with the person they are of.
    """

    counts: Counts = field(default_factory=Counts)
    accepted_by_type: Counter[str] = field(default_factory=Counter)
    invalid_by_reason: Counter[DeadLetterReason] = field(default_factory=Counter)
    n_future: int = 0
    # Integers: a sum of floats would depend on how the stream was cut into batches.
    late_ms_sum: int = 0
    late_ms_max: int = 0
    ignored_times: Counter[str] = field(default_factory=Counter)
    again: Counts = field(default_factory=Counts)
    forgotten: int = 0

    def __add__(self, other: StoreCounters) -> StoreCounters:
        return StoreCounters(
            self.counts + other.counts,
            self.accepted_by_type + other.accepted_by_type,
            self.invalid_by_reason + other.invalid_by_reason,
            self.n_future + other.n_future,
            self.late_ms_sum + other.late_ms_sum,
            max(self.late_ms_max, other.late_ms_max),
            self.ignored_times + other.ignored_times,
            self.again + other.again,
            self.forgotten + other.forgotten,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the inverse of :meth:`from_dict`; kinds of events are sorted."""
        # `dataclasses.asdict` would rebuild a Counter from its items and so count the pairs.
        return {
            "counts": asdict(self.counts),
            "accepted_by_type": dict(sorted(self.accepted_by_type.items())),
            "invalid_by_reason": {str(reason): n for reason, n in sorted(self.invalid_by_reason.items())},
            "n_future": self.n_future,
            "late_ms_sum": self.late_ms_sum,
            "late_ms_max": self.late_ms_max,
            # Only if there are any: most stores have none, and their digests stay those of earlier versions.
            **({"ignored_times": dict(sorted(self.ignored_times.items()))} if self.ignored_times else {}),
            **({"again": asdict(self.again)} if self.again.received else {}),
            **({"forgotten": self.forgotten} if self.forgotten else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StoreCounters:
        """Counters from the data of :meth:`to_dict`."""
        return cls(
            Counts(**data["counts"]),
            Counter(data["accepted_by_type"]),
            Counter({DeadLetterReason(reason): n for reason, n in data["invalid_by_reason"].items()}),
            data["n_future"],
            data["late_ms_sum"],
            data["late_ms_max"],
            Counter(data.get("ignored_times", {})),
            Counts(**data.get("again", {})),
            data.get("forgotten", 0),
        )

    def count(self, counts: Counts, *, again: bool) -> None:
        """Add a batch, among the events that came before if these are some."""
        if again:
            self.again += counts
        else:
            self.counts += counts

    def count_late(self, lateness_ms: NDArray[np.int64]) -> None:
        """Add the lateness of some events, in milliseconds; shape (events,)."""
        if len(lateness_ms):
            self.late_ms_sum += int(lateness_ms.sum())
            self.late_ms_max = max(self.late_ms_max, int(lateness_ms.max()))

    @property
    def lateness(self) -> Lateness:
        """How late the late events were."""
        if not self.counts.late:
            return Lateness()
        return Lateness(self.late_ms_max / 1000, self.late_ms_sum / self.counts.late / 1000)

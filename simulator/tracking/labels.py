"""Labels: what befell which event between truth and collector, so that cleaning and statistics can be scored."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Protocol

import polars as pl

from analytics.events.tracking_plan import UTC_MS

__all__ = ["LABELS_ORDER", "LABELS_SCHEMA", "KeptLabels", "Label", "LabelKeeper", "labelled"]


class Label(StrEnum):
    """What befell an event; several may befall the same one."""

    BLOCKED = "blocked"
    NO_CONSENT = "no_consent"
    LATE = "late"
    REORDERED = "reordered"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    CLOCK_SKEW = "clock_skew"
    MALFORMED = "malformed"
    CRAWLER = "crawler"
    DISGUISED_BOT = "disguised_bot"
    NOT_RECEIVED = "not_received"


_LABEL: Final = pl.Enum([label.value for label in Label])

LABELS_SCHEMA: Final = pl.Schema(
    {
        "message_id": pl.String(),
        "anonymous_id": pl.String(),
        "label": _LABEL,
        "true_time": UTC_MS,
        "received_at": UTC_MS,
        "detail": pl.String(),
    }
)
"""Columns of the table of labels, one row for each event and label.

``true_time``: when the event happened; for a bot's, when it arrived. ``received_at``: when the delivery that the label
speaks of arrived (for ``duplicate`` and ``conflict`` the second one), null if it never did. ``detail``: the device or
country of a loss, the length of a delay, the error of a clock, the kind of damage, which delivery was not received.
"""

LABELS_ORDER: Final = ("true_time", "message_id", "label", "detail")
"""What the table of labels is sorted by."""


class LabelKeeper(Protocol):
    """Keeps the labels of a run."""

    def add(self, labels: pl.DataFrame) -> None:
        """Take the labels of an hour."""

    @property
    def labels(self) -> pl.DataFrame:
        """All labels so far, in order of true time."""


class KeptLabels:
    """Keeps labels in memory."""

    def __init__(self) -> None:
        self._parts = [LABELS_SCHEMA.to_frame()]

    def add(self, labels: pl.DataFrame) -> None:
        """Take the labels of an hour."""
        if not labels.is_empty():
            self._parts.append(labels)

    @property
    def labels(self) -> pl.DataFrame:
        """All labels so far, in order of true time."""
        self._parts = [pl.concat(self._parts).sort(LABELS_ORDER)]
        return self._parts[0]


def labelled(
    events: pl.DataFrame, label: Label, where: pl.Expr | None = None, detail: pl.Expr | None = None
) -> pl.DataFrame:
    """Put a label on events.

    Args:
        events: Table with ``message_id``, ``anonymous_id``, ``_true_time`` and ``_arrival``.
        label: The label.
        where: Which of the events get it; all if not given.
        detail: What to say besides.
    """
    chosen = events if where is None else events.filter(where)
    return chosen.select(
        "message_id",
        "anonymous_id",
        pl.lit(label.value, _LABEL).alias("label"),
        pl.col("_true_time").alias("true_time"),
        pl.col("_arrival").alias("received_at"),
        (pl.lit(None, pl.String()) if detail is None else detail.cast(pl.String)).alias("detail"),
    )

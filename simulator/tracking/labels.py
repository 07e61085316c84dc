"""Labels: the faults of each event between truth and collector, so that data cleaning can be evaluated."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Protocol

import polars as pl

from analytics.events.tracking_plan import UTC_MS


class Label(StrEnum):
    """Fault of an event; one event may have several."""

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


# An enum column: labels repeat millions of times.
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

``true_time``: when the event happened; for a bot's, when it arrived. ``received_at``: arrival of the delivery that the
label refers to (for ``duplicate`` and ``conflict`` the second one), null if it was not received. ``detail``: the device
or country of a loss, the length of a delay, the error of a clock, the kind of corruption, or which delivery was not
received.
"""

NO_LABELS: Final = LABELS_SCHEMA.to_frame()
"""The table of labels without a row."""

LABELS_ORDER: Final = ("true_time", "message_id", "label", "detail")
"""Sort order of the table of labels."""


class LabelKeeper(Protocol):
    """Stores the labels of a run."""

    def add(self, labels: pl.DataFrame) -> None:
        """Add the labels of an hour."""

    @property
    def labels(self) -> pl.DataFrame:
        """All labels so far, by true time."""


class KeptLabels:
    """Stores labels in memory."""

    def __init__(self) -> None:
        self._parts = [NO_LABELS]

    def add(self, labels: pl.DataFrame) -> None:
        """Add the labels of an hour."""
        if not labels.is_empty():
            self._parts.append(labels)

    @property
    def labels(self) -> pl.DataFrame:
        """All labels so far, by true time."""
        # Keep the sorted table, so that reading the labels twice does not sort twice.
        self._parts = [pl.concat(self._parts).sort(LABELS_ORDER)]
        return self._parts[0]


def labelled(
    events: pl.DataFrame, label: Label, where: pl.Expr | None = None, detail: pl.Expr | None = None
) -> pl.DataFrame:
    """Label events.

    Args:
        events: Table with ``message_id``, ``anonymous_id``, ``_true_time`` and ``_arrival``.
        label: The label.
        where: Events to label; all unless given.
        detail: Value of the column ``detail``; null unless given.

    Returns:
        Rows of :data:`LABELS_SCHEMA`.
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


def faults_by_label(labels: pl.DataFrame) -> pl.DataFrame:
    """Count the labels of a run.

    Args:
        labels: Rows of :data:`LABELS_SCHEMA`.

    Returns:
        One row per label that occurs, in the order of :class:`Label`: ``label``, ``events`` and ``browsers``.

    >>> faults_by_label(NO_LABELS).columns
    ['label', 'events', 'browsers']
    """
    return (
        labels.group_by("label").agg(events=pl.len(), browsers=pl.col("anonymous_id").n_unique()).sort("label")
    ).with_columns(pl.col("label").cast(pl.String))

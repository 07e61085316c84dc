"""Arms of experiments, as a dimension of segments and as signals of the intent model.

``context.experiments`` of an event has the arms of its visitor, ``experiment=arm`` joined by ``;``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from analytics.events.dimensions import Dimension
from analytics.signals.definitions import EverSeen


def arm_dimension(experiment: str) -> Dimension:
    """Return the arms of an experiment as a dimension, with the experiment's name.

    Args:
        experiment: Name of the experiment.
    """
    text = pl.col("context_experiments").cast(pl.String)
    # Names come from files and may hold any character; the arm ends where the next experiment begins.
    arm = text.str.extract(rf"(?:^|;){re.escape(experiment)}=([^;]*)").cast(pl.Categorical)
    return Dimension(experiment, f"arm of the visitor in {experiment}", arm, "first")


def arm_signals(texts: Iterable[str]) -> tuple[EverSeen, ...]:
    """Return a signal for each arm in the events, except the first arm of each experiment, which is the reference.

    Args:
        texts: The values of ``context_experiments``, in any order.

    Returns:
        Signals named ``experiment=arm``, in order of their names, for ``visit_table`` and ``IntentModel``.

    >>> [signal.name for signal in arm_signals(["price=A;page=long", "price=B"])]
    ['price=B']
    """
    # Sorted, so that the reference arm does not depend on the order of events.
    texts = sorted(texts)
    labels = sorted({label for text in texts for label in text.split(";") if "=" in label})
    reference: dict[str, str] = {}
    for label in labels:
        # An arm means something only against another of its experiment; one signal too many would be collinear.
        reference.setdefault(label.split("=")[0], label)
    return tuple(
        EverSeen(
            label,
            f"is in the arm {label}",
            "context",
            "context_experiments",
            tuple(text for text in texts if label in text.split(";")),
        )
        for label in labels
        if label not in reference.values()
    )

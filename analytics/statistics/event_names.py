"""Names of events from other sources: renaming to those of the tracking plan, and names that are near them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from analytics.events.tracking_plan import CallType, EventName


def renamed(events: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """Rename `track` events to the names of the tracking plan.

    Args:
        events: Flat events.
        names: Name in the tracking plan by foreign name; other events are unchanged.

    Returns:
        The events, in their order; other calls than `track` keep their names.

    >>> events = pl.DataFrame({"type": ["track"], "event": ["Demo Booked"]})
    >>> renamed(events, {"Demo Booked": "Demo Requested"})["event"].to_list()
    ['Demo Requested']
    """
    if not names:
        return events
    ours = pl.col("event").cast(pl.String).replace(names).cast(events.schema["event"])
    return events.with_columns(pl.when(pl.col("type") == CallType.TRACK).then(ours).otherwise("event").alias("event"))


class NearName(NamedTuple):
    """A name that is almost one of the tracking plan, and so is probably meant as it.

    Args:
        theirs: Name of the events.
        ours: Name in the tracking plan.
        n_events: Number of events with their name.
    """

    theirs: str
    ours: str
    n_events: int


def near_names(unknown: Mapping[str, int]) -> list[NearName]:
    """Return names of `track` events that differ from one of the tracking plan only in spelling, order or tense.

    A slip of one letter, or of two that change places, is one of spelling.

    Args:
        unknown: Numbers of events by name, as of :func:`unknown_names`.

    Returns:
        The names, the most frequent first.

    >>> near_names({"demo_request": 1})
    [NearName(theirs='demo_request', ours='Demo Requested', n_events=1)]
    """
    ours = {_stems(name): str(name) for name in EventName}
    plain = {_letters(name): str(name) for name in EventName}
    named = [
        (theirs, ours.get(_stems(theirs)) or _misspelt(_letters(theirs), plain), n)
        for theirs, n in most_frequent(unknown)
    ]
    return [NearName(theirs, known, n) for theirs, known, n in named if known is not None]


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _misspelt(name: str, known: Mapping[str, str]) -> str | None:
    """The known name that this one is, but for one letter too many, missing or wrong, or two that changed places."""
    for right, ours in known.items():
        start = _n_alike(name, right)
        theirs, other = name[start:], right[start:]
        end = _n_alike(theirs[::-1], other[::-1])
        theirs, other = theirs[: len(theirs) - end], other[: len(other) - end]
        if max(len(theirs), len(other)) <= 1 or (len(theirs) == len("ab") and theirs == other[::-1]):
            return ours
    return None


def _n_alike(one: str, other: str) -> int:
    """Length of the beginning that two texts share."""
    shorter = min(len(one), len(other))
    return next((at for at in range(shorter) if one[at] != other[at]), shorter)


def _stems(name: str) -> tuple[str, ...]:
    """Stems of the words of a name, by the alphabet: "Requested a demo" and "demoRequest" have the same."""
    words = re.findall(
        r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower().replace("whitepaper", "white paper")
    )
    stems = {re.sub(r"(?:ings?|ed|es|e|s)$", "", word) for word in words if word not in {"a", "an", "the", "for"}}
    return tuple(sorted(stems))


def unknown_names(events: pl.DataFrame) -> Counter[str]:
    """Count the `track` events of each name outside the tracking plan.

    Args:
        events: Flat events.

    >>> unknown_names(pl.DataFrame({"type": ["track"] * 3, "event": ["Demo Booked", "Deal Won", "Demo Booked"]}))
    Counter({'Demo Booked': 2})
    """
    unknown = pl.col("event").is_not_null() & ~pl.col("event").cast(pl.String).is_in([str(name) for name in EventName])
    names = events.filter(unknown & (pl.col("type") == CallType.TRACK)).group_by(pl.col("event").cast(pl.String)).len()
    return Counter(dict(names.sort("event").iter_rows()))


def most_frequent(names: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names and their numbers of events, the most frequent first, by the alphabet among equals."""
    return sorted(names.items(), key=lambda each: (-each[1], each[0]))

"""A fingerprint of what a store holds and has counted: equal for equal states, however they came about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import polars as pl

from analytics.io.ndjson import encode
from analytics.store_counts import Tallies

__all__ = ["state_digest"]

_ENOUGH: Final = 25_000


def state_digest(
    facts: Mapping[str, int | None], tallies: Tallies, repeats: pl.DataFrame, hours: Iterable[pl.DataFrame]
) -> str:
    """Sha256 of a store's state, 64 hexadecimal digits; the same in every process that has the same Polars.

    Args:
        facts: Settings and times of the store.
        tallies: What it has counted.
        repeats: What came again; see :meth:`analytics.repeats.Repeats.since`.
        hours: The events of each hour, in their order.
    """
    about, times, lines = (hashlib.sha256() for _ in range(3))
    about.update(json.dumps([facts, tallies.to_dict()], sort_keys=True).encode())
    about.update(repeats.write_csv().encode())
    for events in _at_once(hours):
        times.update(events["event_time"].dt.epoch("ms").to_numpy().astype("<i8").tobytes())
        lines.update(encode(events))
    return hashlib.sha256(b"".join(each.digest() for each in (about, times, lines))).hexdigest()


def _at_once(hours: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Put small hours together: to write a line or a thousand takes as long."""
    waiting: list[pl.DataFrame] = []
    for events in hours:
        waiting.append(events)
        if sum(each.height for each in waiting) >= _ENOUGH:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)

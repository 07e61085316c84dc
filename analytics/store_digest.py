"""A fingerprint of what a store holds and has counted: equal for equal states, however they came about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

import polars as pl

from analytics.ndjson import encode
from analytics.store_counts import Tallies

__all__ = ["state_digest"]


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
    digest = hashlib.sha256(json.dumps([facts, tallies.to_dict()], sort_keys=True).encode())
    digest.update(repeats.write_csv().encode())
    for events in hours:
        digest.update(events["event_time"].dt.epoch("ms").to_numpy().astype("<i8").tobytes())
        digest.update(encode(events))
    return digest.hexdigest()

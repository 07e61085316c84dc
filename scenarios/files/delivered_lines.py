"""Lines of JSON that the collector received: the events, and the broken lines at their places among them."""

from __future__ import annotations

import polars as pl

from analytics.io.ndjson import encode
from simulator.tracking.delivery import Delivery

# No UTF-8 text holds this byte, so that no reader can take a garbled line for an event.
_NOISE = b"\xff"


def delivered_lines(delivery: Delivery) -> bytes:
    """Write a delivery in the order of arrival, each line ended by a newline.

    Args:
        delivery: Events and broken lines.

    Returns:
        UTF-8 text but for garbled bytes; empty for an empty delivery.
    """
    lines = encode(delivery.events)
    if delivery.malformed.is_empty():
        return lines
    whole, pieces, begin = lines.splitlines(keepends=True), [], 0
    for n_before, line in zip(delivery.malformed["n_before"], broken_lines(delivery.malformed), strict=True):
        pieces += [*whole[begin:n_before], line, b"\n"]
        begin = n_before
    return b"".join([*pieces, *whole[begin:]])


def broken_lines(malformed: pl.DataFrame) -> list[bytes]:
    """Break the lines of events: the bytes as they arrived, without newlines.

    Args:
        malformed: Events and their corruption; columns as in :data:`simulator.tracking.delivery.MALFORMED_SCHEMA`.

    Returns:
        One line for each row.
    """
    lines = encode(malformed).splitlines()
    damages = malformed.select("damage", "place").iter_rows()
    return [_broken(line, damage, place) for line, (damage, place) in zip(lines, damages, strict=True)]


def _broken(line: bytes, damage: str, place: float) -> bytes:
    """Truncate a line, or garble one byte of it. The result is never empty and never an event.

    Args:
        line: The line as it was sent.
        damage: Which of :data:`simulator.tracking.faults.CORRUPTIONS`.
        place: Where in the line, as a share of its length, from 0 to 1.
    """
    at = 1 + int(place * (len(line) - 1))
    return line[:at] if damage == "truncated" else line[: at - 1] + _NOISE + line[at:]

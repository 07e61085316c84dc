"""What a run depends on outside its settings: versions of libraries, and free memory."""

from __future__ import annotations

import math
import platform
from importlib import metadata
from typing import Final

import psutil

# Not all that are installed, only those that could change a number.
_LIBRARIES: Final = ("funnelsim", "polars", "numpy", "simpy", "statsmodels")


def installed_version() -> str:
    """Version of funnelsim."""
    return metadata.version("funnelsim")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the numbers depend on.

    Returns:
        Version by name: ``python``, ``funnelsim`` and each library.
    """
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in _LIBRARIES}


_BYTES_AN_EVENT: Final = 850
"""Peak memory of an analysis for each of its events, measured on runs of one to five million events."""

_BYTES_OF_VISITS: Final = 150
"""Memory for each event that an analysis in parts takes for visits and their fits: 6.5 GiB for 44 million events."""

_GIGABYTE: Final = 10**9

_MOST_EVENTS_A_PART: Final = 1_000_000
"""Parts are not larger than that: larger ones would be no faster."""


def parts_to_analyse(n_events: int, memory: int | None = None) -> int:
    """In how many parts so many events are analysed; 1 where all fit into memory, 0 where not even their visits do.

    Args:
        n_events: Number of events.
        memory: Bytes that the analysis may take; what is free unless given.

    >>> parts_to_analyse(10), parts_to_analyse(2_000_000, 10**9), parts_to_analyse(2_000_000, 10**8)
    (1, 3, 0)
    """
    limit = available_bytes() if memory is None else memory
    if n_events <= events_in_memory(limit):
        return 1
    left = limit - n_events * _BYTES_OF_VISITS
    if left <= 0:
        return 0
    return math.ceil(n_events / min(left / _BYTES_AN_EVENT, _MOST_EVENTS_A_PART))


def events_in_memory(memory: int) -> int:
    """How many events can be analysed without parts.

    Args:
        memory: Bytes that the analysis may take.
    """
    return memory // _BYTES_AN_EVENT


def no_room_to_analyse(n_events: int, memory: int | None = None) -> str:
    """Why so many events are not analysed, where they have no parts that fit into memory.

    Args:
        n_events: Number of events.
        memory: Bytes that the analysis may take; what is free unless given.
    """
    needed, limit = n_events * _BYTES_OF_VISITS, available_bytes() if memory is None else memory
    whose = "free" if memory is None else "allowed"
    return (
        f"the analysis of {n_events:,} events takes more than {_size(needed)} of memory, and {_size(limit)} are {whose}"
    )


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= _GIGABYTE else f"{n_bytes / 1e6:.1f} MB"


def available_bytes() -> int:
    """Memory that a process can get without swapping, in bytes."""
    return int(psutil.virtual_memory().available)

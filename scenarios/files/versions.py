"""What a run depends on outside its settings: versions of libraries, and free memory."""

from __future__ import annotations

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


def no_room_to_analyse(n_events: int) -> str | None:
    """Explain why so many events do not fit into memory; None if they fit.

    Args:
        n_events: Number of events.

    >>> no_room_to_analyse(10) is None
    True
    """
    needed, available = n_events * _BYTES_AN_EVENT, available_bytes()
    if needed <= available:
        return None
    return (
        f"the analysis of {n_events:,} events takes about {needed / 1e9:.1f} GB of memory, and "
        f"{available / 1e9:.1f} GB are free; the events are there, "
        "for a larger machine or a part of them (funnelsim analyze)"
    )


def available_bytes() -> int:
    """Memory that a process can get without swapping, in bytes."""
    return int(psutil.virtual_memory().available)

"""What a run depends on outside its settings: versions of libraries, and free memory."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Final

__all__ = ["available_bytes", "no_room_to_analyse", "versions"]

_LIBRARIES: Final = ("funnelsim", "polars", "numpy", "simpy", "statsmodels")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the numbers depend on."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in _LIBRARIES}


_BYTES_AN_EVENT: Final = 850
"""Peak memory of an analysis for each of its events, measured on runs of one to five million events."""

_MEMINFO: Final = Path("/proc/meminfo")


def no_room_to_analyse(n_events: int) -> str | None:
    """Explain why so many events do not fit into memory; None if they fit, or if free memory is unknown.

    Args:
        n_events: Number of events.
    """
    needed, available = n_events * _BYTES_AN_EVENT, available_bytes()
    if available is None or needed <= available:
        return None
    return (
        f"the analysis of {n_events:,} events takes about {needed / 1e9:.1f} GB of memory, and "
        f"{available / 1e9:.1f} GB are free; the events are there, "
        "for a larger machine or a part of them (funnelsim analyze)"
    )


def available_bytes() -> int | None:
    """Memory that can be had without swapping; None where the system does not say."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return next((1024 * int(size) for size in sizes), None)

"""Versions that the numbers depend on."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Final

__all__ = ["versions"]

_LIBRARIES: Final = ("funnelsim", "polars", "numpy", "simpy", "statsmodels")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the numbers depend on."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in _LIBRARIES}

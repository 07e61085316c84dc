"""Old names that are still accepted for one version, with a warning that gives the new name."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Final

_PASSED_OVER: Final = frozenset({"analytics", "simulator", "scenarios", "funnelsim", "pydantic"})
"""Packages whose lines the warning does not point at; pydantic calls the validators of settings."""


class OldNameWarning(FutureWarning):
    """Something was given by a name that the next version will not accept."""


def warn_of_old_name(old: str, new: str) -> None:
    """Warn that an old name was used; the warning points at the line of the user that led to it.

    Args:
        old: What was given, and where it stands if that is known, such as ``my.yaml:3:1: wake``.
        new: The name that has replaced it.

    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     warn_of_old_name("wake", "active_agents")
    >>> print(caught[0].message)
    wake is now called active_agents; the next version will not accept the old name
    """
    frame, stacklevel = inspect.currentframe(), 1
    # Counted, because the same setting is reached from a constructor, a file or a command at different depths.
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _PASSED_OVER:
        frame, stacklevel = frame.f_back, stacklevel + 1
    message = f"{old} is now called {new}; the next version will not accept the old name"
    warnings.warn(message, OldNameWarning, stacklevel=stacklevel)


def current_name(name: str, renamed: Mapping[str, str], kind: str) -> str:
    """Return the name that something has now, and warn where it was given by its old one.

    Args:
        name: The name as given; one that is not in ``renamed`` is returned as it is.
        renamed: Old names, with those that have replaced them.
        kind: What is named, for the warning, such as ``dimension``.

    >>> current_name("region", {"content": "page_group"}, "dimension")
    'region'
    """
    if name not in renamed:
        return name
    warn_of_old_name(f"the {kind} {name!r}", repr(renamed[name]))
    return renamed[name]

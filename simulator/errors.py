"""Errors of the simulator."""

from __future__ import annotations


class ComponentError(Exception):
    """A component, or a subclass of a visitor, does something that the world cannot represent."""

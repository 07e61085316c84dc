"""What can go wrong in the analytics: one small tree of errors, all of them about what was given.

.. code-block:: text

    AnalyticsError            something given cannot be used
    ├── EventFrameError       a table is not a table of events
    └── EventFileError        a file cannot be read as events
"""

from __future__ import annotations

__all__ = ["AnalyticsError", "EventFileError", "EventFrameError"]


class AnalyticsError(ValueError):
    """Something given to the analytics cannot be used; the message says what, and what was expected."""


class EventFrameError(AnalyticsError):
    """A table is not a table of events: a column has a type that cannot hold what the tracking plan says."""


class EventFileError(AnalyticsError):
    """A file cannot be read as events: it is missing, unreadable or a damaged archive."""

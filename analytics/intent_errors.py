"""Why an intent model cannot be fitted: each reason says what to do about it.

.. code-block:: text

    IntentModelError          the model gives no number that could be used
    ├── VisitTableError       the table is not a visit table, or a signal has no value in some rows
    ├── TooFewVisitsError     fewer requests (or visits without one) than the model has terms
    ├── OneOutcomeError       every visit ends in a request, or none does
    ├── SeparationError       signals foretell the outcome perfectly, so coefficients would be infinite (raised only
    │                         where a penalty is not wanted)
    └── ConvergenceError      Newton's method found no maximum of the likelihood
"""

from __future__ import annotations

from collections.abc import Sequence

from analytics.errors import AnalyticsError

__all__ = [
    "ConvergenceError",
    "IntentModelError",
    "OneOutcomeError",
    "SeparationError",
    "TooFewVisitsError",
    "VisitTableError",
]


class IntentModelError(AnalyticsError):
    """The intent model gives no number that could be used; the message says why and what to do."""


class VisitTableError(IntentModelError):
    """The table is not a visit table, or a signal has no value in some rows."""


class TooFewVisitsError(IntentModelError):
    """There are fewer requests (or fewer visits without one) than the model has terms."""


class OneOutcomeError(IntentModelError):
    """Every visit ends in a request, or none does: nothing tells the signals apart."""


class SeparationError(IntentModelError):
    """Signals foretell the outcome perfectly in some visits: coefficients would be infinite.

    Args:
        message: What was found and what to do.
        terms: Names of the terms whose coefficients are infinite.
    """

    def __init__(self, message: str, terms: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.terms = tuple(terms)


class ConvergenceError(IntentModelError):
    """Newton's method found no maximum of the likelihood."""

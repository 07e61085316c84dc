"""Definition of a measure, its view of a run, and the checks of its arguments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import polars as pl

from analytics.settings import AnalyticsSettings
from scenarios.errors import UndefinedMeasureError, advice, did_you_mean
from scenarios.measures.expressions import Constant, ExpressionError, Reference
from scenarios.measures.window import Window
from simulator.settings.clock import ClockSettings

# For type checkers only: scenarios are checked where nothing is simulated, and runs measured where no model is fitted.
if TYPE_CHECKING:
    from analytics.analysis import Analysis
    from analytics.intent.results import IntentResults
    from analytics.report.measurement import Measurement
    from analytics.statistics.funnel import FunnelStatistics
    from analytics.store.event_store import EventStore
    from simulator.replication.outcome import Outcome
    from simulator.sales.outcome import SalesOutcome
    from simulator.visitors.truth import Truth

Parts = Mapping[str, Any]
"""Settings of a scenario by name, such as ``site``; invalid ones are missing."""

Arguments = dict[str, Constant]
"""Arguments of a call by name."""

_SHOWN: Final = 12
"""Largest number of names in a message."""


class ScenarioView(Protocol):
    """A scenario as measures see it; the settings of a scenario, which hold claims about measures, are above them."""

    @property
    def clock(self) -> ClockSettings:
        """Start and length of the simulation."""

    @property
    def analysis(self) -> AnalyticsSettings:
        """Settings of the analysis, with the signals of components."""


class AnalysedRun(ABC):
    """A run whose accepted events can be analysed: one in memory, or one read back from its folder."""

    @property
    @abstractmethod
    def analysis(self) -> Analysis:
        """Statistics, visits and intent model of the accepted events, over the simulated period, beside the truth."""

    @property
    def statistics(self) -> FunnelStatistics:
        """Counts and rates by hour and segment.

        >>> from scenarios import Scenario
        >>> run = Scenario.load("baseline", {"clock.hours": 1}).run()
        >>> run.statistics.totals()["page_views"].item() == run.measure("page_views()")
        True
        """
        return self.analysis.statistics

    @property
    def intent(self) -> IntentResults:
        """The intent model, fitted to the accepted events, beside the truth.

        Raises:
            AnalyticsError: It cannot be fitted to these visits; the message says why.
        """
        return self.analysis.intent

    @property
    @abstractmethod
    def true_counts(self) -> Mapping[str, float]:
        """What happened, whether it was seen or not: ``visitors``, ``visits``, ``demo_requests`` and more."""

    @cached_property
    def measurement(self) -> Measurement:
        """What happened, what was seen, and what is estimated from it.

        >>> from scenarios import Scenario
        >>> run = Scenario.load("baseline", {"clock.hours": 1, "tracking.ad_blocker_rate": 0.3}).run()
        >>> visitors = run.measurement.counts.filter(quantity="visitors")
        >>> visitors["seen"][0] < visitors["true"][0]
        True
        """
        from analytics.report.measurement import measurement  # noqa: PLC0415 - what only counts does not wait for it

        return measurement(self.analysis, self.true_counts)


class RunView(AnalysedRun):
    """A run as measures see it; :class:`scenarios.run.run.Run` is the one kind there is.

    It stands here, below the run, because a run checks the claims of its scenario, which are made of measures.

    Attributes:
        scenario: The scenario that was run.
        outcome: What the simulation returns beside the events: the truth, the sales desk, counts.
        window: The hours that statistics, visits and measures of the sales desk are about.
    """

    scenario: ScenarioView
    outcome: Outcome
    window: Window

    @property
    @abstractmethod
    def store(self) -> EventStore:
        """The event store, which has judged the events as they arrived."""

    @property
    def true_counts(self) -> Mapping[str, float]:
        """What happened over the whole clock, whether it was seen or not; nothing where only a part counts."""
        return self.outcome.counts if self.window.is_whole else {}

    @property
    def truth(self) -> Truth:
        """The true intercept and coefficients, with which estimates are compared."""
        return self.outcome.truth

    @property
    def labels(self) -> pl.DataFrame:
        """What happened to which event on its way; columns as in :data:`simulator.tracking.labels.LABELS_SCHEMA`."""
        return self.outcome.labels

    @property
    def people(self) -> pl.DataFrame:
        """Who stands behind each browser; columns as in :data:`simulator.replication.people_truth.PEOPLE_SCHEMA`."""
        return self.outcome.people

    @property
    def probes(self) -> Mapping[str, pl.DataFrame]:
        """What the probes measured, by their names; columns as in :data:`simulator.agents.probe.PROBE_SCHEMA`.

        >>> from scenarios import Scenario
        >>> hour = Scenario.load("baseline", {"clock.hours": 1, "probes.inbox": {"use": "queue_length"}})
        >>> hour.run().probes["inbox"].columns
        ['time', 'measure', 'value']
        """
        return self.outcome.probes

    @property
    def sales(self) -> SalesOutcome:
        """Outcome of the demo requests: one row each, and a summary."""
        return self.outcome.sales


@dataclass(frozen=True)
class MeasureDefinition:
    """A measure: a named number of a run.

    Args:
        name: The name, such as ``conversion`` or ``counts.visitors``.
        meaning: Description of the number.
        check: Raises ExpressionError if a reference is invalid for the scenario, before any run.
        read: Returns the value of a reference for a run; raises UndefinedMeasureError if there is none.
        usage: Example with its arguments.
        needs_events: Whether it needs received events, not only the outcome of the simulation.
        spans_clock: Whether it always counts the whole clock, regardless of warm-up and cool-down.
    """

    name: str
    meaning: str
    check: Callable[[Reference, Parts], None]
    read: Callable[[Reference, RunView], float]
    usage: str
    needs_events: bool = True
    spans_clock: bool = False


def plain_measure(
    name: str,
    meaning: str,
    read: Callable[[RunView], float | None],
    *,
    needs_events: bool = True,
    spans_clock: bool = False,
) -> MeasureDefinition:
    """Return a measure without arguments.

    Args:
        name: The name.
        meaning: Description of the number.
        read: Returns the number for a run; None where it does not exist.
        needs_events: Whether it needs received events.
        spans_clock: Whether it always counts the whole clock.

    >>> twice = plain_measure("twice", "2", lambda run: 2)
    >>> twice.check(Reference("twice", "twice(3)", is_call=True), {})
    Traceback (most recent call last):
    scenarios.measures.expressions.ExpressionError: twice has no arguments: write it without parentheses
    """

    def check(reference: Reference, _: Parts) -> None:
        if reference.is_call:
            # Accepted in silence, parentheses would suggest that the number can be that of a segment.
            raise ExpressionError(f"{name} has no arguments: write it without parentheses")

    def read_it(_: Reference, run: RunView) -> float:
        return require_value(read(run), f"{name} has no value in this run")

    return MeasureDefinition(name, meaning, check, read_it, name, needs_events, spans_clock)


def arguments_of(reference: Reference, required: Collection[str] = (), optional: Collection[str] = ()) -> Arguments:
    """Return the arguments of a call by name; positional ones are the required ones, in order.

    Args:
        reference: The call.
        required: Names of required arguments.
        optional: Names of optional arguments.

    Raises:
        ExpressionError: It is not a call, or an argument is missing, unknown or given twice.

    >>> call = Reference("held", 'held("europe")', is_call=True, arguments=("europe",))
    >>> arguments_of(call, required=["region"])
    {'region': 'europe'}
    """
    name, names = reference.name, list(required)
    usage = f"write {name}({', '.join(f'<{each}>' for each in names)})"
    if not reference.is_call:
        raise ExpressionError(f"{name} has arguments: {usage}")
    if len(reference.arguments) > len(names):
        raise ExpressionError(f"{reference.text}: too many arguments without a name; {usage}")
    # There may be fewer values than names: the others follow by name, or are reported as missing.
    found = dict(zip(names, reference.arguments, strict=False))
    for key, value in reference.keywords:
        if key in found:
            raise ExpressionError(f"{reference.text}: the argument {key!r} is given twice")
        if key not in names and key not in optional:
            raise ExpressionError(f"{reference.text}: unknown argument {key!r}{advice(key, [*names, *optional])}")
        found[key] = value
    if missing := [each for each in names if each not in found]:
        raise ExpressionError(f"{reference.text}: the argument {missing[0]!r} is missing; {usage}")
    return found


def require_known(kind: str, value: Constant, known: Collection[str]) -> str:
    """Return a value if it is a known one.

    Args:
        kind: Kind of the value, for the message.
        value: The value.
        known: Known values.

    Raises:
        ExpressionError: It is unknown; the message has a suggestion.

    >>> require_known("stage", "top", ["top", "bottom"])
    'top'
    """
    # A number is shown as it was written: 3 and not 3.0.
    text = value if isinstance(value, str) else f"{value:g}"
    if text not in known:
        # A long list is less helpful than the closest name.
        listed = advice(text, list(known)) if len(known) <= _SHOWN else did_you_mean(text, list(known))
        listed = listed or ("" if known else "; the scenario has none")
        raise ExpressionError(f"there is no {kind} {text!r}{listed}")
    return text


def require_value(value: float | None, why_not: str) -> float:
    """Return a value as a number.

    Args:
        value: The value, if there is one.
        why_not: Reason for a missing value.

    Raises:
        UndefinedMeasureError: The value is None.

    >>> require_value(3, "no visitors there")
    3.0
    """
    if value is None:
        raise UndefinedMeasureError(why_not)
    return float(value)

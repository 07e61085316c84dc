"""What a word of the measures is, and how its arguments are checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import polars as pl

from analytics.settings import AnalyticsSettings
from analytics.statistics.funnel import FunnelStatistics
from analytics.store.event_store import EventStore
from scenarios.errors import UndefinedMeasureError, advice, did_you_mean
from scenarios.measures.expressions import Constant, ExpressionError, Reference
from scenarios.measures.window import Window
from simulator.sales.outcome import SalesOutcome
from simulator.settings.clock import ClockSettings
from simulator.simulation import Outcome
from simulator.visitors.truth import Truth

if TYPE_CHECKING:
    from analytics.analysis import Analysis
    from analytics.intent.results import IntentResults

__all__ = [
    "Arguments",
    "MeasureDefinition",
    "Parts",
    "RunView",
    "arguments_of",
    "plain_measure",
    "require_known",
    "require_value",
]

Parts = Mapping[str, Any]
"""Settings of a scenario by name, such as ``site``; those that are faulty themselves are left out."""

Arguments = dict[str, Constant]
"""Arguments of a call by name."""

_SHOWN: Final = 12
"""Words that a message lists at most."""


class ScenarioView(Protocol):
    """What measures read of a scenario."""

    @property
    def clock(self) -> ClockSettings:
        """When the simulation starts and how long it lasts."""

    @property
    def analytics(self) -> AnalyticsSettings:
        """What the analyst chose."""


class RunView(Protocol):
    """What measures read of a run; :class:`scenarios.run.run.Run` is one.

    The attributes are documented there. This protocol lets measures, and the claims of a scenario that are made of
    them, stand below the run that they are read from.
    """

    @property
    def scenario(self) -> ScenarioView:
        """The scenario that was run."""

    @property
    def outcome(self) -> Outcome:
        """What the simulation knows of itself."""

    @property
    def window(self) -> Window:
        """The hours that the measures are about."""

    @property
    def store(self) -> EventStore:
        """The event store that took the events in."""

    @property
    def analysis(self) -> Analysis:
        """Statistics, visits and intent model of the accepted events."""

    @property
    def statistics(self) -> FunnelStatistics:
        """Counts and rates by hour and segment."""

    @property
    def intent(self) -> IntentResults:
        """The fitted intent model beside the truth."""

    @property
    def truth(self) -> Truth:
        """The true intercept and coefficients."""

    @property
    def labels(self) -> pl.DataFrame:
        """What happened to which event on its way."""

    @property
    def people(self) -> pl.DataFrame:
        """Who stands behind each browser."""

    @property
    def sales(self) -> SalesOutcome:
        """What became of the demo requests."""


@dataclass(frozen=True)
class MeasureDefinition:
    """One name of the measures.

    Args:
        name: The name, such as ``conversion`` or ``counts.visitors``.
        meaning: What its number says.
        check: Raises ExpressionError when a reference to it is wrong whatever the run may bring.
        read: Returns the number that a run has for a reference; raises UndefinedMeasureError when there is none.
        usage: How it is written, with its arguments.
        needs_events: Whether it is about what was received, and not only about what the world itself knows.
        spans_clock: Whether it counts from the first moment of the clock to the last, whatever hours are left out.
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
    """A word without arguments; they are those of :class:`MeasureDefinition`."""

    def check(reference: Reference, _: Parts) -> None:
        if reference.is_call:
            raise ExpressionError(f"{name} is not called: write it without parentheses")

    def read_it(_: Reference, run: RunView) -> float:
        return require_value(read(run), f"{name} has no value in this run")

    return MeasureDefinition(name, meaning, check, read_it, name, needs_events, spans_clock)


def arguments_of(reference: Reference, required: Collection[str] = (), optional: Collection[str] = ()) -> Arguments:
    """Arguments of a call by name; those in order are the required ones.

    Args:
        reference: The call.
        required: Names of the arguments that must be there.
        optional: Names of those that may be.

    Raises:
        ExpressionError: It is no call, or an argument is missing, unknown or given twice.
    """
    name, names = reference.name, list(required)
    usage = f"write {name}({', '.join(f'<{each}>' for each in names)})"
    if not reference.is_call:
        raise ExpressionError(f"{name} has arguments: {usage}")
    if len(reference.arguments) > len(names):
        raise ExpressionError(f"{reference.text}: too many arguments without a name; {usage}")
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
    """The value itself, if it is one of those known.

    Raises:
        ExpressionError: It is none; with what may have been meant.
    """
    text = value if isinstance(value, str) else f"{value:g}"
    if text not in known:
        # A list that fills the screen helps nobody.
        listed = advice(text, list(known)) if len(known) <= _SHOWN else did_you_mean(text, list(known))
        listed = listed or ("" if known else "; the scenario has none")
        raise ExpressionError(f"there is no {kind} {text!r}{listed}")
    return text


def require_value(value: float | None, why_not: str) -> float:
    """The value as a number.

    Raises:
        UndefinedMeasureError: There is none.
    """
    if value is None:
        raise UndefinedMeasureError(why_not)
    return float(value)

"""Measures: single numbers of a run, written as expressions such as ``conversion(region="europe")``.

Claims compare them, and studies read them as responses. The measures (see :func:`all_measures` for descriptions):

- ``counts.visitors``, …: counts of the simulation and of received events, as in the manifest
- ``store.accepted``, …: counts of the event store; ``labels.blocked``, …: events by tracking fault
- ``people.invited``, ``people.accounts_that_asked``, …: persons and accounts behind the events
- ``sales.held``, …, ``sales.held(region="europe")``: measures of the sales desk, total or of one region
- ``visitors()``, ``conversion(region="europe", page_group="security")``, …: traffic as analysts see it, total or of a
  segment by up to two dimensions; ``arm="pricing-page=b"`` is an arm of an experiment
- ``hourly("page_views", "max", start=9, end=17)``, ``daily("visits", "mean", weekday="sunday")``: a count by UTC hour
  or day, aggregated over a window that is counted from 0 at the start of the clock, its end not included
- ``stage_visitors("middle")``, ``stage_share("bottom")``, ``step_rate("demo request")``: the funnel
- ``probe("inbox", "europe", "p90")``: a statistic of what a probe measured over time
- ``experiment_effect("pricing-page=b", "difference")``: how an arm differs from the reference arm
- ``estimated_visitors(method="capture-recapture")``, ``estimated_conversion(…)``: what was lost in tracking included
- ``coefficient("region_europe:security_page_view")``, ``standard_error(…)``, ``true_coefficient(…)``, …,
  ``model.n_requests``: the intent model and the truth; ``coefficient("…", estimator="firth")`` is that of another
  estimator

Arithmetic is that of :mod:`scenarios.measures.expressions`. Unknown measures, dimensions, regions and terms are
reported when the scenario is validated, before any run.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Self

from scenarios.errors import did_you_mean
from scenarios.measures.definition import MeasureDefinition, Parts, RunView
from scenarios.measures.experiments import EXPERIMENT_MEASURES
from scenarios.measures.expressions import (
    Expression,
    ExpressionError,
    Reference,
    evaluate,
    parse_expression,
    references,
)
from scenarios.measures.measurement import LOSS_MEASURES
from scenarios.measures.model import MODEL_MEASURES
from scenarios.measures.probes import PROBE_MEASURES
from scenarios.measures.simulation import SIMULATION_MEASURES
from scenarios.measures.traffic import SEGMENT_MEASURES


@cache
def all_measures() -> dict[str, MeasureDefinition]:
    """Return all measures by name, in the order of the reference.

    >>> print(all_measures()["sales.held"].meaning)
    demos held, in total or for one region
    """
    of_traffic = (*SIMULATION_MEASURES, *PROBE_MEASURES, *SEGMENT_MEASURES, *LOSS_MEASURES)
    return {each.name: each for each in (*of_traffic, *EXPERIMENT_MEASURES, *MODEL_MEASURES)}


@dataclass(frozen=True)
class Measure:
    """A measure of a run; create it with :meth:`parse`.

    Args:
        text: The expression as written.
        expression: The parsed expression.

    >>> Measure.parse("sales.held / counts.demo_requests").text
    'sales.held / counts.demo_requests'
    """

    text: str
    expression: Expression

    @classmethod
    def parse(cls, text: str, parts: Parts | None = None) -> Self:
        """Parse a measure.

        Args:
            text: Expression such as ``conversion(region="europe")``.
            parts: Settings of the scenario by name; without them, arguments that depend on them are not checked.

        Raises:
            ExpressionError: It is invalid; the message has a suggestion.
        """
        expression = parse_expression(text)
        check_references(expression, parts or {})
        return cls(text, expression)

    def read(self, run: RunView) -> float:
        """Return the value of the measure for a run.

        Args:
            run: The run, of the scenario that the measure was checked with or of one of the same world.

        Raises:
            UndefinedMeasureError: There is none; the message has the reason.
        """
        return read_expression(self.expression, run)


def check_references(expression: Expression, parts: Parts) -> None:
    """Refuse unknown measures, and arguments that are invalid for the scenario.

    Args:
        expression: The expression.
        parts: Settings of the scenario by name; arguments that depend on a missing one are not checked.

    Raises:
        ExpressionError: A reference is invalid; the message has a suggestion.

    >>> check_references(parse_expression("sales.hled"), {})
    Traceback (most recent call last):
    scenarios.measures.expressions.ExpressionError: unknown measure 'sales.hled'; did you mean 'sales.held'?
    """
    for reference in references(expression):
        _definition(reference).check(reference, parts)


def needs_events(reference: Reference) -> bool:
    """Return whether a checked reference needs received events, which a study otherwise does not store.

    >>> needs_events(Reference("counts.visitors", "counts.visitors"))
    False
    """
    return _definition(reference).needs_events


def spans_clock(reference: Reference) -> bool:
    """Return whether a checked reference always counts the whole clock, so that no warm-up can be left out of it.

    >>> spans_clock(Reference("counts.visitors", "counts.visitors"))
    True
    """
    return _definition(reference).spans_clock


def read_expression(expression: Expression, run: RunView) -> float:
    """Evaluate an expression with checked references on a run.

    Args:
        expression: The expression.
        run: The run.

    Raises:
        UndefinedMeasureError: It has no value for this run; the message has the reason.
    """
    return evaluate(expression, lambda reference: _definition(reference).read(reference, run))


def _definition(reference: Reference) -> MeasureDefinition:
    """Return the definition of the measure that a reference names.

    Raises:
        ExpressionError: There is none; the message suggests one, or lists those of the same group.
    """
    definitions = all_measures()
    if reference.name in definitions:
        return definitions[reference.name]
    group, dot, member = reference.name.partition(".")
    # Suggestions come from the same group first: other groups have members of similar names.
    siblings = [name.partition(".")[2] for name in definitions if dot and name.startswith(f"{group}.")]
    near = [f"{group}.{each}" for each in get_close_matches(member, siblings, n=1)] if siblings else list(definitions)
    guess = did_you_mean(reference.name, near)
    families = dict.fromkeys(f"{name.partition('.')[0]}.…" if "." in name else f"{name}(…)" for name in definitions)
    known = f"; {group} has {', '.join(siblings)}" if siblings else f"; known: {', '.join(families)}"
    raise ExpressionError(f"unknown measure {reference.name!r}{guess or known}")

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
- ``coefficient("region_europe:security_page_view")``, ``standard_error(…)``, ``true_coefficient(…)``, …,
  ``model.n_requests``: the intent model and the truth

Arithmetic is that of :mod:`scenarios.measures.expressions`. Unknown measures, dimensions, regions and terms are
reported when the scenario is validated, before any run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from typing import Final, Self

import polars as pl

from analytics.events.geography import REGIONS
from analytics.store.counts import Counts
from scenarios.errors import did_you_mean
from scenarios.measures.definition import (
    MeasureDefinition,
    Parts,
    RunView,
    arguments_of,
    plain_measure,
    require_known,
    require_value,
)
from scenarios.measures.expressions import (
    Expression,
    ExpressionError,
    Reference,
    evaluate,
    parse_expression,
    references,
)
from scenarios.measures.model import MODEL_MEASURES
from scenarios.measures.people import PEOPLE_MEASURES
from scenarios.measures.traffic import SEGMENT_MEASURES
from simulator.sales.outcome import request_measures, sales_outcome
from simulator.tracking.labels import Label

_COUNTS: Final = {
    "visitors": "visitors",
    "visits": "visits",
    "demo_requests": "demo requests",
    "true_events": "true events",
    "true_page_views": "true page views",
    "events": "received events, including those of bots and duplicates",
    "page_views": "received page views, including those of bots and duplicates",
    "malformed_lines": "received lines that are malformed",
}


def _count_measure(name: str, meaning: str) -> MeasureDefinition:
    return plain_measure(
        f"counts.{name}", meaning, lambda run: run.outcome.counts[name], needs_events=False, spans_clock=True
    )


def _store_measure(name: str) -> MeasureDefinition:
    return plain_measure(
        f"store.{name}",
        f"events that the store counted as {name}",
        lambda run: getattr(run.store.counts, name),
        spans_clock=True,
    )


def _label_measure(label: Label) -> MeasureDefinition:
    def read(run: RunView) -> float:
        return run.labels.filter(pl.col("label") == label.value).height

    meaning = f"events with the label {label.value}"
    return plain_measure(f"labels.{label.value}", meaning, read, needs_events=False, spans_clock=True)


_SALES_MEANINGS: Final = {
    "requests": "demo requests that reached the sales desk",
    "responded": "demo requests that were answered",
    "scheduled": "demos booked",
    "held": "demos held",
    "missed": "demos that the buyer missed (no-shows)",
    "opportunities": "opportunities",
    "deals_won": "deals won",
    "deal_value": "value of the deals won, in US dollars a year",
    "held_rate": "share of due demos that were held",
    "no_show_rate": "share of due demos that the buyer missed",
    "response_minutes_mean": "mean time to the answer, in minutes",
    "response_minutes_p90": "90th percentile of the time to the answer, in minutes",
    "slot_wait_hours_mean": "mean time from booking to demo, in hours",
    "slot_wait_hours_p90": "90th percentile of the time from booking to demo, in hours",
    "sdr_utilisation": "utilisation of the sales development representatives",
    "executive_utilisation": "utilisation of the account executives",
}


def _sales_measure(key: str) -> MeasureDefinition:
    name = f"sales.{key}"

    def check(reference: Reference, _: Parts) -> None:
        if reference.is_call:
            require_known("region", arguments_of(reference, ("region",))["region"], REGIONS)

    def read(reference: Reference, run: RunView) -> float:
        region = str(arguments_of(reference, ("region",))["region"]) if reference.is_call else None
        summary = _sold(run, region) if run.window.is_whole else _sold_in_window(run, region)
        return require_value(summary[key], f"{reference.text}: no request to compute it from")

    meaning = f"{_SALES_MEANINGS[key]}, in total or for one region"
    # Working time is only known for the whole clock.
    spans_clock = key.endswith("_utilisation")
    usage = f'{name}, {name}(region="europe")'
    return MeasureDefinition(name, meaning, check, read, usage, needs_events=False, spans_clock=spans_clock)


def _sold(run: RunView, region: str | None) -> Mapping[str, float | None]:
    if region is None:
        return run.sales.summary
    rows = run.sales.by_region.filter(pl.col("region") == pl.lit(region))
    return rows.row(0, named=True) if rows.height else _nothing_sold()


def _sold_in_window(run: RunView, region: str | None) -> Mapping[str, float | None]:
    """Measures of requests made in the run's window, whenever they were handled."""
    wanted = run.window.contains("requested_s", run.scenario.clock)
    if region is not None:
        wanted &= pl.col("region") == pl.lit(region)
    return request_measures(run.sales.requests.filter(wanted))


@cache
def _nothing_sold() -> dict[str, float | None]:
    """Measures of a sales desk without requests; its keys are the names of all measures."""
    return sales_outcome([], {}, {}, slot_s=1.0, now_s=0.0).summary


@cache
def all_measures() -> dict[str, MeasureDefinition]:
    """Return all measures by name."""
    definitions: list[MeasureDefinition] = [_count_measure(name, meaning) for name, meaning in _COUNTS.items()]
    definitions += [_store_measure(field.name) for field in fields(Counts)]
    definitions += [_label_measure(label) for label in Label]
    definitions += [_sales_measure(key) for key in _nothing_sold()]
    return {each.name: each for each in (*definitions, *PEOPLE_MEASURES, *SEGMENT_MEASURES, *MODEL_MEASURES)}


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

        Raises:
            UndefinedMeasureError: There is none; the message has the reason.
        """
        return read_expression(self.expression, run)


def check_references(expression: Expression, parts: Parts) -> None:
    """Refuse unknown measures, and arguments that are invalid for the scenario.

    Raises:
        ExpressionError: A reference is invalid; the message has a suggestion.
    """
    for reference in references(expression):
        _definition(reference).check(reference, parts)


def needs_events(reference: Reference) -> bool:
    """Return whether a checked reference needs received events."""
    return _definition(reference).needs_events


def spans_clock(reference: Reference) -> bool:
    """Return whether a checked reference always counts the whole clock."""
    return _definition(reference).spans_clock


def read_expression(expression: Expression, run: RunView) -> float:
    """Evaluate an expression with checked references on a run.

    Raises:
        UndefinedMeasureError: It has no value for this run; the message has the reason.
    """
    return evaluate(expression, lambda reference: _definition(reference).read(reference, run))


def _definition(reference: Reference) -> MeasureDefinition:
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

"""Measures: single numbers read off a run, written as expressions such as ``conversion(region="europe")``.

Claims compare them, and whatever else wants one number of a run can use them too. The words
(see :func:`all_measures` for the meaning of each):

- ``counts.visitors``, …: what happened in the world and what was received, as in the manifest
- ``store.accepted``, …: what the event store made of the events; ``labels.blocked``, …: events by what befell them
- ``people.invited``, ``people.accounts_that_asked``, …: the people behind the events
- ``sales.held``, …, ``sales.held(region="europe")``: measures of the sales desk, of all or of one region
- ``visitors()``, ``conversion(region="europe", page_group="security")``, …: what analysts see, of all or of a
  segment by one or two dimensions; ``arm="pricing-page=b"`` is an arm of an experiment
- ``hourly("page_views", "max", start=9, end=17)``, ``daily("visits", "mean", weekday="sunday")``: a count by UTC hour
  or day, aggregated over a window that is counted from 0 at the start of the clock, its end not included
- ``stage_visitors("middle")``, ``stage_share("bottom")``, ``step_rate("demo request")``: the funnel
- ``coefficient("region_europe:security_page_view")``, ``standard_error(…)``, ``true_coefficient(…)``, …,
  ``model.n_requests``: the intent model and the truth

Arithmetic is that of :mod:`scenarios.measures.registry.expressions`. Whatever a scenario alone can tell to be wrong (a
word, a dimension, a region, a term) is told when it is checked, before any run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from typing import Final, Self

import polars as pl

from analytics.events.tracking_plan import REGIONS
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
from scenarios.measures.model import MODEL_WORDS
from scenarios.measures.people import PEOPLE_WORDS
from scenarios.measures.traffic import SEGMENT_WORDS
from simulator.sales.outcome import request_measures, sales_outcome
from simulator.tracking.labels import Label

__all__ = ["Measure", "all_measures", "check_references", "needs_events", "read_expression", "spans_clock"]

_COUNTS: Final = {
    "visitors": "visitors who came",
    "visits": "visits that began",
    "demo_requests": "demo requests that were made",
    "true_events": "events that happened",
    "true_page_views": "page views that happened",
    "events": "events that were received, those of bots and second deliveries too",
    "page_views": "page views that were received, likewise",
    "malformed_lines": "lines that were received broken",
}


def _count_word(name: str, meaning: str) -> MeasureDefinition:
    return plain_measure(
        f"counts.{name}", meaning, lambda run: run.outcome.counts[name], needs_events=False, spans_clock=True
    )


def _store_word(name: str) -> MeasureDefinition:
    return plain_measure(
        f"store.{name}",
        f"events that the store counted as {name}",
        lambda run: getattr(run.store.counts, name),
        spans_clock=True,
    )


def _label_word(label: Label) -> MeasureDefinition:
    def read(run: RunView) -> float:
        return run.labels.filter(pl.col("label") == label.value).height

    meaning = f"events with the label {label.value}"
    return plain_measure(f"labels.{label.value}", meaning, read, needs_events=False, spans_clock=True)


def _sales_word(key: str) -> MeasureDefinition:
    name = f"sales.{key}"

    def check(reference: Reference, _: Parts) -> None:
        if reference.is_call:
            require_known("region", arguments_of(reference, ("region",))["region"], REGIONS)

    def read(reference: Reference, run: RunView) -> float:
        region = str(arguments_of(reference, ("region",))["region"]) if reference.is_call else None
        summary = _sold(run, region) if run.window.is_whole else _sold_in_window(run, region)
        return require_value(summary[key], f"{reference.text}: there is nothing to take it of")

    meaning = f"{key.replace('_', ' ')} of the sales desk, of all or of a region"
    # Time at work is only known of the whole clock.
    spans_clock = key.endswith("_utilisation")
    usage = f'{name}, {name}(region="europe")'
    return MeasureDefinition(name, meaning, check, read, usage, needs_events=False, spans_clock=spans_clock)


def _sold(run: RunView, region: str | None) -> Mapping[str, float | None]:
    if region is None:
        return run.sales.summary
    rows = run.sales.by_region.filter(pl.col("region") == pl.lit(region))
    return rows.row(0, named=True) if rows.height else _nothing_sold()


def _sold_in_window(run: RunView, region: str | None) -> Mapping[str, float | None]:
    """Measures of the requests that were made in the run's window, whenever they were dealt with."""
    wanted = run.window.holds("requested_s", run.scenario.clock)
    if region is not None:
        wanted &= pl.col("region") == pl.lit(region)
    return request_measures(run.sales.requests.filter(wanted))


@cache
def _nothing_sold() -> dict[str, float | None]:
    """Measures of a sales desk that nobody has asked for anything; also says which there are."""
    return sales_outcome([], {}, {}, slot_s=1.0, now_s=0.0).summary


@cache
def all_measures() -> dict[str, MeasureDefinition]:
    """The words there are, by name."""
    words: list[MeasureDefinition] = [_count_word(name, meaning) for name, meaning in _COUNTS.items()]
    words += [_store_word(field.name) for field in fields(Counts)]
    words += [_label_word(label) for label in Label]
    words += [_sales_word(key) for key in _nothing_sold()]
    return {word.name: word for word in (*words, *PEOPLE_WORDS, *SEGMENT_WORDS, *MODEL_WORDS)}


@dataclass(frozen=True)
class Measure:
    """A number that a run can be asked for; made by :meth:`parse`.

    Args:
        text: The expression as written.
        expression: The expression as understood.
    """

    text: str
    expression: Expression

    @classmethod
    def parse(cls, text: str, parts: Parts | None = None) -> Self:
        """Read a measure.

        Args:
            text: Such as ``conversion(region="europe")``.
            parts: Settings of the scenario it is about, by name; without them, what depends on them goes unchecked.

        Raises:
            ExpressionError: It is not understood; the message says what is wrong and what may have been meant.
        """
        expression = parse_expression(text)
        check_references(expression, parts or {})
        return cls(text, expression)

    def read(self, run: RunView) -> float:
        """Return the number that a run has.

        Raises:
            UndefinedMeasureError: There is none; the message says why.
        """
        return read_expression(self.expression, run)


def check_references(expression: Expression, parts: Parts) -> None:
    """Refuse words that there are not, and arguments that no run of the scenario could answer.

    Raises:
        ExpressionError: With what may have been meant.
    """
    for reference in references(expression):
        _word(reference).check(reference, parts)


def needs_events(reference: Reference) -> bool:
    """Whether a reference, which must have been checked, is about events that were received."""
    return _word(reference).needs_events


def spans_clock(reference: Reference) -> bool:
    """Whether a reference, which must have been checked, counts the whole clock whatever hours are left out."""
    return _word(reference).spans_clock


def read_expression(expression: Expression, run: RunView) -> float:
    """Compute an expression for a run; its references must have been checked.

    Raises:
        UndefinedMeasureError: The number does not exist in this run; the message says why.
    """
    return evaluate(expression, lambda reference: _word(reference).read(reference, run))


def _word(reference: Reference) -> MeasureDefinition:
    words = all_measures()
    if reference.name in words:
        return words[reference.name]
    group, dot, member = reference.name.partition(".")
    siblings = [name.partition(".")[2] for name in words if dot and name.startswith(f"{group}.")]
    near = [f"{group}.{each}" for each in get_close_matches(member, siblings, n=1)] if siblings else list(words)
    guess = did_you_mean(reference.name, near)
    families = dict.fromkeys(f"{name.partition('.')[0]}.…" if "." in name else f"{name}(…)" for name in words)
    known = f"; {group} has {', '.join(siblings)}" if siblings else f"; known: {', '.join(families)}"
    raise ExpressionError(f"unknown measure {reference.name!r}{guess or known}")

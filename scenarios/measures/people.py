"""Measures of the persons and accounts behind the events, which analysts cannot observe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from analytics.sessions.identity import score_stitching, stitch
from scenarios.measures.definition import MeasureDefinition, plain_measure

_OF_PEOPLE: Final[dict[str, tuple[str, Callable[[pl.DataFrame], int]]]] = {
    "browsers": ("browsers that were used", lambda people: people.height),
    "persons": ("persons who visited the site", lambda people: people["person_id"].n_unique()),
    "accounts": ("companies with at least one visitor", lambda people: people["account"].drop_nulls().n_unique()),
    "invited": (
        "persons who came at the invitation of a colleague",
        lambda people: people.filter(pl.col("invited_by").is_not_null())["person_id"].n_unique(),
    ),
}


def _people_measure(name: str) -> MeasureDefinition:
    meaning, count = _OF_PEOPLE[name]
    return plain_measure(f"people.{name}", meaning, lambda run: count(run.people), needs_events=False, spans_clock=True)


PEOPLE_MEASURES: Final = (
    *map(_people_measure, _OF_PEOPLE),
    plain_measure(
        "people.accounts_that_asked",
        "companies with at least one demo request",
        lambda run: run.sales.requests["account"].drop_nulls().n_unique(),
        needs_events=False,
        spans_clock=True,
    ),
    plain_measure(
        "people.requests_of_accounts",
        "demo requests by people of known companies",
        lambda run: run.sales.requests["account"].count(),
        needs_events=False,
        spans_clock=True,
    ),
    plain_measure(
        "people.stitching_recall",
        "share of the true pairs of browsers of one person that stitching by user id joins",
        lambda run: score_stitching(stitch(run.analysis.events), run.people).recall,
        spans_clock=True,
    ),
)
"""Measures of people, in order."""

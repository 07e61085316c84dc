"""The report in short: what predicts a demo request, what does not, whether to trust it, and which claims hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from analytics.intent.findings import coverage_sentence, term_name
from analytics.intent.results import IntentResults
from analytics.report.answers import Answer
from analytics.report.data import Claim, ReportData

_MOST_EFFECTS: Final = 8
"""Effects that are told in sentences; a table has them all."""

_OTHERS: Final = {
    "only before adjustment": "Significant only before adjustment for the number of signals",
    "no relevant effect": "Too small to matter",
    "no effect shown": "No effect shown, which is no proof of none",
    "not testable": "Not testable: too few accounts",
}
"""Findings that are told by the names of their signals alone."""


@dataclass(frozen=True)
class Summary:
    """What a reader should know who reads nothing else.

    Args:
        effects: A sentence for each signal with a significant effect, the largest first.
        n_more: How many more there are.
        others: Names of the other signals, by what was found of them.
        answers: Whether page groups matter more in some segments: question and verdict.
        coverage: How many intervals cover the true value; empty where none is known.
        failed: Checks of trust that failed.
        passed: Checks that passed.
        claims: Claims of the scenario and whether they hold: those that fail first, then those without a value.
    """

    effects: Sequence[str]
    n_more: int
    others: dict[str, Sequence[str]]
    answers: Sequence[Answer]
    coverage: str
    failed: list[dict[str, Any]]
    passed: list[dict[str, Any]]
    claims: Sequence[Claim]


def summary_view(data: ReportData, answers: Sequence[Answer]) -> Summary:
    """Collect the summary.

    Args:
        data: Contents of the report.
        answers: What all figures say of the products of a segment and a page group.
    """
    rows = [] if data.intent is None else _by_size(data.intent)
    effects = [row["sentence"] for row in rows if row["finding"].endswith("the odds")]
    found = {
        words: [term_name(row["signal"]) for row in rows if row["finding"] == key] for key, words in _OTHERS.items()
    }
    return Summary(
        effects[:_MOST_EFFECTS],
        len(effects[_MOST_EFFECTS:]),
        {words: names for words, names in found.items() if names},
        answers,
        "" if data.intent is None else coverage_sentence(data.intent.findings, data.intent.level),
        [vars(check) for check in data.trust if not check.passed],
        [vars(check) for check in data.trust if check.passed],
        sorted(data.claims, key=lambda claim: (claim.passed is True, claim.passed is None)),
    )


def _by_size(intent: IntentResults) -> list[dict[str, Any]]:
    """The findings by falling size of the effect of one unit, whichever way it goes."""
    size = intent.odds_ratio_unit.select("signal", size=pl.col("odds_ratio_per_unit").log().abs())
    rows = intent.findings.join(size, on="signal", how="left", maintain_order="left")
    # Stable, so that equal effects keep their order.
    return rows.sort("size", descending=True, nulls_last=True, maintain_order=True).to_dicts()

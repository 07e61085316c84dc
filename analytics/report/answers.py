"""One answer to one question: whether a page group matters more in a segment, which a report shows on several scales.

Conversion rates, odds ratios by segment, the coefficient of the product and its effect on the probability differ in
what they hold equal and on which scale they compare. They may disagree without any of them being wrong. The verdict is
the model's: it alone holds the other signals equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from analytics.html.numbers import effect, p_equals, percent, points
from analytics.intent import IntentResults, term_name
from analytics.report.data import ReportData
from analytics.signals.definitions import EverSeen, interaction_parts


@dataclass(frozen=True)
class Figure:
    """One of the figures that bear on a question.

    Args:
        name: What it is.
        value: The figure.
        scale: On which scale it compares.
        population: Of whom it is.
        why: Why it may differ from the verdict.
    """

    name: str
    value: str
    scale: str
    population: str
    why: str


@dataclass(frozen=True)
class Answer:
    """The answer to a question about the product of two signals.

    Args:
        question: The question.
        verdict: The answer of the model.
        figures: All figures that bear on it, the model's first.
    """

    question: str
    verdict: str
    figures: list[dict[str, str]]


def answers_of(data: ReportData) -> list[Answer]:
    """Answer, for each product of a segment and a page group in the model, whether the two interact.

    Args:
        data: Contents of the report.
    """
    if data.intent is None:
        return []
    signals = {signal.name: signal for signal in data.intent.basis.signals}
    found = []
    for row in data.intent.findings.filter(group="Interactions").to_dicts():
        pair = [signals.get(part) for part in interaction_parts(row["signal"])]
        seen = [each for each in pair if isinstance(each, EverSeen)]
        pages = [each for each in seen if each.column == "category"]
        segments = [each for each in seen if each.column in data.content]
        if len(pair) == len(seen) == len({*pages, *segments}) == 2 and pages and segments:  # noqa: PLR2004 - a pair
            found.append(_answer(data, data.intent, row, pages[0], segments[0]))
    return found


def _answer(data: ReportData, intent: IntentResults, row: dict[str, Any], page: EverSeen, segment: EverSeen) -> Answer:
    verdict = {
        "raises the odds": "Yes, more",
        "lowers the odds": "Yes, less",
        "only before adjustment": "Perhaps: the interval excludes 0, but not after adjustment for all signals",
        "no relevant effect": "No: a difference of more than a quarter of the odds is excluded",
        "no effect shown": "Not shown, which is no proof of none",
        "not testable": "It cannot be tested: too few accounts",
    }[row["finding"]]
    question = f"Does “{term_name(page.name)}” matter more with “{term_name(segment.name)}”?"
    figures = [
        Figure(
            "the model's coefficient of the product (the verdict)",
            f"{effect(row['coefficient'], row['ci_low'], row['ci_high'])}, adjusted {p_equals(row['p_adjusted'])}",
            "log-odds: 0 if the odds ratio is the same",
            "visits that could end in a first request",
            "",
        ),
        *_on_probabilities(intent, row["signal"]),
        *_by_segment(data, page, segment),
        *_rates(data, page, segment),
    ]
    return Answer(question, verdict, [vars(figure) for figure in figures])


def _on_probabilities(intent: IntentResults, product: str) -> Iterator[Figure]:
    for row in intent.interaction_effects.filter(signal=product).to_dicts():
        yield Figure(
            "the same model on the probability scale",
            f"{points(row['effect'], row['ci_low'], row['ci_high'])} points, {p_equals(row['p_value'])}",
            "difference of differences in probability",
            "the same visits",
            "equal odds ratios give a larger difference where the base rate is higher; not adjusted",
        )


def _by_segment(data: ReportData, page: EverSeen, segment: EverSeen) -> Iterator[Figure]:
    tested = data.content[segment.column]
    for row in tested.tests.filter(pl.col("content").is_in([str(value) for value in page.values])).to_dicts():
        if row["p_adjusted"] is not None:
            yield Figure(
                f"Breslow–Day test of {row['content']} by {segment.column.replace('_', ' ')}",
                f"χ² {row['statistic']:.1f}, adjusted {p_equals(row['p_adjusted'])}",
                "odds ratios, in all segments at once",
                f"the same {tested.per}s",
                "no other signal is held equal; adjusted for the number of page groups",
            )


def _rates(data: ReportData, page: EverSeen, segment: EverSeen) -> Iterator[Figure]:
    pair = data.segments.get(f"{segment.column}:page_group")
    if pair is None:
        return
    seen = pair.filter(pl.col("page_group").is_in([str(value) for value in page.values]))
    inside = pl.col(segment.column).is_in([str(value) for value in segment.values])
    here, elsewhere = (seen.filter(each).select(pl.col("converted", "n").sum()).row(0) for each in (inside, ~inside))
    if here[1] and elsewhere[1]:
        yield Figure(
            "conversion of those who saw the page, in the heat map",
            f"{percent(here[0] / here[1])} there, {percent(elsewhere[0] / elsewhere[1])} elsewhere",
            "shares",
            "visitors who saw it before a request",
            "visitors differ in all else, and those who did not see the page are not compared",
        )

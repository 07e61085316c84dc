"""Checks, from what is observed alone, whether the figures of an analysis can be trusted, each with what to do.

A model of the wrong data has small standard errors too. None of these checks needs a known truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.analysis import Analysis
from analytics.errors import AnalyticsError
from analytics.intent import IntentResults
from analytics.store.counts import Counts

_MOST_UNSEEN: Final = 0.05
"""Share of demo requests whose visitors were seen on no page, from which the model is of other people."""

_MOST_SUSPECTS: Final = 0.002
"""Share of suspected bots among the visitors, from which they change rates and coefficients."""

_MOST_UNMAPPED: Final = 0.2
"""Share of page views without a category, from which signals of pages say little."""

_FEW: Final = 2
"""So many requests or visitors are no share."""

_MOST_LOST: Final = 0.01
"""Share of events that are unreadable or late, from which counts are short."""

_MIN_EVENTS_PER_VARIABLE: Final = 10
_MIN_DEGREES_OF_FREEDOM: Final = 4
_IMPROBABLE: Final = 3.29
"""Standard normal quantile of p = 0.001: several checks are made, and rarely one fails by chance."""

_LEAST_SLOPE: Final = 0.7
"""Slope of the calibration out of sample below which predictions are far too extreme."""


@dataclass(frozen=True)
class TrustCheck:
    """One check.

    Args:
        name: What was checked.
        passed: Whether nothing speaks against the figures.
        finding: What was found.
        advice: What to do where it failed.
    """

    name: str
    passed: bool
    finding: str
    advice: str


def trust_checks(analysis: Analysis, counts: Counts | None = None) -> list[TrustCheck]:
    """Check whether the figures of an analysis can be trusted.

    Args:
        analysis: The analysis; its model is fitted now if it has not been.
        counts: What has become of the events, where a store has judged them.

    Returns:
        The checks that could be made; of a model that cannot be fitted there are none.

    >>> import polars as pl
    >>> from analytics.events.tracking_plan import EVENT_SCHEMA
    >>> from analytics.settings import AnalyticsSettings
    >>> nothing = Analysis(lambda: pl.DataFrame(schema=EVENT_SCHEMA), AnalyticsSettings())
    >>> counts = Counts(received=100, accepted=98, invalid=2)
    >>> [check.name for check in trust_checks(nothing, counts) if not check.passed]
    ['unreadable events']
    """
    return [*_of_events(counts), *_of_visitors(analysis), *_of_model(analysis)]


def suspects_matter(analysis: Analysis) -> bool:
    """Whether there are so many visitors at the pace of bots that they change counts and coefficients."""
    n_visitors = int(analysis.segments()["visitors"].item())
    return analysis.n_suspected_bots > max(_FEW, _MOST_SUSPECTS * n_visitors)


def _of_events(counts: Counts | None) -> Iterator[TrustCheck]:
    if counts is None or not counts.received:
        return
    for name, n, advice in (
        ("unreadable events", counts.invalid, "see the reasons, and mend the sender; dead letters keep the lines"),
        ("late events", counts.late, "take history in with --backfill, or look for a clock that is ahead"),
    ):
        share = n / counts.received
        yield TrustCheck(name, share < _MOST_LOST, f"{n:,} of {counts.received:,} events ({share:.1%})", advice)


def _of_visitors(analysis: Analysis) -> Iterator[TrustCheck]:
    n_requests, n_unseen = analysis.coverage.n_requests, analysis.coverage.n_unseen
    if n_requests:
        yield TrustCheck(
            "requests with a visit",
            n_unseen <= max(_FEW, _MOST_UNSEEN * n_requests),
            f"{n_unseen:,} of {n_requests:,} demo requests are of people of whom no page view was seen",
            "conversion and model are of the others only: join requests to browsers (identify); where browsers block "
            "tracking, see what is estimated of all visitors (analytics.loss_rates)",
        )
    identities = analysis.coverage.identities
    # Where no event has a browser, people are known by their user ids alone, and nothing is missing.
    if identities.n_users and identities.n_browsers:
        n_alone = identities.n_users_without_browser
        yield TrustCheck(
            "user ids with a browser",
            n_alone <= max(_FEW, _MOST_UNSEEN * identities.n_users),
            f"{n_alone:,} of {identities.n_users:,} user ids were never seen with a browser",
            "their visits count as those of somebody else: send userId with page views, or identify calls",
        )
    n_views, n_mapped = analysis.pages.n_views, analysis.pages.n_with_category
    if n_views:
        yield TrustCheck(
            "pages with a category",
            n_views - n_mapped <= max(_FEW, _MOST_UNMAPPED * n_views),
            f"{n_mapped:,} of {n_views:,} page views ({n_mapped / n_views:.1%}) are of pages with a category",
            "signals of pages miss the others: map them (analytics.pages, or --pages FILE; funnelsim map proposes one)",
        )
    n_visitors = analysis.statistics.totals()["visitors"].item()
    if n_visitors:
        n_suspects = analysis.n_suspected_bots
        yield TrustCheck(
            "visitors at a human pace",
            not suspects_matter(analysis),
            f"{n_suspects:,} of {n_visitors:,} visitors view pages at the pace of bots",
            "exclude them: analytics.find_bots: true",
        )


def _of_model(analysis: Analysis) -> Iterator[TrustCheck]:
    try:
        results = analysis.intent
    except AnalyticsError:
        return
    if (per_signal := results.events_per_variable) is None:
        return
    freedom = results.basis.estimate.fit.degrees_of_freedom[1:]
    least = 0.0 if np.isnan(freedom).any() else float(freedom.min())
    separated = results.basis.estimate.separated
    yield TrustCheck(
        "requests per signal",
        per_signal >= _MIN_EVENTS_PER_VARIABLE,
        f"{per_signal:.1f} requests for each term of the model",
        f"observe longer, or drop signals{_or_firth(results)}",
    )
    yield TrustCheck(
        "accounts behind each signal",
        least >= _MIN_DEGREES_OF_FREEDOM,
        "visits are taken as independent" if np.isinf(least) else f"{least:.1f} degrees of freedom at the least",
        "intervals allow for it; do not rely on a signal that few accounts show",
    )
    yield TrustCheck(
        "no signal decides alone",
        not separated,
        f"separated: {', '.join(separated)}" if separated else "no signal predicts the outcome perfectly",
        "check that it is known before the request, and not because of it",
    )
    yield from _of_fit(results)
    yield from _of_time(results)


def _or_firth(results: IntentResults) -> str:
    return "" if results.estimator == "firth" else ", or fit with analytics.estimator: firth"


def _of_fit(results: IntentResults) -> Iterator[TrustCheck]:
    if (shared := results.basis.shared_residuals) is not None:
        yield TrustCheck(
            "accounts alike but for signals",
            shared < _IMPROBABLE,
            f"visits of an account are alike by {shared:+.1f} standard errors beyond their signals (of accounts that "
            "request once, this finds little)",
            "effects within an account are larger than these; look for a signal that is missing",
        )
    try:
        slope = results.out_of_fold.calibration_slope
    except AnalyticsError:
        return
    if slope is not None:
        yield TrustCheck(
            "calibration",
            slope >= _LEAST_SLOPE,
            f"predictions for other accounts have a calibration slope of {slope:.2f}",
            f"predictions are too extreme: use fewer signals{_or_firth(results)}",
        )


def _of_time(results: IntentResults) -> Iterator[TrustCheck]:
    """Whether the model predicts as many requests in the second half of the period as there are."""
    design, people = results.basis.design, results.basis.people
    if "started_at" not in people.columns:
        return
    order = people["started_at"].arg_sort().to_numpy()
    p, requested = design.by_visit(results.basis.estimate.fit.p_request)[order], design.outcome[order]
    halves = np.array_split(np.arange(len(p)), 2)
    earlier, later = (float((p[half] * (1 - p[half])).sum()) for half in halves)
    observed, expected = float(requested[halves[1]].sum()), float(p[halves[1]].sum())
    # The fit has as many requests as there are: what one half has too many, the other has too few.
    error = np.sqrt(earlier * later / (earlier + later)) if earlier + later > 0 else np.inf
    z = (observed - expected) / error
    yield TrustCheck(
        "no drift",
        abs(z) < _IMPROBABLE,
        f"{observed:,.0f} requests in the later half of the visits, {expected:,.1f} by the model of all",
        "the model is an average of two states of the world: split the period where something changed",
    )

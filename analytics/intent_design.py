"""The design matrix of the intent model, and what must be left out of it.

A term is a signal or the product of signals (``a:b``). :func:`prepare` turns a visit table into numbers and leaves out,
each with its reason, the terms whose coefficient the data cannot tell: constant, separated and collinear ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.intent_errors import OneOutcomeError, TooFewVisitsError, VisitTableError
from analytics.signals import VISIT_OUTCOME_COLUMNS, interaction_parts

__all__ = ["INTERCEPT", "Design", "design_matrix", "eligible_visits", "prepare"]

INTERCEPT: Final = "intercept"
"""Name of the first term: the log-odds of a visit in which all signals are 0."""

_COLLINEAR: Final = 1e-8
"""Share of a column (in length) that the columns before it must leave unexplained."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """What the likelihood is made of.

    Args:
        terms: Names of the columns, the intercept first.
        matrix: Values of the terms, visits × terms.
        outcome: 1 where the visit ended in a request, else 0.
        left_out: Reasons for which terms are missing, by term.
    """

    terms: tuple[str, ...]
    matrix: Floats
    outcome: Floats
    left_out: Mapping[str, str]


def eligible_visits(visits: pl.DataFrame, signals: Sequence[str]) -> pl.DataFrame:
    """Return the visits that tell of the hazard: at its end a first request could be made, and it is known to be over.

    Args:
        visits: A visit table.
        signals: Names of the signals that are needed.

    Raises:
        VisitTableError: A column is missing, or has no (finite) value in an eligible visit.
    """
    outcomes = list(VISIT_OUTCOME_COLUMNS)
    missing = [name for name in (*signals, *outcomes) if name not in visits.columns]
    if missing:
        raise VisitTableError(
            f"the visit table has no column {', '.join(missing)}; make it with analytics.sessions.visit_table()"
        )
    _refuse_gaps(visits, outcomes)
    eligible = visits.filter(pl.col("at_risk") & ~pl.col("censored"))
    _refuse_gaps(eligible, signals)
    return eligible


def design_matrix(visits: pl.DataFrame, terms: Sequence[str]) -> Floats:
    """Return the values of the terms, visits × terms; an interaction is the product of its signals.

    Args:
        visits: Table with a column for each signal.
        terms: Names of the terms; ``intercept`` is 1 everywhere.

    Raises:
        VisitTableError: A signal is missing or has no (finite) value somewhere.
    """
    signals = dict.fromkeys(part for term in terms if term != INTERCEPT for part in interaction_parts(term))
    missing = [name for name in signals if name not in visits.columns]
    if missing:
        raise VisitTableError(f"the visit table has no column {', '.join(missing)}")
    _refuse_gaps(visits, list(signals))
    columns = {name: visits[name].cast(pl.Float64).to_numpy() for name in signals}
    matrix = np.ones((visits.height, len(terms)))
    for j, term in enumerate(terms):
        for part in interaction_parts(term) if term != INTERCEPT else ():
            matrix[:, j] *= columns[part]
    return matrix


def prepare(visits: pl.DataFrame, signals: Sequence[str], interactions: Sequence[str]) -> Design:
    """Turn eligible visits into a design that the data can answer.

    An interaction goes with its signals: where one of them is left out, so is the product.

    Args:
        visits: Eligible visits.
        signals: Names of the signals, in the order of the terms.
        interactions: Names of the interactions.

    Raises:
        OneOutcomeError: Every visit ends in a request, or none does.
        TooFewVisitsError: There are fewer requests (or visits without one) than terms.
    """
    outcome = visits["requested_demo"].cast(pl.Float64).to_numpy()
    _refuse_one_outcome(outcome)
    left_out: dict[str, str] = {}
    terms = [INTERCEPT, *signals]
    matrix = _without_faulty(design_matrix(visits, terms), terms, outcome, left_out)
    products = []
    for name in interactions:
        absent = [part for part in interaction_parts(name) if part not in terms]
        if absent:
            left_out[name] = f"incomplete: {' and '.join(absent)} not in the model"
        else:
            products.append(name)
    if products:
        terms += products
        added = design_matrix(visits, products)
        matrix = _without_faulty(np.hstack([matrix, added]), terms, outcome, left_out)
    _refuse_too_few(outcome, len(terms) - 1)
    return Design(tuple(terms), matrix, outcome, left_out)


def _without_faulty(matrix: Floats, terms: list[str], outcome: Floats, left_out: dict[str, str]) -> Floats:
    """Leave the faulty columns out of the matrix and of the list of terms, and note why."""
    for faults in (_constant_or_separated, _collinear):
        reasons = faults(matrix, terms, outcome)
        left_out.update(reasons)
        keep = [j for j, term in enumerate(terms) if term not in reasons]
        terms[:] = [terms[j] for j in keep]
        matrix = matrix[:, keep] if reasons else matrix
    return matrix


def _constant_or_separated(matrix: Floats, terms: Sequence[str], outcome: Floats) -> dict[str, str]:
    asked = outcome == 1
    reasons = {}
    for j, term in enumerate(terms[1:], start=1):
        column = matrix[:, j]
        if column.min() == column.max():
            reasons[term] = f"constant: {column[0]:g} in every visit"
        elif np.all((column == 0) | (column == 1)):
            reason = _separated(column == 1, asked)
            reasons |= {} if reason is None else {term: reason}
    return reasons


def _separated(seen: NDArray[np.bool_], asked: NDArray[np.bool_]) -> str | None:
    """Say which cell of signal × outcome is empty, if one is: the likelihood then grows without end."""
    cells = {
        "no visit with it ended in a request": seen & asked,
        "every visit with it ended in a request": seen & ~asked,
        "no visit without it ended in a request": ~seen & asked,
        "every visit without it ended in a request": ~seen & ~asked,
    }
    return next((f"separated: {meaning}" for meaning, cell in cells.items() if not cell.any()), None)


def _collinear(matrix: Floats, terms: Sequence[str], _outcome: Floats) -> dict[str, str]:
    """Find the columns that the ones before them explain.

    The triangle of the QR decomposition has the inner products of the columns, so their dependence can be read off it
    without going through the visits again.
    """
    scale = np.linalg.norm(matrix, axis=0)
    triangle: Floats = np.asarray(np.linalg.qr(matrix / scale, mode="r"))
    kept = [0]
    reasons = {}
    for j in range(1, len(terms)):
        weights, *_ = np.linalg.lstsq(triangle[:, kept], triangle[:, j], rcond=None)
        if np.linalg.norm(triangle[:, j] - triangle[:, kept] @ weights) > _COLLINEAR:
            kept.append(j)
            continue
        parents = [terms[k] for k, weight in zip(kept, weights, strict=True) if abs(weight) > np.sqrt(_COLLINEAR)]
        reasons[terms[j]] = f"collinear: determined by {', '.join(parents)}"
    return reasons


def _refuse_gaps(visits: pl.DataFrame, names: Sequence[str]) -> None:
    finite = visits.select(pl.col(name).cast(pl.Float64).is_finite().fill_null(value=False) for name in names)
    faulty = [f"{name} ({visits.height - int(finite[name].sum())})" for name in names if not finite[name].all()]
    if faulty:
        raise VisitTableError(
            f"some rows have no value (null, NaN or infinite) in {', '.join(faulty)}; fill them or drop those visits"
        )


def _refuse_one_outcome(outcome: Floats) -> None:
    n, n_requests = len(outcome), int(outcome.sum())
    if n == 0:
        raise TooFewVisitsError("no visit is at risk and over; observe longer, or more visitors")
    if n_requests in {0, n}:
        which = "no visit" if n_requests == 0 else "every visit"
        raise OneOutcomeError(
            f"{which} of {n} ended in a demo request, so nothing can be told of the signals; observe longer"
        )


def _refuse_too_few(outcome: Floats, n_terms: int) -> None:
    n_requests = int(outcome.sum())
    rarer = min(n_requests, len(outcome) - n_requests)
    if rarer < max(n_terms, 2):
        raise TooFewVisitsError(
            f"{len(outcome)} visits with {n_requests} requests cannot tell {n_terms} signals apart; observe longer "
            "or ask of fewer signals (10 requests a signal are a rule of thumb)"
        )

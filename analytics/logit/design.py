"""The design matrix of the intent model, and what must be left out of it.

A term is a signal or the product of signals (``a:b``). :func:`prepare` turns a visit table into numbers and leaves out,
each with its reason, the terms whose coefficient the data cannot tell: constant and collinear ones. Terms that an empty
cell of signal × outcome separates are kept and named: their coefficients are finite only with a penalty.

Where all signals are discrete, many visits are alike in all of them. They are collapsed into one row, a *pattern*, with
the number of visits and of requests among them: all that the likelihood asks of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.errors import OneOutcomeError, TooFewVisitsError, VisitTableError
from analytics.signals.definitions import VISIT_OUTCOME_COLUMNS, interaction_parts

__all__ = ["INTERCEPT", "Design", "design_matrix", "eligible_visits", "prepare", "variance_inflation"]

INTERCEPT: Final = "intercept"
"""Name of the first term: the log-odds of a visit in which all signals are 0."""

_COLLINEAR: Final = 1e-8
"""Share of a column (in length) that the columns before it must leave unexplained."""

_YES_OR_NO: Final = (pl.Boolean(), pl.Null())
"""Types that are not numbers and yet may be a column of a signal; one without any value is refused as a gap."""

_WORTHWHILE: Final = 4
"""Visits a pattern that make collapsing pay."""

Floats = NDArray[np.float64]

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Design:
    """What the likelihood is made of.

    Args:
        terms: Names of the columns, the intercept first.
        matrix: Values of the terms, patterns × terms.
        n_visits: Visits of each pattern.
        n_requests: Of these, the ones that ended in a request.
        outcome: For each visit, 1 where it ended in a request, else 0.
        pattern: For each visit, the row of its pattern; None where every visit is a row of its own, in order.
        dropped: Reasons for which terms are missing, by term.
        determined: Of the terms left out as constant or collinear, what determines them: a weight for each term that
            does, the constant being the intercept's. Only where it still holds can their absence be overlooked.
        separated: Which cell of term × outcome is empty, by term: such a term has no estimate of greatest likelihood.
    """

    terms: tuple[str, ...]
    matrix: Floats
    n_visits: Floats
    n_requests: Floats
    outcome: Floats
    pattern: Integers | None
    dropped: Mapping[str, str]
    determined: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    separated: Mapping[str, str] = field(default_factory=dict)


def eligible_visits(visits: pl.DataFrame, signals: Sequence[str]) -> pl.DataFrame:
    """Return the visits that tell of the hazard: at its end a first request could be made, and it is known to be over.

    Args:
        visits: A visit table.
        signals: Names of the signals that are needed.

    Raises:
        VisitTableError: A column is missing, holds words, or has no (finite) value in an eligible visit; or one of the
            outcome is neither yes (1) nor no (0) somewhere.
    """
    outcomes = list(VISIT_OUTCOME_COLUMNS)
    missing = [name for name in (*signals, *outcomes) if name not in visits.columns]
    if missing:
        raise VisitTableError(
            f"the visit table has no column {', '.join(missing)}; make it with analytics.visit_table()"
        )
    _refuse_gaps(visits, outcomes)
    # Elsewhere, yes and no are often kept as 1 and 0; half a request would be fitted without complaint.
    _refuse_other_than_yes_or_no(visits, outcomes)
    visits = visits.with_columns(pl.col(outcomes).cast(pl.Boolean))
    eligible = visits.filter(pl.col("at_risk") & ~pl.col("censored"))
    _refuse_gaps(eligible, signals)
    return eligible


def design_matrix(visits: pl.DataFrame, terms: Sequence[str]) -> Floats:
    """Return the values of the terms, visits × terms; an interaction is the product of its signals.

    Args:
        visits: Table with a column for each signal.
        terms: Names of the terms; ``intercept`` is 1 everywhere.

    Raises:
        VisitTableError: A signal is missing, holds words, or has no (finite) value somewhere.
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
    pattern, rows = _collapsed(visits, signals)
    counts = _Counts.of(outcome, pattern)
    faults: dict[str, _Fault] = {}
    incomplete: dict[str, str] = {}
    terms = [INTERCEPT, *signals]
    wanted = [*terms, *(name for name in interactions if set(interaction_parts(name)) <= set(signals))]
    whole = design_matrix(rows, wanted)
    _leave_out_faulty(whole, wanted, terms, counts, faults)
    products = []
    for name in interactions:
        absent = [part for part in interaction_parts(name) if part not in terms]
        if absent:
            incomplete[name] = f"incomplete: {' and '.join(absent)} not in the model"
        else:
            products.append(name)
    if products:
        terms += products
        _leave_out_faulty(whole, wanted, terms, counts, faults)
    matrix = _columns(whole, wanted, terms)
    separated = _separated_terms(matrix, terms, counts)
    # What an empty cell says does not use up requests.
    _refuse_too_few(outcome, len(terms) - 1 - len(separated))
    return Design(
        terms=tuple(terms),
        matrix=matrix,
        n_visits=counts.visits,
        n_requests=counts.requests,
        outcome=outcome,
        pattern=pattern,
        dropped={term: fault.reason for term, fault in faults.items()} | incomplete,
        determined={term: fault.weights for term, fault in faults.items()},
        separated=separated,
    )


@dataclass(frozen=True)
class _Fault:
    """Why a term is left out, and what determines its values."""

    reason: str
    weights: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class _Counts:
    """Visits of each pattern, and the requests among them."""

    visits: Floats
    requests: Floats

    @classmethod
    def of(cls, outcome: Floats, pattern: Integers | None) -> _Counts:
        if pattern is None:
            return cls(np.ones(len(outcome)), outcome)
        visits, requests = np.bincount(pattern), np.bincount(pattern, outcome)
        return cls(visits.astype(np.float64), requests.astype(np.float64))


def _collapsed(visits: pl.DataFrame, signals: Sequence[str]) -> tuple[Integers | None, pl.DataFrame]:
    """The pattern of each visit and one visit of each pattern, or None and the visits where it does not pay."""
    most = visits.height // _WORTHWHILE
    if any(visits[name].dtype != pl.Boolean and visits[name].n_unique() > most for name in signals):
        return None, visits
    codes = np.zeros(visits.height, np.int64)
    n_codes = 1
    for name in signals:
        values, n_values = _coded(visits[name])
        if n_codes * n_values > np.iinfo(np.int64).max:
            distinct, codes = np.unique(codes, return_inverse=True)
            n_codes = len(distinct)
        codes, n_codes = codes * n_values + values, n_codes * n_values
    distinct, first, pattern = np.unique(codes, return_index=True, return_inverse=True)
    return (pattern, visits[first]) if len(distinct) <= most else (None, visits)


def _coded(values: pl.Series) -> tuple[Integers, int]:
    """Number the values of a signal by their order, and say how many there may be."""
    if values.dtype == pl.Boolean:
        return values.cast(pl.Int64).to_numpy(), 2
    distinct = values.unique().sort()
    return values.replace_strict(distinct, range(len(distinct)), return_dtype=pl.Int64).to_numpy(), len(distinct)


def _leave_out_faulty(
    whole: Floats, wanted: Sequence[str], terms: list[str], counts: _Counts, faults: dict[str, _Fault]
) -> None:
    """Leave the faulty ones out of the list of terms, and note why."""
    for look_for in (_constant, _collinear):
        found = look_for(_columns(whole, wanted, terms), terms, counts)
        faults.update(found)
        terms[:] = [term for term in terms if term not in found]


def _columns(whole: Floats, wanted: Sequence[str], terms: Sequence[str]) -> Floats:
    """The columns of these terms, without copying them where they stand side by side."""
    if list(wanted[: len(terms)]) == list(terms):
        return whole[:, : len(terms)]
    return whole[:, [wanted.index(term) for term in terms]]


def _constant(matrix: Floats, terms: Sequence[str], _counts: _Counts) -> dict[str, _Fault]:
    lowest, highest = matrix.min(axis=0), matrix.max(axis=0)
    return {
        term: _Fault(f"constant: {value:g} in every visit", {INTERCEPT: float(value)})
        for term, value, other in zip(terms[1:], lowest[1:], highest[1:], strict=True)
        if value == other
    }


def _separated_terms(matrix: Floats, terms: Sequence[str], counts: _Counts) -> dict[str, str]:
    yes_or_no = (matrix == (matrix != 0)).all(axis=0)
    seen, requests_seen = counts.visits @ matrix, counts.requests @ matrix
    n, n_requests = counts.visits.sum(), counts.requests.sum()
    reasons = {
        term: _separated(seen[j], requests_seen[j], n - seen[j], n_requests - requests_seen[j])
        for j, term in enumerate(terms)
        if j and yes_or_no[j]
    }
    return {term: reason for term, reason in reasons.items() if reason is not None}


def _separated(n_with: float, requests_with: float, n_without: float, requests_without: float) -> str | None:
    """Say which cell of signal × outcome is empty, if one is: the likelihood then grows without end."""
    cells = {
        "no visit with it ended in a request": requests_with,
        "every visit with it ended in a request": n_with - requests_with,
        "no visit without it ended in a request": requests_without,
        "every visit without it ended in a request": n_without - requests_without,
    }
    return next((meaning for meaning, n in cells.items() if n == 0), None)


def _collinear(matrix: Floats, terms: Sequence[str], counts: _Counts) -> dict[str, _Fault]:
    """Find the columns that the ones before them explain."""
    weighted = matrix if (counts.visits == 1).all() else matrix * np.sqrt(counts.visits)[:, np.newaxis]
    products = weighted.T @ weighted
    scale = np.sqrt(np.diag(products))
    if _is_far_from_singular(products / np.outer(scale, scale)):
        return {}
    # The triangle of the QR decomposition has the inner products of the columns, so their dependence can be read off it
    # without going through the visits again.
    triangle: Floats = np.asarray(np.linalg.qr(weighted / scale, mode="r"))
    kept = [0]
    found = {}
    for j in range(1, len(terms)):
        weights, *_ = np.linalg.lstsq(triangle[:, kept], triangle[:, j], rcond=None)
        if np.linalg.norm(triangle[:, j] - triangle[:, kept] @ weights) > _COLLINEAR:
            kept.append(j)
            continue
        parents = {
            terms[k]: float(weight * scale[j] / scale[k])
            for k, weight in zip(kept, weights, strict=True)
            if abs(weight) > np.sqrt(_COLLINEAR)
        }
        found[terms[j]] = _Fault(f"collinear: determined by {', '.join(parents)}", parents)
    return found


def _is_far_from_singular(correlations: Floats) -> bool:
    """Whether no column comes near to being explained by those before it: known at a fraction of the cost of QR.

    The diagonal of the Cholesky factor says what is left unexplained, but only to half of the digits.
    """
    try:
        return bool(np.diag(np.linalg.cholesky(correlations)).min() > np.sqrt(_COLLINEAR))
    except np.linalg.LinAlgError:
        return False


def _refuse_gaps(visits: pl.DataFrame, names: Sequence[str]) -> None:
    types = {name: visits.schema[name] for name in names}
    words = [f"{name} ({dtype})" for name, dtype in types.items() if not (dtype.is_numeric() or dtype in _YES_OR_NO)]
    if words:
        raise VisitTableError(
            f"not numbers, nor yes or no: {', '.join(words)}; give a signal of its own to each value that counts"
        )
    finite = visits.select(pl.col(name).cast(pl.Float64).is_finite().fill_null(value=False) for name in names)
    faulty = [f"{name} ({visits.height - int(finite[name].sum())})" for name in names if not finite[name].all()]
    if faulty:
        raise VisitTableError(
            f"some rows have no value (null, NaN or infinite) in {', '.join(faulty)}; fill them or drop those visits"
        )


def _refuse_other_than_yes_or_no(visits: pl.DataFrame, names: Sequence[str]) -> None:
    faulty = [name for name in names if not visits[name].cast(pl.Float64).is_in([0.0, 1.0]).all()]
    if faulty:
        raise VisitTableError(f"neither yes (1) nor no (0) in some rows: {', '.join(faulty)}")


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


def variance_inflation(design: Design) -> dict[str, float | None]:
    """Return the variance inflation factor of each term: 1 / (1 − R²) of the term on all the others.

    1 where a term has nothing in common with the others; above 10 by a rule of thumb too much. None for the intercept.
    Source: D. A. Belsley, E. Kuh and R. E. Welsch, Regression Diagnostics (Wiley 1980), section 3.2.

    Args:
        design: What the likelihood is made of.
    """
    if len(design.terms) == 1:
        return {INTERCEPT: None}
    share = design.n_visits / design.n_visits.sum()
    centred = design.matrix[:, 1:] - share @ design.matrix[:, 1:]
    covariance = (centred.T * share) @ centred
    scale = np.sqrt(np.diag(covariance))
    inflation = np.diag(np.linalg.inv(covariance / np.outer(scale, scale)))
    return {INTERCEPT: None, **{term: float(v) for term, v in zip(design.terms[1:], inflation, strict=True)}}

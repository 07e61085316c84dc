"""The design matrix of the intent model, without terms that are not identified.

A term is a signal or the product of signals (``a:b``). :func:`prepare` converts a visit table to numbers and drops
constant and collinear terms, whose coefficients are not identified, with the reason. Terms with an empty cell of signal
× outcome are separated: they are kept and named, because their coefficients are finite only with a penalty.

Where all signals are discrete, many visits have equal values. These are collapsed into one row, a *pattern*, with the
number of visits and of requests among them, which are sufficient for the likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from analytics.errors import OneOutcomeError, TooFewVisitsError, VisitTableError
from analytics.events.tracking_plan import EventName
from analytics.logit.eligibility import refuse_gaps
from analytics.logit.matrix import DesignMatrix, Floats, Integers
from analytics.signals.definitions import interaction_parts

INTERCEPT: Final = "intercept"
"""Name of the first term: the log-odds of a request where all signals are 0."""

NEVER: Final = "constant: 0 in every visit"
"""Reason for which a term is dropped that no visit shows."""

ALWAYS_WITH: Final = "every visit with it ended in a request"
NEVER_WITHOUT: Final = "no visit without it ended in a request"
"""Empty cells of a signal that may be known because of the request."""

OUTCOME_ITSELF: Final = f"the outcome itself: {ALWAYS_WITH}, and {NEVER_WITHOUT}"
"""Reason for which a term is dropped that equals the outcome."""

_COLLINEAR: Final = 1e-8
"""Smallest relative length of a column's residual on earlier columns, below which it is collinear."""

_ROUNDING: Final = 1e-12
"""Range of a column, relative to its values, that may be the rounding errors of some calculation."""

_MIN_VISITS_PER_PATTERN: Final = 4
"""Mean number of visits per pattern from which collapsing is faster."""


@dataclass(frozen=True, eq=False)
class Design:
    """Design matrix and outcomes of a logit.

    Args:
        terms: Names of the columns, the intercept first.
        matrix: Values of the terms, patterns × terms.
        n_visits: Visits of each pattern.
        n_requests: Of these, the ones that ended in a request.
        outcome: For each visit, 1 where it ended in a request, else 0.
        pattern: For each visit, the row of its pattern; None where every visit is a row of its own, in order.
        dropped: Reasons for which terms are missing, by term.
        determined: For each dropped term that is a weighted sum of terms of the model, their weights (for a constant,
            that of the intercept). Predictions are valid only where these relations still hold.
        separated: Which cell of term × outcome is empty, by term: such a term has no maximum-likelihood estimate.
    """

    terms: tuple[str, ...]
    matrix: DesignMatrix
    n_visits: Floats
    n_requests: Floats
    outcome: Floats
    pattern: Integers | None
    dropped: Mapping[str, str]
    determined: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    separated: Mapping[str, str] = field(default_factory=dict)

    def by_visit(self, values: Floats) -> Floats:
        """Return values of the patterns, such as fitted probabilities, for each visit.

        Args:
            values: One for each pattern.
        """
        return values if self.pattern is None else values[self.pattern]

    def true_coefficients(self, truth: Mapping[str, float]) -> dict[str, float]:
        """Return the true coefficients of the terms of the model, with the effects of dropped terms that they carry.

        A dropped term is a weighted sum of terms, so that its effect times the weight adds to the effect of each. A
        dropped product that is no such sum leaves no true coefficient known, as any term may be a proxy for it.

        Args:
            truth: Known true coefficients by term, those of dropped terms included; a missing one is left alone.
        """
        lost = self.dropped_effects(truth)
        if not lost.keys() <= self.determined.keys():
            return {}
        known = {term: truth[term] for term in self.terms if term in truth}
        for dropped, effect in lost.items():
            for term, weight in self.determined[dropped].items():
                if term in known:
                    known[term] += effect * weight
        return known

    def dropped_effects(self, truth: Mapping[str, float]) -> dict[str, float]:
        """Return the true coefficients of the dropped terms that have an effect.

        Args:
            truth: Known true coefficients by term.
        """
        return {term: truth[term] for term in self.dropped if truth.get(term)}


def design_matrix(visits: pl.DataFrame, terms: Sequence[str]) -> Floats:
    """Return the values of the terms, visits × terms; an interaction is the product of its signals.

    Args:
        visits: Table with a column for each signal.
        terms: Names of the terms; ``intercept`` is 1 everywhere.

    Raises:
        VisitTableError: A signal is missing, is not numeric, or has no finite value somewhere.
    """
    return _matrix(visits, terms).dense()


def _matrix(visits: pl.DataFrame, terms: Sequence[str]) -> DesignMatrix:
    signals = dict.fromkeys(part for term in terms if term != INTERCEPT for part in interaction_parts(term))
    missing = [name for name in signals if name not in visits.columns]
    if missing:
        raise VisitTableError(f"the visit table has no column {', '.join(missing)}")
    refuse_gaps(visits, list(signals))
    products = [() if term == INTERCEPT else tuple(interaction_parts(term)) for term in terms]
    return DesignMatrix.of_table(visits, products)


def prepare(visits: pl.DataFrame, signals: Sequence[str], interactions: Sequence[str]) -> Design:
    """Convert eligible visits to a design whose terms are identified.

    An interaction is dropped with any of its signals.

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
    dropped: dict[str, _Reason] = {}
    terms = [INTERCEPT, *signals]
    wanted = [*terms, *(name for name in interactions if set(interaction_parts(name)) <= set(signals))]
    # Built once, with every product that may be needed: later matrices are choices of its columns.
    whole = _matrix(rows, wanted)
    _drop_unidentified(whole, wanted, terms, counts, dropped)
    absent = {name: [part for part in interaction_parts(name) if part not in terms] for name in interactions}
    incomplete = {name: f"incomplete: {' and '.join(lost)} not in the model" for name, lost in absent.items() if lost}
    # Incomplete ones come last, so that no other is dropped for being determined by what leaves the model itself.
    products = sorted(wanted[1 + len(signals) :], key=incomplete.__contains__)
    if products:
        terms += products
        _drop_unidentified(whole, wanted, terms, counts, dropped)
        terms = [term for term in terms if term not in incomplete]
    matrix = _columns(whole, wanted, terms)
    separated = _separated_terms(matrix, terms, counts)
    # A separated term's coefficient comes from an empty cell, so it needs no requests of its own.
    _refuse_too_few(outcome, len(terms) - 1 - len(separated))
    return Design(
        terms=tuple(terms),
        matrix=matrix,
        n_visits=counts.visits,
        n_requests=counts.requests,
        outcome=outcome,
        pattern=pattern,
        dropped={term: reason.text for term, reason in dropped.items()} | incomplete,
        determined={term: each.weights for term, each in dropped.items() if each.weights.keys() <= set(terms)},
        separated=separated,
    )


@dataclass(frozen=True)
class _Reason:
    """Why a term is dropped, and the weights of the terms that determine it."""

    text: str
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
    """The pattern of each visit and one visit per pattern; None and all visits where collapsing is not faster."""
    most = visits.height // _MIN_VISITS_PER_PATTERN
    # A continuous signal would make nearly every visit a pattern of its own.
    if any(visits[name].dtype != pl.Boolean and visits[name].n_unique() > most for name in signals):
        return None, visits
    codes = np.zeros(visits.height, np.int64)
    n_codes = 1
    for name in signals:
        values, n_values = _coded(visits[name])
        # Codes are renumbered before they overflow.
        if n_codes * n_values > np.iinfo(np.int64).max:
            distinct, codes = np.unique(codes, return_inverse=True)
            n_codes = len(distinct)
        codes, n_codes = codes * n_values + values, n_codes * n_values
    distinct, first, pattern = np.unique(codes, return_index=True, return_inverse=True)
    return (pattern, visits[first]) if len(distinct) <= most else (None, visits)


def _coded(values: pl.Series) -> tuple[Integers, int]:
    """Codes of the values of a signal, in their order, and the number of different ones."""
    if values.dtype == pl.Boolean:
        return values.cast(pl.Int64).to_numpy(), 2
    distinct = values.unique().sort()
    return values.replace_strict(distinct, range(len(distinct)), return_dtype=pl.Int64).to_numpy(), len(distinct)


def _drop_unidentified(
    whole: DesignMatrix, wanted: Sequence[str], terms: list[str], counts: _Counts, dropped: dict[str, _Reason]
) -> None:
    """Remove unidentified terms from the list of terms, and note the reasons."""
    # Constants first: they are collinear with the intercept, but deserve their own reason.
    for find in (_constant, _outcome_itself, _collinear):
        found = find(_columns(whole, wanted, terms), terms, counts)
        dropped.update(found)
        terms[:] = [term for term in terms if term not in found]


def _columns(whole: DesignMatrix, wanted: Sequence[str], terms: Sequence[str]) -> DesignMatrix:
    return whole if list(wanted) == list(terms) else whole.choose([wanted.index(term) for term in terms])


def _constant(matrix: DesignMatrix, terms: Sequence[str], _counts: _Counts) -> dict[str, _Reason]:
    # By comparison, not by variance: a mean has rounding errors, and so would the variance of a constant.
    lowest, highest = matrix.extent
    found = {}
    for term, value, other in zip(terms[1:], lowest[1:].tolist(), highest[1:].tolist(), strict=True):
        if value == other:
            found[term] = _Reason(f"constant: {value:g} in every visit", {INTERCEPT: value})
        elif other - value < _ROUNDING * max(abs(value), abs(other)):
            reason = f"constant but for the last digits: from {value!r} to {other!r}; subtract {value:g} if they matter"
            found[term] = _Reason(reason, {INTERCEPT: value})
    return found


def _outcome_itself(matrix: DesignMatrix, terms: Sequence[str], counts: _Counts) -> dict[str, _Reason]:
    """Find signals that equal the outcome: with one of them, nothing is left that could show the effects of others."""
    requested = counts.requests > 0
    if not np.array_equal(requested, counts.requests == counts.visits):
        return {}
    # Most terms differ in the number of visits already.
    n_seen, n_requested = matrix.n_seen(np.ones(matrix.n_rows)), requested.sum()
    found = [
        term
        for j, term in enumerate(terms)
        if j and n_seen[j] == n_requested and np.array_equal(matrix.column(j), requested)
    ]
    # Alone it can be fitted, with a penalty. None is a sum of other terms, so none is determined by them.
    return {} if len(found) == len(terms) - 1 else {term: _Reason(OUTCOME_ITSELF, {term: 1.0}) for term in found}


def _separated_terms(matrix: DesignMatrix, terms: Sequence[str], counts: _Counts) -> dict[str, str]:
    is_binary = matrix.is_binary
    seen, requests_seen = counts.visits @ matrix, counts.requests @ matrix
    n, n_requests = counts.visits.sum(), counts.requests.sum()
    reasons = {
        term: _separated(seen[j], requests_seen[j], n - seen[j], n_requests - requests_seen[j])
        for j, term in enumerate(terms)
        if j and is_binary[j]
    }
    return {term: reason for term, reason in reasons.items() if reason is not None}


def _separated(n_with: float, requests_with: float, n_without: float, requests_without: float) -> str | None:
    """The empty cell of signal × outcome, if there is one: the likelihood then has no maximum."""
    cells = {
        "no visit with it ended in a request": requests_with,
        ALWAYS_WITH: n_with - requests_with,
        NEVER_WITHOUT: requests_without,
        "every visit without it ended in a request": n_without - requests_without,
    }
    return next((meaning for meaning, n in cells.items() if n == 0), None)


def _collinear(matrix: DesignMatrix, terms: Sequence[str], counts: _Counts) -> dict[str, _Reason]:
    """Find columns that are linear combinations of earlier ones; those far away from 0 would all seem constant."""
    low, high = matrix.extent
    centre = np.where((low < high) & (high - low < np.sqrt(_COLLINEAR) * np.abs(high + low)), high / 2 + low / 2, 0.0)
    # In any unit: squares of very large or small numbers would be no numbers.
    size = np.maximum(np.abs(low - centre), np.abs(high - centre))
    matrix = matrix.scaled(centre, size)
    # With these weights patterns have the inner products of the single visits.
    products = matrix.gram(counts.visits)
    scale = np.sqrt(np.diag(products))
    if _is_far_from_singular(products / np.outer(scale, scale)):
        return {}
    # The triangular factor of the QR decomposition has the same inner products as the columns, so dependence is found
    # without another pass over the visits.
    triangle = matrix.scaled(np.zeros(len(scale)), scale).triangle(np.sqrt(counts.visits))
    scale *= size
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
        shift = centre[j] - sum(weight * centre[terms.index(term)] for term, weight in parents.items())
        if abs(shift) > np.sqrt(_COLLINEAR) * abs(centre[j]):
            parents = {INTERCEPT: parents.get(INTERCEPT, 0.0) + float(shift)} | parents
        found[terms[j]] = _Reason(f"collinear: determined by {', '.join(parents)}", parents)
    return found


def _is_far_from_singular(correlations: Floats) -> bool:
    """Whether no column is close to a linear combination of earlier ones, at a fraction of the cost of QR."""
    # The diagonal of the Cholesky factor has the lengths of the residuals, but only to half of the digits.
    try:
        return bool(np.diag(np.linalg.cholesky(correlations)).min() > np.sqrt(_COLLINEAR))
    except np.linalg.LinAlgError:
        return False


def _refuse_one_outcome(outcome: Floats) -> None:
    n, n_requests = len(outcome), int(outcome.sum())
    if n == 0:
        raise TooFewVisitsError("no visit is at risk and completed; observe longer, or more visitors")
    if n_requests in {0, n}:
        which = "no visit" if n_requests == 0 else "every visit"
        raise OneOutcomeError(
            f"{which} of {n} ended in a demo request, so no coefficient can be estimated; observe longer"
            + ("" if n_requests else f", or check that requests are events called {str(EventName.DEMO_REQUESTED)!r}")
        )


def _refuse_too_few(outcome: Floats, n_terms: int) -> None:
    n_requests = int(outcome.sum())
    rarer = min(n_requests, len(outcome) - n_requests)
    if rarer < max(n_terms, 2):
        for_terms = f" for {n_terms} signals" if n_terms else ""
        raise TooFewVisitsError(
            f"{len(outcome)} visits, {n_requests} of them with a request, are too few{for_terms}; observe longer "
            "or use fewer signals (rule of thumb: 10 requests per signal)"
        )


def variance_inflation(design: Design) -> dict[str, float | None]:
    """Return the variance inflation factor of each term: 1 / (1 − R²) of the term on all the others.

    It is 1 for a term uncorrelated with the others; by a rule of thumb, above 10 is too high. None for the intercept.
    Source: D. A. Belsley, E. Kuh and R. E. Welsch, Regression Diagnostics (Wiley 1980), section 3.2.

    Args:
        design: Design matrix and outcomes.
    """
    if len(design.terms) == 1:
        return {INTERCEPT: None}
    share = design.n_visits / design.n_visits.sum()
    signals = design.matrix.choose(range(1, len(design.terms)))
    covariance = signals.scaled(share @ signals, np.ones(signals.n_terms)).gram(share)
    scale = np.sqrt(np.diag(covariance))
    inflation = np.diag(np.linalg.inv(covariance / np.outer(scale, scale)))
    return {INTERCEPT: None, **{term: float(v) for term, v in zip(design.terms[1:], inflation, strict=True)}}

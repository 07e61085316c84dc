"""Functional forms of session length in the intent model: threshold, logarithm or spline, on the same visits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
import polars as pl

from analytics.errors import IntentModelError
from analytics.intent.fit_context import FitContext
from analytics.intent.model import IntentModel
from analytics.intent.validation import out_of_fold_quality
from analytics.logit.eligibility import eligible_visits
from analytics.logit.joint_tests import joint_test
from analytics.logit.matrix import Floats
from analytics.logit.splines import knots_of, restricted_cubic
from analytics.signals.definitions import MULTI_PAGE_VISIT, SessionLength, interaction_parts

SessionForm = Literal["none", "over 15 minutes", "log1p", "spline"]
"""How session length enters the model.

``none``: not at all. ``over 15 minutes``: a flag. ``log1p``: the logarithm of 1 + minutes, and a flag for visits of a
single page view, whose length is unknown. ``spline``: a restricted cubic spline of the logarithm with two nonlinear
terms, with knots at quantiles of the longer visits, and the same flag.
"""

DEFAULT_FORM: Final[SessionForm] = "log1p"
"""It fits about as well as the spline, with a single coefficient."""

FORM_SCHEMA: Final = pl.Schema(
    {
        "form": pl.String(),
        "estimator": pl.String(),
        "n_terms": pl.UInt32(),
        "log_likelihood": pl.Float64(),
        "aic": pl.Float64(),
        "aic_above_best": pl.Float64(),
        "log_loss": pl.Float64(),
        "brier": pl.Float64(),
        "auc": pl.Float64(),
        "not_available": pl.String(),
    }
)
"""Columns of the comparison, one row per form.

``estimator`` is ``firth`` where the likelihood had to be penalised; ``n_terms`` and ``log_likelihood`` are of the whole
model, ``aic`` is Akaike's criterion, ``log_loss``, ``brier`` and ``auc`` are out of fold, by account. ``not_available``
says why a form could not be fitted.
"""

_LONG_MINUTES: Final = 15.0
_PREFIX: Final = "session_length"


@dataclass(frozen=True, eq=False)
class _Fit:
    """One form, fitted."""

    basis: FitContext
    columns: Callable[[Floats], dict[str, Floats]]


class SessionLengthComparison:
    """The intent model with session length in each form, on the same visits.

    Args:
        visits: A visit table.
        model: The intent model; one of its signals must be a session length.
        coefficient: True coefficient of the logarithm of 1 + minutes, where it is known.

    Raises:
        IntentModelError: The model has no session length, or cannot be fitted in its default form.
    """

    def __init__(self, visits: pl.DataFrame, model: IntentModel, coefficient: float | None = None) -> None:
        signal = next((s for s in model.signals if isinstance(s, SessionLength) and _is_of_visit(s)), None)
        if signal is None:
            raise IntentModelError("the model has no session length to compare forms of")
        self.level, self.coefficient = model.level, coefficient
        names = [s.name for s in model.signals]
        # The forms have their own flag for visits of a single page view; two would be collinear.
        self._others = [name for name in names if name not in {signal.name, MULTI_PAGE_VISIT.name}]
        self._interactions = [
            term
            for term in model.interactions
            if {signal.name, MULTI_PAGE_VISIT.name}.isdisjoint(interaction_parts(term))
        ]
        self._visits = eligible_visits(visits, names)
        values = self._visits[signal.name].cast(pl.Float64).to_numpy()
        # The way back from the logarithm may end just below 0.
        self._minutes = np.maximum(np.expm1(values) if signal.scale == "log1p" else values, 0.0)
        self._model = model
        # Errors are kept as well: what failed once would fail again, after as long a search.
        self._fits: dict[SessionForm, _Fit | IntentModelError] = {}
        # Constant columns have been dropped, so equally long visits leave none of the form.
        if not set(self._fit_of(DEFAULT_FORM).basis.design.terms) & set(self._columns(DEFAULT_FORM)(self._minutes)):
            raise IntentModelError("all visits are equally long, so session length has no estimable effect")

    @cached_property
    def table(self) -> pl.DataFrame:
        """One row per form, columns as in :data:`FORM_SCHEMA`."""
        forms: tuple[SessionForm, ...] = ("none", "over 15 minutes", "log1p", "spline")
        table = pl.DataFrame([self._row(form) for form in forms], schema=FORM_SCHEMA)
        # All forms have been fitted, so the visits can be released.
        self._visits = self._visits.clear()
        return table.with_columns(aic_above_best=pl.col("aic") - pl.col("aic").min())

    @property
    def nonlinearity(self) -> float | None:
        """P-value of the test for nonlinearity in the logarithm; None where the spline cannot be fitted or tested."""
        try:
            basis = self._fit_of("spline").basis
            nonlinear = [term for term in basis.design.terms if term.startswith(f"{_PREFIX}_nonlinear")]
            return joint_test(basis.design, basis.estimate, basis.n_clusters, nonlinear).p_value
        except IntentModelError:
            return None

    def curve(
        self, form: SessionForm = DEFAULT_FORM, minutes: Sequence[float] | None = None, reference: float | None = None
    ) -> pl.DataFrame:
        """Return the difference in log-odds of a request from a visit of the reference length.

        Args:
            form: How session length enters the model; not ``none``.
            minutes: Lengths to evaluate; by default from 0 to the 99th percentile, evenly in the logarithm.
            reference: Reference length in minutes; by default the median of the visits longer than 0.

        Returns:
            ``minutes``, ``log_odds`` with the pointwise interval ``low`` to ``high``, and ``truth``, null if unknown.

        Raises:
            IntentModelError: The form could not be fitted.
        """
        fit = self._fit_of(form)
        at = self._grid() if minutes is None else np.asarray(minutes, dtype=np.float64)
        reference_minutes = self.reference if reference is None else reference
        terms = fit.basis.design.terms
        difference = np.zeros((len(at), len(terms)))
        here, there = fit.columns(at), fit.columns(np.array([reference_minutes]))
        for term, values in here.items():
            # A dropped column was constant in the fit, and adds nothing to the difference.
            if term in terms:
                difference[:, terms.index(term)] = values - there[term]
        found = fit.basis.estimate.fit
        log_odds = difference @ found.coefficients
        half = found.half_widths(difference, self.level)
        truth = None if self.coefficient is None else self.coefficient * (np.log1p(at) - np.log1p(reference_minutes))
        return pl.DataFrame(
            {
                "minutes": at,
                "log_odds": log_odds,
                "low": log_odds - half,
                "high": log_odds + half,
                "truth": pl.Series(truth, dtype=pl.Float64) if truth is not None else None,
            },
            schema_overrides={"truth": pl.Float64()},
        )

    @cached_property
    def reference(self) -> float:
        """Median length, in minutes, of the visits longer than 0."""
        positive = self._minutes[self._minutes > 0]
        return float(np.median(positive)) if len(positive) else 0.0

    def _grid(self, n: int = 120) -> Floats:
        # Without the longest hundredth of the visits, which would stretch the axis.
        return np.asarray(np.expm1(np.linspace(0.0, np.log1p(np.quantile(self._minutes, 0.99)), n)))

    def _row(self, form: SessionForm) -> dict[str, object]:
        try:
            fit = self._fit_of(form)
            basis = fit.basis
            quality = out_of_fold_quality(basis.design, basis.keys, basis.estimate.fit.coefficients, 5)
        except IntentModelError as error:
            return {"form": form, "not_available": str(error)}
        # Curves and tests need no visits, and four forms of them take much memory.
        self._fits[form] = replace(fit, basis=basis.without_visits())
        n_terms, log_likelihood = len(basis.design.terms), basis.estimate.fit.log_likelihood
        return {
            "form": form,
            "estimator": basis.estimate.estimator,
            "n_terms": n_terms,
            "log_likelihood": log_likelihood,
            "aic": 2 * n_terms - 2 * log_likelihood,
            "log_loss": quality.log_loss,
            "brier": quality.brier,
            "auc": quality.auc,
        }

    def _fit_of(self, form: SessionForm) -> _Fit:
        if form not in self._fits:
            try:
                self._fits[form] = self._fitted(form)
            except IntentModelError as error:
                self._fits[form] = error
        fit = self._fits[form]
        if isinstance(fit, IntentModelError):
            raise fit
        return fit

    def _fitted(self, form: SessionForm) -> _Fit:
        columns = self._columns(form)
        wanted = columns(self._minutes)
        table = self._visits.with_columns(pl.Series(name, values) for name, values in wanted.items())
        return _Fit(self._model.fit_context(table, [*self._others, *wanted], self._interactions), columns)

    def _columns(self, form: SessionForm) -> Callable[[Floats], dict[str, Floats]]:
        """Function from minutes to the columns of the design."""
        if form == "none":
            return lambda _minutes: {}
        if form == "over 15 minutes":
            return lambda minutes: {f"{_PREFIX}_over_15_minutes": (minutes > _LONG_MINUTES).astype(np.float64)}
        if form == "log1p":
            return lambda minutes: {f"{_PREFIX}_log1p": np.log1p(minutes), f"{_PREFIX}_zero": _zero(minutes)}
        knots = knots_of(np.log1p(self._minutes[self._minutes > 0]))

        def spline(minutes: Floats) -> dict[str, Floats]:
            line, *nonlinear = restricted_cubic(np.log1p(minutes), knots).T
            named = {f"{_PREFIX}_nonlinear_{number}": column for number, column in enumerate(nonlinear, start=1)}
            return {f"{_PREFIX}_log1p": line, f"{_PREFIX}_zero": _zero(minutes), **named}

        return spline


def _is_of_visit(signal: SessionLength) -> bool:
    return signal.within == "visit" and signal.longer_than is None


def _zero(minutes: Floats) -> Floats:
    flag: Floats = (minutes == 0).astype(np.float64)
    return flag

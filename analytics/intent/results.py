"""Results of the intent model: numbers in attributes, one tidy table of coefficients, and their rendering."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analytics.errors import IntentModelError
from analytics.intent.coefficients import jackknife_table, odds_ratios_per_unit
from analytics.intent.e_values import e_values
from analytics.intent.findings import findings_of, term_name
from analytics.intent.fit_context import FitContext
from analytics.intent.interaction_effects import interaction_effects
from analytics.intent.random_intercept import RandomIntercept, random_intercept
from analytics.intent.summary import Summary
from analytics.intent.time_to_request import request_curves
from analytics.intent.validation import PredictiveQuality, out_of_fold_quality
from analytics.logit.design import NEVER, design_matrix, variance_inflation
from analytics.logit.estimation import Estimator
from analytics.logit.joint_tests import JointTest, joint_test
from analytics.logit.matrix import Floats
from analytics.logit.score_bootstrap import WildBootstrap, wild_bootstrap
from analytics.signals.definitions import interaction_parts
from analytics.statistics.multiplicity import benjamini_hochberg

if TYPE_CHECKING:
    from statsmodels.discrete.discrete_model import BinaryResultsWrapper

    from analytics.charts.style import AnyChart

_WORDS: Final = ("group", "finding", "against_truth", "sentence")
"""What findings add to the coefficients."""

_REQUESTED: Final = "requested_demo"

_METHODS: Final[Mapping[Estimator, str]] = {"ml": "maximum likelihood", "firth": "Firth's penalised likelihood"}


@dataclass(frozen=True, eq=False, repr=False)
class IntentResults:
    """A fitted intent model: estimates, intervals and diagnostics.

    Args:
        coefficients: One row per term; columns as in :data:`COEFFICIENT_SCHEMA`.
        n_visits: Visits in the fit: at risk and completed.
        n_visitors: Visitors of these visits.
        n_accounts: Known companies of these visitors.
        n_requests: Visits that ended in a demo request.
        log_likelihood: Natural logarithm of the likelihood at its maximum.
        pseudo_r2: McFadden's: 1 − log-likelihood / log-likelihood of the intercept alone.
        auc_in_sample: In-sample AUC, which is optimistic: the share of pairs (a visit with a request, one without)
            that the model ranks correctly on the visits of the fit.
        covariance: Kind of covariance: ``nonrobust``, ``cluster by account (CR1)`` or, with few effective accounts,
            ``cluster by account (CR2)``, or ``unknown: fewer than 3 accounts``; see :mod:`analytics.logit.robust`.
        covariance_matrix: Covariance of the coefficients, terms × terms.
        level: Confidence level of the intervals.
        basis: Context of the fit, for diagnostics that are computed on demand.
        tjur_r2: Tjur's: mean fitted probability of visits with a request, less that of those without.
        estimator: ``ml`` for maximum likelihood, ``firth`` for the penalised likelihood where terms are separated.
        warnings: Warnings to read before using the numbers.
        dropped: Terms that the data cannot identify, with the reason.
        outcome: Column of the outcome.
    """

    coefficients: pl.DataFrame
    n_visits: int
    n_visitors: int
    n_accounts: int
    n_requests: int
    log_likelihood: float
    pseudo_r2: float
    auc_in_sample: float
    covariance: str
    covariance_matrix: Floats
    level: float
    basis: FitContext
    tjur_r2: float
    estimator: Estimator = "ml"
    warnings: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    outcome: str = _REQUESTED

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms in the model, the intercept first."""
        return tuple(self.coefficients["signal"])

    @property
    def unseen(self) -> tuple[str, ...]:
        """Terms that were dropped because no visit of the fit showed them, and products with them.

        A site without a careers page has ``careers_page_view`` here. Of one's own table there are none.
        """
        if self.outcome != _REQUESTED:
            return ()
        binary = {signal.name for signal in self.basis.signals if signal.dtype == pl.Boolean()}
        never = {term for term, reason in self.dropped.items() if term in binary and reason == NEVER}
        return tuple(term for term in self.dropped if not never.isdisjoint(interaction_parts(term)))

    @property
    def method(self) -> str:
        """Name of the estimator."""
        return _METHODS[self.estimator]

    @cached_property
    def findings(self) -> pl.DataFrame:
        """What the model has found: one row per signal, by group and size, with an interval, a finding and a sentence.

        Columns as in :data:`analytics.intent.findings.FINDING_SCHEMA`.
        """
        return findings_of(self.coefficients, self.basis)

    def summary(self) -> Summary:
        """Return the findings as a table to be printed or shown in a notebook, with what to know before using them."""
        return Summary(self._headline, self.findings, self._remarks, self.level)

    def plot(self, *, narrow: bool = False) -> AnyChart:
        """Draw the coefficients as a forest plot, in groups: an Altair chart, ``narrow`` for a phone."""
        from analytics.charts.model import coefficient_chart  # noqa: PLC0415 - imports Altair

        groups = {str(group): rows for (group,), rows in self.findings.group_by("group", maintain_order=True)}
        return coefficient_chart(groups, {term: term_name(term) for term in self.terms}, narrow=narrow)

    @property
    def comparison(self) -> pl.DataFrame:
        """Estimates beside the true coefficients, where known.

        One row per term: ``signal``, ``coefficient``, ``true_coefficient``, ``bias`` (coefficient − true coefficient),
        ``standardised_error`` (bias in standard errors) and ``ci_covers_truth``.
        """
        bias = pl.col("coefficient") - pl.col("true_coefficient")
        return self.coefficients.select(
            "signal",
            "coefficient",
            "true_coefficient",
            bias=bias,
            standardised_error=bias / pl.col("standard_error"),
            ci_covers_truth="ci_covers_truth",
        )

    @cached_property
    def diagnostics(self) -> pl.DataFrame:
        """Diagnostics of each term.

        One row per term: ``signal``; ``vif``, its variance inflation factor, null for the intercept;
        ``p_false_discovery``, the p-value adjusted by Benjamini and Hochberg; ``separated``, whether its estimate is
        finite only because of the penalty; ``interval``, the kind of its test and interval, ``wald`` or ``profile``;
        ``effective_accounts``, the effective number of clusters, null where visits are taken as independent; and
        ``degrees_of_freedom`` of its t test, null where it is a z test or there are too few accounts for one.
        """
        inflation, estimate = variance_inflation(self.basis.design), self.basis.estimate
        freedom = estimate.fit.degrees_of_freedom
        effective = self.basis.effective_clusters or {}
        adjusted = benjamini_hochberg(self.coefficients["p_value"].to_numpy()[1:])  # without the intercept
        return pl.DataFrame(
            {
                "signal": self.terms,
                "vif": pl.Series([inflation[term] for term in self.terms], dtype=pl.Float64),
                "p_false_discovery": pl.Series([None, *adjusted], dtype=pl.Float64),
                "separated": [term in estimate.separated for term in self.terms],
                "interval": ["profile" if profiled else "wald" for profiled in estimate.profiled],
                "effective_accounts": pl.Series([effective.get(term) for term in self.terms], dtype=pl.Float64),
                "degrees_of_freedom": pl.Series(np.where(np.isfinite(freedom), freedom, np.nan)),
            }
        ).with_columns(pl.col("effective_accounts", "degrees_of_freedom").fill_nan(None))

    @cached_property
    def interaction_effects(self) -> pl.DataFrame:
        """Effects of products of two signals on the probability; see :mod:`analytics.intent.interaction_effects`."""
        return interaction_effects(self.basis, self.level)

    @cached_property
    def request_curves(self) -> pl.DataFrame:
        """Share of visitors without a request after each visit; see :mod:`analytics.intent.time_to_request`."""
        return request_curves(self.basis, self.level)

    @property
    def nonrobust_standard_error(self) -> Mapping[str, float]:
        """Nonrobust standard error of each term: it takes visits of one account as independent, which they are not."""
        return self.basis.nonrobust_standard_error

    @cached_property
    def jackknife(self) -> pl.DataFrame | None:
        """Jackknife standard errors and intervals over accounts; None where visits are taken as independent.

        They need no assumption about the outcomes of an account, and are somewhat conservative with few accounts.

        One row per term: ``signal``, ``standard_error``, ``degrees_of_freedom`` (effective accounts less one), and the
        ends ``ci_low`` and ``ci_high`` of Student's interval; null where fewer than two accounts have the term, or
        fewer than three are known, and under the penalised likelihood, where they would be far too small.
        """
        return jackknife_table(self.basis, self.coefficients["coefficient"].to_numpy(), self.level)

    @cached_property
    def odds_ratio_unit(self) -> pl.DataFrame:
        """Odds ratios per meaningful unit; see :func:`analytics.intent.coefficients.odds_ratios_per_unit`."""
        return odds_ratios_per_unit(self.coefficients, self.basis.signals)

    @cached_property
    def e_values(self) -> pl.DataFrame:
        """How strong an unmeasured cause would have to be, by signal; see :mod:`analytics.intent.e_values`."""
        is_signal = ~pl.col("signal").is_in(self.basis.baseline_terms)
        return e_values(self.odds_ratio_unit.filter(is_signal), self.n_requests / self.n_visits)

    @property
    def events_per_variable(self) -> float | None:
        """Requests (or visits without one, if fewer) per term; None for a model of the intercept alone."""
        rarer = min(self.n_requests, self.n_visits - self.n_requests)
        return rarer / (len(self.terms) - 1) if len(self.terms) > 1 else None

    @cached_property
    def all_signals(self) -> JointTest:
        """Joint test of all terms; see :meth:`joint_test`."""
        return self.joint_test(self.terms[1:])

    @cached_property
    def baseline_test(self) -> JointTest | None:
        """Joint test of the terms of the baseline, by which it is constant; None where it is taken to be."""
        return self.joint_test(self.basis.baseline_terms) if self.basis.baseline_terms else None

    def joint_test(self, terms: Sequence[str]) -> JointTest:
        """Test that the coefficients of some terms are all 0.

        It is a Wald test with the covariance of the model, or a penalised likelihood ratio test with separated terms.

        Args:
            terms: Names of terms of the model.

        Raises:
            IntentModelError: A term is not in the model.
            TooFewVisitsError: There are not more accounts than terms.
        """
        return joint_test(self.basis.design, self.basis.estimate, self.basis.n_clusters, terms)

    def wild_bootstrap(self, term: str, value: float = 0.0, *, n_draws: int = 1999) -> WildBootstrap:
        """Test one coefficient by the wild cluster score bootstrap, which suits few accounts, and give its interval.

        It takes a fit for each of some fifty values that are tried for the ends of the interval.

        Args:
            term: Name of a term.
            value: Tested value of its coefficient.
            n_draws: Number of draws, at least 99; their random numbers are always the same.

        Raises:
            IntentModelError: The term is not in the model, the likelihood is penalised, visits are taken as
                independent, or the draws are too few.
            TooFewVisitsError: There are fewer than three accounts.
        """
        basis = self.basis
        return wild_bootstrap(
            basis.design, basis.estimate, basis.clusters, term=term, value=value, level=self.level, n_draws=n_draws
        )

    def random_intercept(self) -> RandomIntercept:
        """Fit effects within accounts that differ unseen, once; see :mod:`analytics.intent.random_intercept`."""
        return self._random_intercept

    @cached_property
    def _random_intercept(self) -> RandomIntercept:
        return random_intercept(self.basis)

    @cached_property
    def out_of_fold(self) -> PredictiveQuality:
        """Five-fold cross-validation over accounts; see :meth:`cross_validate`."""
        return self.cross_validate()

    def cross_validate(self, n_folds: int = 5) -> PredictiveQuality:
        """Cross-validate: score predictions for accounts that are not in the fit.

        Args:
            n_folds: Number of folds, at least 2. Accounts are assigned by their names.

        Raises:
            IntentModelError: There are too few accounts, or requests, to fit without one of the folds.
        """
        if n_folds < 2:  # noqa: PLR2004 - one fold leaves nothing to fit on
            raise IntentModelError(f"n_folds: must be at least 2 (got {n_folds})")
        basis = self.basis
        return out_of_fold_quality(basis.design, basis.keys, basis.estimate.fit.coefficients, n_folds)

    def predict(self, visits: pl.DataFrame) -> pl.Series:
        """Return the probability that each visit ends in a request, given no earlier request of the visitor.

        Args:
            visits: Table with a column for each signal of the model, such as a visit table; or with the columns of the
                user's own table that was fitted.

        Returns:
            Probabilities, one per visit.

        Raises:
            VisitTableError: A signal is missing or has no value somewhere, or visits are unlike all those of the fit: a
                signal that was constant in the fit, or determined by others, is not so here.
        """
        return self.predictions(visits)["p_request"]

    def predictions(self, visits: pl.DataFrame) -> pl.DataFrame:
        """Return predicted probabilities with intervals: ``p_request``, ``p_low`` and ``p_high``, one row per visit.

        The interval is a confidence interval of the probability, not a prediction interval. It is Wald's in log-odds,
        and so within 0 and 1; null where there are too few accounts for one. Of a penalised fit the intercept is
        corrected (FLIC), so that over the visits of the fit predictions add up to the requests; see
        :func:`analytics.logit.firth.intercept_shift`. Arguments and errors are those of :meth:`predict`.
        """
        visits = self.basis.with_terms(visits)
        matrix = design_matrix(visits, self.terms)
        self.basis.refuse_unseen(visits)
        # Workers that never predict must not wait for it.
        from scipy.special import expit  # noqa: PLC0415

        log_odds = matrix @ self.basis.estimate.fit.predictive
        half = self.basis.estimate.fit.half_widths(matrix, self.level)
        # Intervals are symmetric in log-odds, so that their ends stay between 0 and 1 as probabilities.
        values = {"p_request": log_odds, "p_low": log_odds - half, "p_high": log_odds + half}
        return pl.DataFrame({name: expit(value) for name, value in values.items()}, nan_to_null=True)

    def to_statsmodels(self) -> BinaryResultsWrapper:
        """Return statsmodels' own results of the same model, refitted on single visits.

        Raises:
            IntentModelError: The likelihood was penalised, which statsmodels does not support.
        """
        return self.basis.to_statsmodels()

    def to_dict(self) -> dict[str, Any]:
        """Return all results but the covariance matrix as plain data for JSON; NaN and infinity become null."""
        details = self.coefficients.hstack(
            [
                *self.comparison["bias", "standardised_error"],
                *self.diagnostics.drop("signal"),
                *self.odds_ratio_unit.drop("signal"),
            ]
        )
        for others in (self.findings.select("signal", *_WORDS), self.e_values.drop("unit")):
            details = details.join(others, on="signal", how="left", maintain_order="left")
        return {
            "n_visits": self.n_visits,
            "n_visitors": self.n_visitors,
            "n_accounts": self.n_accounts,
            "n_requests": self.n_requests,
            "log_likelihood": self.log_likelihood,
            "pseudo_r2": self.pseudo_r2,
            "tjur_r2": self.tjur_r2,
            "auc_in_sample": self.auc_in_sample,
            "out_of_fold": self._or_reason(lambda: self.out_of_fold.to_dict()),  # noqa: PLW0108 - the property may raise
            "all_signals": self._or_reason(lambda: asdict(self.all_signals)),
            "events_per_variable": self.events_per_variable,
            "outcome": self.outcome,
            "estimator": self.estimator,
            "covariance": self.covariance,
            "level": self.level,
            "interaction_effects": [_finite(row) for row in self.interaction_effects.iter_rows(named=True)],
            "coefficients": [_finite(row) for row in details.iter_rows(named=True)],
            "dropped": dict(self.dropped),
            "unseen": list(self.unseen),
            "warnings": list(self.warnings),
        }

    @staticmethod
    def _or_reason(compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result, or the reason why there is none."""
        try:
            return compute()
        except IntentModelError as error:
            return {"not_available": str(error)}

    def __repr__(self) -> str:
        return repr(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    @property
    def _headline(self) -> str:
        if self.outcome == _REQUESTED:
            counts = f"{self.n_requests:,} requests in {self.n_visits:,} visits of {self.n_visitors:,} visitors"
        else:
            counts = f"{self.outcome} is 1 in {self.n_requests:,} of {self.n_visits:,} rows"
        accounts = f", {self.n_accounts:,} accounts" if self.n_accounts or self.outcome == _REQUESTED else ""
        return (
            f"IntentModel: {counts}{accounts}; {self.method}; standard errors {self.covariance}; "
            f"McFadden R² {self.pseudo_r2:.3f}, in-sample AUC {self.auc_in_sample:.3f} (optimistic)"
        )

    @property
    def _remarks(self) -> list[str]:
        unseen = [f"not seen in these events: {', '.join(self.unseen)}"] if self.unseen else []
        dropped = [f"dropped: {term} ({reason})" for term, reason in self.dropped.items() if term not in self.unseen]
        return [*unseen, *dropped, *(f"warning: {warning}" for warning in self.warnings)]


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}

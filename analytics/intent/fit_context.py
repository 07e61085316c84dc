"""Context of a fitted intent model, from which diagnostics are computed on demand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analytics.errors import IntentModelError, VisitTableError
from analytics.intent.baseline import Baseline
from analytics.intent.own_tables import TableColumn, with_levels
from analytics.logit.clusters import cluster_keys
from analytics.logit.design import Design, design_matrix
from analytics.logit.estimation import Estimate
from analytics.logit.likelihood import information, inverse_information
from analytics.logit.matrix import Integers
from analytics.logit.robust import jackknife_errors
from analytics.signals.definitions import Signal

if TYPE_CHECKING:
    from statsmodels.discrete.discrete_model import BinaryResultsWrapper

_ALIKE: Final = 1e-6
"""Largest difference by rounding between a term and what determines it, as a share of their largest value."""


@dataclass(frozen=True, eq=False)
class FitContext:
    """The design, the estimate and the clusters of a fitted model.

    Args:
        signals: Signals of the model and terms of its baseline, the dropped ones included.
        design: Design matrix and outcomes.
        estimate: Coefficients and covariance.
        clusters: Number of each visit's cluster, from 0; None where visits are taken as independent.
        people: The account and the visitor of each visit, by name or key, and its number.
        level: Confidence level of the intervals, between 0 and 1.
        levels: Levels of each text column of the user's own table, the reference first.
        baseline: How the odds of a request change with the number of the visit or with time.
    """

    signals: tuple[Signal | TableColumn, ...]
    design: Design
    estimate: Estimate
    clusters: Integers | None
    people: pl.DataFrame
    level: float
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    baseline: Baseline = field(default_factory=Baseline)

    @cached_property
    def keys(self) -> pl.Series:
        """Key of the cluster of each visit: of its account, else of its visitor."""
        return cluster_keys(self.people)

    @cached_property
    def n_clusters(self) -> int | None:
        """Number of clusters; None where visits are taken as independent."""
        return None if self.clusters is None else int(self.clusters.max()) + 1

    def without_visits(self) -> FitContext:
        """The same fit for tests and curves, which need no visits unless the likelihood is penalised."""
        if self.estimate.estimator == "firth":
            return self
        nothing = np.empty(0)
        design = replace(
            self.design,
            matrix=self.design.matrix.take(slice(0)),
            n_visits=nothing,
            n_requests=nothing,
            outcome=nothing,
            pattern=None,
        )
        clusters = None if self.n_clusters is None else np.array([self.n_clusters - 1])
        fit = replace(self.estimate.fit, p_request=nothing)
        return replace(
            self, design=design, estimate=replace(self.estimate, fit=fit), clusters=clusters, people=self.people.clear()
        )

    @cached_property
    def nonrobust_standard_error(self) -> Mapping[str, float]:
        """Nonrobust standard error of each term, from the information XᵀWX with W = n p (1 − p)."""
        design = self.design
        errors = np.sqrt(np.diag(inverse_information(design.matrix, design.n_visits, self.estimate.fit.p_request)))
        return dict(zip(self.design.terms, errors.tolist(), strict=True))

    @property
    def effective_clusters(self) -> Mapping[str, float] | None:
        """Effective number of clusters of each term; None where visits are taken as independent."""
        effective = self.estimate.fit.inference.effective_clusters
        return None if effective is None else dict(zip(self.design.terms, effective.tolist(), strict=True))

    @cached_property
    def jackknife_errors(self) -> Mapping[str, float] | None:
        """Jackknife standard error of each term over clusters; None where visits are taken as independent.

        NaN under the penalised likelihood: where a cell is empty, the estimate hardly moves when a cluster is left out.
        """
        if self.clusters is None:
            return None
        if self.estimate.estimator == "firth":
            return dict.fromkeys(self.design.terms, math.nan)
        design, p = self.design, self.estimate.fit.p_request
        errors = jackknife_errors(design, information(design.matrix, design.n_visits, p), p, self.clusters)
        return dict(zip(design.terms, errors.tolist(), strict=True))

    @cached_property
    def shared_residuals(self) -> float | None:
        """Score statistic for differences between accounts that no signal explains: about standard normal without any.

        The products of residuals of different visits of an account, summed and standardised. Source: D. Commenges and
        H. Jacqmin-Gadda, JRSS B 59 (1997) 157–171. None where visits are taken as independent, or accounts have one.
        """
        if self.clusters is None:
            return None
        p = self.design.by_visit(self.estimate.fit.p_request)
        residuals, variances = self.design.outcome - p, p * (1 - p)
        pairs, expected = (
            (np.bincount(self.clusters, each) ** 2 - np.bincount(self.clusters, each**2)).sum()
            for each in (residuals, variances)
        )
        return float(pairs / np.sqrt(2 * expected)) if expected > 0 else None

    @property
    def baseline_terms(self) -> tuple[str, ...]:
        """Terms of the baseline in the model; none where it is constant."""
        return tuple(term.name for term in self.baseline.terms if term.name in self.design.terms)

    def with_terms(self, visits: pl.DataFrame) -> pl.DataFrame:
        """Add what terms are made of to a table: signals of text columns, and the baseline.

        Args:
            visits: A table like that of the fit.

        Raises:
            VisitTableError: A column is missing, or a row has a level that the fit had not.
        """
        return self.baseline.added(with_levels(visits, self.levels))

    def refuse_unseen(self, visits: pl.DataFrame) -> None:
        """Refuse visits unlike all those of the fit, where a dropped term takes values that the fit never saw.

        Args:
            visits: Table with a column for each signal of the model.

        Raises:
            VisitTableError: A signal that was constant in the fit, or determined by others, is not so here.
        """
        for term, weights in self.design.determined.items():
            # The dropped term must still be the same combination of others as in the fit.
            values = design_matrix(visits, [term, *weights])
            expected = values[:, 1:] @ list(weights.values())
            largest = max(np.abs(values[:, 0]).max(initial=0.0), np.abs(expected).max(initial=0.0))
            n_other = int((np.abs(values[:, 0] - expected) > _ALIKE * largest).sum())
            if n_other:
                raise VisitTableError(
                    f"{term} was dropped from the model ({self.design.dropped[term]}), but differs in {n_other:,} "
                    f"of these {visits.height:,} visits, which the model cannot predict; fit it on visits like them"
                )

    def to_statsmodels(self) -> BinaryResultsWrapper:
        """Fit the same model with statsmodels, on single visits, and return its results.

        Raises:
            IntentModelError: The likelihood was penalised, which statsmodels does not support.
        """
        from statsmodels.discrete.discrete_model import Logit  # noqa: PLC0415 - takes a second to import

        if self.estimate.estimator == "firth":
            raise IntentModelError(
                "statsmodels has no Firth penalty, and the likelihood of this model has no maximum: separated terms: "
                f"{', '.join(self.estimate.separated)}"
            )
        design = self.design
        model = Logit(design.outcome, design.matrix.rows(slice(None) if design.pattern is None else design.pattern))
        # statsmodels would call them x1, x2, …
        model.data.xnames, model.data.ynames = list(design.terms), "requested_demo"
        covariance: Mapping[str, Any] = (
            {"cov_type": "cluster", "cov_kwds": {"groups": self.clusters}} if (self.n_clusters or 0) > 1 else {}
        )
        # From the maximum itself, which its first step confirms.
        return model.fit(self.estimate.fit.coefficients, method="newton", disp=False, **covariance)

"""Summaries of replications: means with intervals, paired differences, and the performance of estimates.

The measures of estimates, and their Monte-Carlo standard errors, are those of T. P. Morris, I. R. White and M. J.
Crowther, Statistics in Medicine 38 (2019) 2074–2102, table 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.studies.intervals import ROUNDING, Sample, mean_intervals, t_half_width
from scenarios.studies.loading import ESTIMATES, estimate_response
from scenarios.studies.precision import PrecisionSettings, is_response_met

Floats = NDArray[np.float64]

_Z: Final = NormalDist().inv_cdf(0.975)
_SIGNIFICANT: Final = 0.05

_RANKED: Final = ("coefficient", "standard_error", "true_coefficient")


def means(replications: pl.DataFrame) -> pl.DataFrame:
    """Summarise each response of each design point.

    Args:
        replications: Columns ``point``, ``replication``, ``response``, ``value`` (null where there is none).

    Returns:
        One row per point and response: ``n`` numbers, ``n_missing``, ``mean``, ``sd``, ``se`` of the mean and the ends
        ``ci_low`` and ``ci_high`` of its 95 % interval: Wilson's of values that are all 0 or 1, a score interval of
        rare events, otherwise Student's t (:func:`.mean_intervals`); null for fewer than two values, or where all are
        one number other than 0 and 1.

    >>> of_two = {"point": [0, 0], "replication": [0, 1], "response": "held", "value": [1.0, 3.0]}
    >>> means(pl.DataFrame(of_two)).select("n", "mean", "se").row(0)
    (2, 2.0, 1.0)
    """
    value = pl.col("value")
    table = replications.group_by("point", "response", maintain_order=True).agg(
        n=value.count(),
        n_missing=value.null_count(),
        mean=value.mean(),
        sd=value.std(),
        se=value.std() / value.count().sqrt(),
        low=value.min(),
        high=value.max(),
        is_binary=value.is_in([0.0, 1.0]).all(),
    )
    n, mean, sd, low, high = table.select(pl.col("n", "mean", "sd", "low", "high").cast(pl.Float64)).to_numpy().T
    low, high = mean_intervals(Sample(n, mean, sd, low, high, table["is_binary"].to_numpy()))
    ends = {"ci_low": pl.Series(low).fill_nan(None), "ci_high": pl.Series(high).fill_nan(None)}
    return table.with_columns(**ends).drop("low", "high", "is_binary")


def differences(replications: pl.DataFrame, base: int = 0) -> pl.DataFrame:
    """Return paired differences of each design point from a base point, replication by replication.

    Args:
        replications: As for :func:`means`.
        base: Number of the base point.

    Returns:
        One row per other point and response: ``n`` pairs in which both have a number, ``difference`` of the means, its
        ``se`` and 95 % t interval, null where all pairs differ by the same number (often 0: how rarely they would
        differ otherwise is not known), and ``variance_saved``: the variance reduction by common random numbers against
        independent runs, 1 − var(difference) / (var + var of the base); null where nothing varies.
    """
    reference = replications.filter(pl.col("point") == base).select("replication", "response", base="value")
    pairs = (
        replications.filter(pl.col("point") != base)
        .join(reference, on=["replication", "response"], how="inner", maintain_order="left")
        .filter(pl.col("value").is_not_null(), pl.col("base").is_not_null())
    )
    gap, apart = pl.col("value") - pl.col("base"), pl.col("value").var() + pl.col("base").var()
    table = pairs.group_by("point", "response", maintain_order=True).agg(
        n=pl.len(),
        difference=gap.mean(),
        se=gap.std() / pl.len().sqrt(),
        varies=gap.max() - gap.min()
        > ROUNDING * pl.max_horizontal(pl.col("value").abs().max(), pl.col("base").abs().max()),
        variance_saved=pl.when(apart > 0).then(1 - gap.var() / apart),
    )
    n, sd = table["n"].to_numpy().astype(np.float64), (table["se"] * table["n"].sqrt()).fill_null(np.nan).to_numpy()
    # Without a spread the interval would have no width, and look certain.
    half = pl.Series(np.where(table["varies"].to_numpy(), t_half_width(n, sd), np.nan)).fill_nan(None)
    ends = {"ci_low": table["difference"] - half, "ci_high": table["difference"] + half}
    return table.with_columns(**ends).select(
        "point", "response", "n", "difference", "se", "ci_low", "ci_high", "variance_saved"
    )


def estimates(replications: pl.DataFrame, terms: Sequence[str], estimators: Sequence[str] = ()) -> pl.DataFrame:
    """Return the performance of the estimates of the intent model, term by term.

    Args:
        replications: As for :func:`means`, with the responses ``coefficient:TERM``, ``standard_error:TERM``, ….
        terms: The terms.
        estimators: Several estimators; that of the settings only, unless given.

    Returns:
        One row per point and term, and per ``estimator`` where there are several: ``n`` replications with an estimate
        and ``n_missing`` without; ``true_coefficient``, ``mean`` and ``bias`` of the coefficient; ``rmse``;
        ``empirical_se``, its standard deviation over replications, and ``mean_se``, the root mean square of the
        standard errors that the model states; ``coverage`` of the truth by the 95 % intervals;
        ``bias_eliminated_coverage`` (Morris et al. 2019), that of the mean estimate instead; ``mean_nonrobust_se`` and
        ``nonrobust_bias_eliminated_coverage``, the same two by nonrobust standard errors; ``rejected``, the share of
        replications in which the term is significant at 5 % (the power, or for a decoy the false alarms); and
        ``mean_z``. Columns that end in ``_mcse`` are Monte-Carlo standard errors. Null where the truth is not known, or
        a spread is of one, and errors of shares that are 0 or 1.
    """
    rows = []
    for point in replications["point"].unique(maintain_order=True):
        of_point = replications.filter(pl.col("point") == point)
        wide = of_point.pivot("response", index="replication", values="value", maintain_order=True)
        for term, estimator in product(terms, estimators or (None,)):
            columns = {name: _estimate(wide, name, term, estimator) for name in ESTIMATES}
            named = {} if estimator is None else {"estimator": estimator}
            rows.append({"point": point, "term": term, **named, **_performance(columns)})
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.selectors.float().fill_nan(None))


def ranks(replications: pl.DataFrame, terms: Sequence[str]) -> dict[int, dict[str, Floats]]:
    """Return the rank of each estimate in the normal distribution about the truth with its standard error, 0 to 1.

    Args:
        replications: As for :func:`estimates`.
        terms: The terms.

    Returns:
        Ranks over replications by point and term; NaN without an estimate, and no term whose truth is not known.
    """
    from scenarios.output_analysis.rank_calibration import standard_normal_rank  # noqa: PLC0415 - few studies use it

    found: dict[int, dict[str, Floats]] = {}
    for point in replications["point"].unique(maintain_order=True):
        wide = replications.filter(point=point).pivot("response", index="replication", values="value")
        columns = {term: [_column(wide, estimate_response(name, term)) for name in _RANKED] for term in terms}
        of_terms = {term: standard_normal_rank(*three) for term, three in columns.items()}
        found[point] = {term: values for term, values in of_terms.items() if not np.isnan(values).all()}
    return {point: of_terms for point, of_terms in found.items() if of_terms}


def precision_remarks(replications: pl.DataFrame, settings: PrecisionSettings) -> list[str]:
    """Say which responses did not reach their target precision, in sentences without their full stops.

    Args:
        replications: As for :func:`means`.
        settings: The targets, and the maximum number of replications.

    >>> of_ten = {"point": [0] * 10, "replication": range(10), "response": "held", "value": [0.0] * 10}
    >>> settings = PrecisionSettings(precision={"held": {"absolute": 1.0}}, min=10, max=10)
    >>> precision_remarks(pl.DataFrame(of_ten), settings)[0][:62]
    'held: the target precision is not met at 1 of 1 design points '
    """
    remarks = []
    for name, target in settings.precision.items():
        points = replications.filter(response=name).partition_by("point")
        values = [point["value"].fill_null(np.nan).to_numpy() for point in points]
        unmet = [each for each in values if not is_response_met(each, target)[-1]]
        known = [each[~np.isnan(each)] for each in unmet if not np.isnan(each).all()]
        n_constant = sum(bool(np.ptp(each) <= ROUNDING * np.abs(each).max()) for each in known)
        if unmet:
            remark = f"{name}: the target precision is not met at {len(unmet):,} of {len(values):,} design points after"
            remark += f" {settings.max:,} replications"
            if n_constant:
                remark += (
                    f"; at {n_constant:,} of these all values are the same, which meets no target, because others may "
                    "be rare: raise `max`, or take a response that cannot vary out of `precision`"
                )
            remarks.append(remark)
    return remarks


def _estimate(wide: pl.DataFrame, measure: str, term: str, estimator: str | None) -> Floats:
    # The truth is that of the world, whatever estimates it.
    return _column(wide, estimate_response(measure, term, None if measure == "true_coefficient" else estimator))


def _column(wide: pl.DataFrame, name: str) -> Floats:
    if name not in wide.columns:
        return np.full(wide.height, np.nan)
    return wide[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _performance(columns: dict[str, Floats]) -> dict[str, float]:
    """Performance measures of one term's estimates; NaN where there is no data for them."""
    known = ~np.isnan(columns["coefficient"]) & ~np.isnan(columns["standard_error"])
    b, se, nonrobust, p, low, high, covered, truth = (columns[name][known] for name in ESTIMATES)
    n = int(known.sum())
    empirical = _deviation(b)
    error, centred = b - truth, np.abs(b - _mean(b))
    return {
        "n": n,
        "n_missing": int((~known).sum()),
        "true_coefficient": _mean(truth),
        "mean": _mean(b),
        "bias": _mean(error),
        "bias_mcse": _ratio(empirical, n**0.5),
        "rmse": _mean(error**2) ** 0.5,
        "empirical_se": empirical,
        "empirical_se_mcse": _ratio(empirical, (2 * (n - 1)) ** 0.5 if n > 1 else 0.0),
        "mean_se": _mean(se**2) ** 0.5,
        "mean_nonrobust_se": _mean(nonrobust**2) ** 0.5,
        **_share("coverage", covered),
        **_share("bias_eliminated_coverage", np.where(np.isnan(low), np.nan, (low <= _mean(b)) & (_mean(b) <= high))),
        **_share(
            "nonrobust_bias_eliminated_coverage", np.where(np.isnan(nonrobust), np.nan, centred <= _Z * nonrobust)
        ),
        **_share("rejected", np.where(np.isnan(p), np.nan, p < _SIGNIFICANT)),
        "mean_z": _mean(error / se),
        "mean_z_mcse": _ratio(_deviation(error / se), n**0.5),
    }


def _share(name: str, hits: Floats | NDArray[np.bool_]) -> dict[str, float]:
    share = _mean(hits)
    # Of hits that are all alike, the formula would give an error of 0, as if the share were certain.
    error = (share * (1 - share)) ** 0.5 or np.nan
    return {name: share, f"{name}_mcse": _ratio(error, len(hits) ** 0.5)}


def _mean(values: Floats | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else np.nan


def _deviation(values: Floats) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def _ratio(above: float, below: float) -> float:
    return above / below if below else np.nan

"""Effects of experiments: how the conversion of each arm differs from the reference arm, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.tracking_plan import UTC_MS
from analytics.html.numbers import SIGNIFICANT, count, decimal, p_equals, percent
from analytics.statistics.experiments.covariates import cluster_codes, covariates_of, cuped
from analytics.statistics.experiments.outcomes import AT_RISK
from analytics.statistics.experiments.power import detectable_difference
from analytics.statistics.experiments.proportions import compare_proportions
from analytics.statistics.experiments.sequential import confidence_sequence, counts_by_look
from analytics.statistics.intervals import wilson_interval
from analytics.statistics.multiplicity import holm

Row = dict[str, Any]

_UPPER: Final = 0.975
"""Where a 95 % interval ends."""

_NUMBERS: Final = (
    *("conversion", "conversion_low", "conversion_high"),
    *("difference", "difference_low", "difference_high", "standard_error", "design_effect"),
    *("ratio", "ratio_low", "ratio_high", "p_value", "p_adjusted", "detectable_difference"),
    *("cuped_difference", "cuped_low", "cuped_high", "cuped_standard_error", "variance_reduction"),
    *("sequence_low", "sequence_high", "sequence_p", "sequence_p_adjusted", "true_log_odds"),
)

EFFECT_SCHEMA: Final = pl.Schema(
    {
        "experiment": pl.String(),
        "arm": pl.String(),
        "reference": pl.String(),
        **dict.fromkeys(("visitors", "requesters", "requested_before", "never_exposed"), pl.UInt32()),
        **dict.fromkeys(_NUMBERS, pl.Float64()),
        "sample_ratio_as_planned": pl.Boolean(),
    }
)
"""Columns of the table of effects, one row per arm, the reference first.

``visitors`` of the arm could still make a first request when they came into it, and ``requesters`` of them did;
``requested_before`` and ``never_exposed`` (seen by servers only) are left out. ``conversion`` is the share of
requesters, ``difference`` that of the arm minus that of the reference, ``ratio`` the one by the other, each with its
interval; they are null for the reference. ``p_adjusted`` is Holm's over the arms of the experiment.
``standard_error`` of the difference allows for dependent colleagues by the ``design_effect``, its variance by accounts
over that of independent visitors (1 at least); intervals and tests use counts divided by it (J. N. K. Rao and
A. J. Scott, Biometrics 48 (1992) 577–585). ``detectable_difference`` is the increase that a test of so many visitors
finds with power 80 %. ``cuped_…`` are adjusted for what was known before, ``sequence_…`` hold at every look.
``true_log_odds`` is the effect of the arm on the decision at the end of a visit, in simulated worlds. Where
``sample_ratio_as_planned`` is false, no effect is to be trusted.
"""

_COUNTS: Final = ("visitors", "reference_visitors", "requesters", "reference_requesters")

SEQUENCE_SCHEMA: Final = pl.Schema(
    {
        "experiment": pl.String(),
        "arm": pl.String(),
        "until": UTC_MS,
        **dict.fromkeys(_COUNTS, pl.UInt32()),
        **dict.fromkeys(("difference", "difference_low", "difference_high", "p_value"), pl.Float64()),
    }
)
"""Columns of the confidence sequences, one row per arm and look: what was known ``until`` then.

Intervals are null at looks before there are requests enough; ``p_value`` is the smallest so far.
"""


def effects_and_sequences(visitors: pl.DataFrame, as_planned: Mapping[str, bool]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare the arms of each experiment with its reference, the first arm by name as in the intent model.

    Args:
        visitors: Columns of :data:`analytics.statistics.experiments.outcomes.OUTCOME_SCHEMA`.
        as_planned: Whether the arms have their planned shares, by experiment.

    Returns:
        Columns of :data:`EFFECT_SCHEMA`, of which the true effects are null, and of :data:`SEQUENCE_SCHEMA`.
    """
    rows: list[Row] = []
    sequences = [SEQUENCE_SCHEMA.to_frame()]
    for (name,), seen in visitors.group_by("experiment", maintain_order=True):
        experiment = _Experiment(seen)
        rows += [{**row, "sample_ratio_as_planned": as_planned[str(name)]} for row in experiment.rows()]
        sequences += experiment.sequences
    return pl.DataFrame(rows, schema=EFFECT_SCHEMA), pl.concat(sequences)


class _Experiment:
    """The comparisons of one experiment."""

    def __init__(self, seen: pl.DataFrame) -> None:
        self._seen = seen
        self._visitors = seen.filter(AT_RISK)
        self._arm = self._visitors["arm"].to_numpy()
        self._requested = self._visitors["requested_at"].is_not_null().to_numpy().astype(np.float64)
        self._clusters, self._covariates = cluster_codes(self._visitors), covariates_of(self._visitors)
        self.sequences: list[pl.DataFrame] = []

    def rows(self) -> list[Row]:
        """The rows of the table of effects."""
        arms = self._visitors["arm"].unique().sort().to_list()
        if not arms:
            return []
        reference, *others = [self._counts(arm, arms[0]) for arm in arms]
        compared = [{**row, **self._comparison(row, reference)} for row in others]
        for name in ("p_value", "sequence_p"):
            p_values = np.array([np.nan if row[name] is None else row[name] for row in compared])
            adjusted = "p_adjusted" if name == "p_value" else "sequence_p_adjusted"
            for row, p in zip(compared, holm(p_values), strict=True):
                row[adjusted] = _known(p)
        return [reference, *compared]

    def _counts(self, arm: str, reference: str) -> Row:
        seen, requested = self._seen.filter(arm=arm), self._requested[self._arm == arm]
        never = seen["exposed_at"].null_count()
        n, x = len(requested), int(requested.sum())
        low, high = wilson_interval(x, n)
        return {
            "experiment": seen["experiment"][0],
            "arm": arm,
            "reference": reference,
            "visitors": n,
            "requesters": x,
            "requested_before": seen.height - n - never,
            "never_exposed": never,
            "conversion": x / n,
            "conversion_low": float(low),
            "conversion_high": float(high),
        }

    def _comparison(self, row: Row, reference: Row) -> Row:
        """Compare an arm with the reference."""
        pair = (self._arm == row["arm"]) | (self._arm == reference["arm"])
        requested, in_arm = self._requested[pair], (self._arm == row["arm"])[pair]
        variance, effect = variance_by_accounts(requested, in_arm, self._clusters[pair])
        counts = [each[name] / effect for each in (row, reference) for name in ("requesters", "visitors")]
        adjusted = cuped(requested, in_arm, self._covariates[pair], design_effect=effect)
        found = {**vars(compare_proportions(*counts)), "standard_error": variance**0.5, "design_effect": effect}
        if adjusted is not None:
            names = {"difference": "cuped_difference", "low": "cuped_low", "high": "cuped_high"}
            names |= {"standard_error": "cuped_standard_error"}
            found |= {names.get(name, name): value for name, value in vars(adjusted).items()}
        found["detectable_difference"] = detectable_difference(reference["conversion"], counts[1], counts[3])
        return found | self._sequence(row["arm"], reference["arm"], effect)

    def _sequence(self, arm: str, reference: str, design_effect: float) -> Row:
        """Keep the confidence sequence of an arm, and return its end."""
        looks = counts_by_look(self._visitors, (reference, arm))
        n, x = (looks.select(f"{name}_0", f"{name}_1").to_numpy().astype(np.float64) for name in "nx")
        low, high, p = confidence_sequence(x, n, design_effect=design_effect)
        columns = {"difference_low": low, "difference_high": high, "p_value": p}
        names = dict(zip(("n_1", "n_0", "x_1", "x_0"), _COUNTS, strict=True))
        table = looks.with_columns(
            pl.lit(self._seen["experiment"][0]).alias("experiment"),
            pl.lit(arm).alias("arm"),
            # Not a number where nobody had been in one of the arms.
            difference=pl.col("x_1") / pl.col("n_1") - pl.col("x_0") / pl.col("n_0"),
            **{name: pl.Series(values) for name, values in columns.items()},
        ).rename(names)
        self.sequences.append(table.fill_nan(None).select(pl.col(n).cast(t) for n, t in SEQUENCE_SCHEMA.items()))
        return {"sequence_low": _known(low[-1]), "sequence_high": _known(high[-1]), "sequence_p": _known(p[-1])}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def variance_by_accounts(
    requested: NDArray[np.float64], in_arm: NDArray[np.bool_], clusters: NDArray[np.int64]
) -> tuple[float, float]:
    """Return the variance of the difference of two conversions, robust to dependence within accounts.

    With e the deviations from the conversion of the arm by the visitors of the arm, negative in the reference, the
    variance is G / (G − 1) times the sum over the G accounts of the squared sums of e; that of independent visitors is
    the sum of e². Their ratio is the design effect, and 1 at least: a smaller one is chance. It is near 1 where
    visitors are randomised, as colleagues are then in both arms, and above where whole accounts are.

    Args:
        requested: 1 for visitors who requested a demo, else 0; shape (visitors,).
        in_arm: Whether the visitor is in the arm and not in the reference.
        clusters: Number of the visitor's account.

    Returns:
        The variance, and the design effect.
    """
    n = np.where(in_arm, in_arm.sum(), -(~in_arm).sum())
    rate = np.where(in_arm, requested[in_arm].mean(), requested[~in_arm].mean())
    deviations = (requested - rate) / n
    independent = float((deviations**2).sum())
    sums = np.bincount(np.unique(clusters, return_inverse=True)[1], deviations)
    # Without colleagues, the correction for few accounts would only be noise.
    if not independent or len(sums) in {1, len(requested)}:
        return independent, 1.0
    # Takes a moment to import; counts and rates must not wait for it.
    from scipy.special import ndtri, stdtrit  # noqa: PLC0415

    few = float(stdtrit(max(len(sums) - 2, 1), _UPPER) / ndtri(_UPPER)) ** 2
    robust = float((sums**2).sum()) * len(sums) / (len(sums) - 1) * few
    effect = max(1.0, robust / independent)
    return independent * effect, effect


def sentences(effects: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Say what the experiment has shown, in one sentence for each arm but the references.

    Args:
        effects: The table of effects.

    Returns:
        Name of the experiment, and the sentence.
    """
    references = {row["experiment"]: row for row in effects.iter_rows(named=True) if row["arm"] == row["reference"]}
    for row in effects.filter(pl.col("arm") != pl.col("reference")).iter_rows(named=True):
        yield row["experiment"], _sentence(row, references[row["experiment"]])


def _sentence(row: Row, reference: Row) -> str:
    more = "more" if row["difference"] >= 0 else "fewer"
    size = f"{decimal(100 * abs(row['difference']))} percentage points {more} than"
    ends = f"{decimal(100 * row['difference_low'])} to {decimal(100 * row['difference_high'])}"
    return (
        f"{row['arm']}: {percent(row['conversion'])} of {count(row['visitors'])} visitors requested a demo, {size} "
        f"{row['reference']} with {percent(reference['conversion'])} of {count(reference['visitors'])} "
        f"(95% interval {ends}): {_verdict(row)}"
    )


def _verdict(row: Row) -> str:
    if not row["sample_ratio_as_planned"]:
        return "not to be trusted, as the arms do not have their planned shares"
    if row["p_adjusted"] is None:
        return "nothing can be tested, as all visitors have the same outcome"
    excludes_0 = row["difference_low"] > 0 or row["difference_high"] < 0
    p = p_equals(row["p_adjusted"])
    if row["p_adjusted"] < SIGNIFICANT:
        return f"a difference is shown ({p}{'' if excludes_0 else ', barely, although the interval includes 0'})"
    detectable = row["detectable_difference"]
    size = f"; a test of this size detects {decimal(100 * detectable)} points with power 80%" if detectable else ""
    reason = ""
    if excludes_0:
        reason = ", barely" if row["p_value"] >= SIGNIFICANT else ", adjusted for several arms"
        reason += ", although the interval excludes 0"
    return f"no difference shown ({p}{reason}){size}"

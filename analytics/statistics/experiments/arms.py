"""Experiments as they were run: who is in which arm, who is in several, and whether the arms have their shares.

An effect of an arm can be estimated only if nothing but chance decides who is in it. A visitor who saw two arms (a
flag that was rolled out twice) belongs to neither. Arms whose sizes do not have the planned ratio were not filled by
chance alone: a *sample-ratio mismatch*, most often a fault of assignment or of tracking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from itertools import chain
from typing import Final

import numpy as np
import polars as pl

from analytics.sessions.timeline import VISITOR, enriched
from analytics.statistics.experiments.effects import effects_and_sequences, sentences
from analytics.statistics.experiments.outcomes import visitor_outcomes

SAMPLE_RATIO_SCHEMA: Final = pl.Schema(
    {
        "experiment": pl.String(),
        "arm": pl.String(),
        "visitors": pl.UInt32(),
        "share": pl.Float64(),
        "expected_share": pl.Float64(),
        "in_several_arms": pl.UInt32(),
        "p_value": pl.Float64(),
    }
)
"""Columns of the table of sample ratios, one row per arm, sorted by experiment and arm.

``visitors`` in this arm and no other, and their ``share`` of the experiment; ``in_several_arms`` are the visitors of
the experiment who are left out. ``p_value`` is of the χ² test of all visitors of the experiment against the expected
shares; null where there is one arm only.
"""

_MISMATCH: Final = 0.001
"""P-value below which shares are called mismatched; it is small because nobody plans for a mismatch.

Source: R. Kohavi, D. Tang and Y. Xu, Trustworthy Online Controlled Experiments (Cambridge 2020), chapter 21.
"""


class ExperimentArms:
    r"""The arms of the visitors in events, people only, and tests of their shares.

    Args:
        events: Flat or enriched events, whose ``context_experiments`` have ``experiment=arm`` joined by ``;``.
        shares: Planned share of each arm by experiment; arms of an experiment that is not in it have equal shares.

    >>> from analytics.io.ndjson import decode
    >>> line = '{"type":"page","messageId":"%d","anonymousId":"v%d","timestamp":"2026-03-03T09:00:00Z","context":%s}'
    >>> arms = ['{"experiments":"e=a"}'] * 3 + ['{"experiments":"e=b"}']
    >>> events = decode("\n".join(line % (n, n, arm) for n, arm in enumerate(arms)).encode()).frame
    >>> ExperimentArms(events).sample_ratios.select("arm", "visitors", pl.col("p_value").round(3)).rows()
    [('a', 3, 0.317), ('b', 1, 0.317)]
    """

    def __init__(self, events: pl.DataFrame, shares: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._events = enriched(events)
        self._shares = shares or {}
        self._truth: Mapping[str, float] = {}

    @classmethod
    def joined(cls, parts: Sequence[ExperimentArms]) -> ExperimentArms:
        """The arms of the visitors in parts of the events, all events of a visitor in one; without the events.

        Args:
            parts: At least one.
        """
        whole = cls(parts[0].events.clear(), parts[0]._shares)  # noqa: SLF001 - of its own class
        for name in ("assignments", "visitors"):
            tables = [getattr(part, name) for part in parts]
            setattr(whole, name, pl.concat(tables).sort("experiment", "arm", "visitor"))
        return whole

    def beside(self, truth: Mapping[str, float] | None) -> ExperimentArms:
        """The same arms, with the true effects of arms in log-odds, by ``experiment=arm``, where they are known."""
        known = copy(self)
        known._truth = truth or {}  # noqa: SLF001 - of its own class
        return known

    def without_events(self) -> ExperimentArms:
        """The same arms, without the events, so that these can be released."""
        return self.joined([self])

    @cached_property
    def assignments(self) -> pl.DataFrame:
        """One row per ``visitor``, ``experiment`` and ``arm`` in which the visitor was seen."""
        seen = self._events.lazy().filter(pl.col("context_experiments").is_not_null() & ~pl.col("is_bot"))
        label = pl.col("context_experiments").cast(pl.String).str.split(";")
        return (
            seen.select(VISITOR, "context_experiments")
            .drop_nulls()
            .unique()
            .select("visitor", label=label)
            .explode("label")
            .filter(pl.col("label").str.contains("=", literal=True))
            .select("visitor", pl.col("label").str.splitn("=", 2).struct.rename_fields(["experiment", "arm"]))
            .unnest("label")
            .unique()
            .sort("experiment", "arm", "visitor")
            .collect()
        )

    @cached_property
    def in_several_arms(self) -> pl.DataFrame:
        """One row per ``experiment`` and ``visitor`` who was seen in more than one of its arms."""
        several = (
            self.assignments.group_by("experiment", "visitor", maintain_order=True).len().filter(pl.col("len") > 1)
        )
        return several.drop("len")

    @cached_property
    def events(self) -> pl.DataFrame:
        """The events, without the arms of visitors in several arms of an experiment: they are in none."""
        if self.in_several_arms.is_empty():
            return self._events
        column = "context_experiments"
        excluded = self.in_several_arms.group_by("visitor").agg("experiment")
        seen = self._events.select(VISITOR, column).unique().drop_nulls().join(excluded, on="visitor")
        left = [
            ";".join(label for label in text.split(";") if label.split("=")[0] not in experiments) or None
            for text, experiments in seen.select(pl.col(column).cast(pl.String), "experiment").iter_rows()
        ]
        changed = seen.select("visitor", column, left=pl.Series(left, dtype=pl.String), is_changed=pl.lit(value=True))
        arms = self._events.select(VISITOR, column).join(
            changed, on=["visitor", column], how="left", maintain_order="left"
        )
        kept = pl.when(pl.col("is_changed")).then("left").otherwise(pl.col(column).cast(pl.String))
        return self._events.with_columns(arms.select(kept.cast(self._events.schema[column]).alias(column)).to_series())

    @cached_property
    def sample_ratios(self) -> pl.DataFrame:
        """Visitors and shares of each arm, with the test; columns of :data:`SAMPLE_RATIO_SCHEMA`."""
        several = dict(self.in_several_arms.group_by("experiment").len().iter_rows())
        counted = {(name, arm): n for name, arm, n in self._single.group_by("experiment", "arm").len().iter_rows()}
        rows = []
        for experiment in self.names:
            seen = self.assignments.filter(pl.col("experiment") == experiment)["arm"].unique()
            planned = self._shares.get(experiment) or dict.fromkeys(seen, 1 / len(seen))
            # An arm that nobody saw counts too, and so does one that was never planned.
            arms = sorted({*planned, *seen})
            visitors = np.array([counted.get((experiment, arm), 0) for arm in arms])
            expected = np.array([planned.get(arm, 0.0) for arm in arms])
            share = visitors / max(visitors.sum(), 1)
            p_value = sample_ratio_test(visitors, expected)
            counts = zip(arms, visitors.tolist(), share.tolist(), expected.tolist(), strict=True)
            rows += [(experiment, *each, several.get(experiment, 0), p_value) for each in counts]
        return pl.DataFrame(rows, schema=SAMPLE_RATIO_SCHEMA, orient="row")

    @cached_property
    def visitors(self) -> pl.DataFrame:
        """Outcomes of the visitors in one arm only; columns of :data:`OUTCOME_SCHEMA`."""
        return visitor_outcomes(self._events, self._single)

    @property
    def effects(self) -> pl.DataFrame:
        """Conversion of each arm, and how it differs from the reference; columns of :data:`EFFECT_SCHEMA`."""
        label = pl.concat_str("experiment", "arm", separator="=")
        true = label.replace_strict(self._truth, default=None, return_dtype=pl.Float64)
        return self._compared[0].with_columns(true_log_odds=true)

    @property
    def sequences(self) -> pl.DataFrame:
        """The differences over time, valid at every look; columns of :data:`SEQUENCE_SCHEMA`."""
        return self._compared[1]

    @cached_property
    def _compared(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        p_values = dict(self.sample_ratios.select("experiment", "p_value").iter_rows())
        as_planned = {name: p is None or p >= _MISMATCH for name, p in p_values.items()}
        return effects_and_sequences(self.visitors, as_planned)

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """What each experiment has shown: its name, and a sentence for each arm but the reference."""
        return tuple(sentences(self.effects))

    def tables(self) -> dict[str, pl.DataFrame]:
        """Sample ratios, effects and differences over time by name of the table; none without experiments."""
        if self.assignments.is_empty():
            return {}
        return {
            "experiments": self.sample_ratios,
            "experiment_effects": self.effects,
            "experiment_sequences": self.sequences,
        }

    @property
    def _single(self) -> pl.DataFrame:
        """The assignments of visitors in one arm only."""
        return self.assignments.join(self.in_several_arms, on=["experiment", "visitor"], how="anti")

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for a reader of comparisons between arms."""
        return tuple(chain.from_iterable(map(self.warnings_of, self.names)))

    @property
    def names(self) -> list[str]:
        """Names of the experiments, sorted."""
        return self.assignments["experiment"].unique().sort().to_list()

    def warnings_of(self, experiment: str) -> Iterator[str]:
        """Warnings about one experiment."""
        arms = self.sample_ratios.filter(experiment=experiment)
        n_several, p_value = arms["in_several_arms"][0], arms["p_value"][0]
        if n_several:
            yield (
                f"visitors seen in several arms of {experiment}: {n_several:,}; they are left out of its arms "
                "and of the intent model"
            )
        if p_value is not None and p_value < _MISMATCH:
            columns = arms["arm", "visitors", "expected_share"].iter_rows()
            sizes = ", ".join(f"{arm} {n:,} (planned {share:.1%})" for arm, n, share in columns)
            yield (
                f"sample-ratio mismatch in {experiment} (p = {p_value:.2g}): visitors by arm are {sizes}; find the "
                "cause before comparing the arms"
            )


def sample_ratio_test(visitors: np.ndarray, shares: np.ndarray) -> float | None:
    """Return the p-value of Pearson's χ² test that visitors fall into arms by the planned shares.

    Args:
        visitors: Visitors in each arm, shape (arms,).
        shares: Their planned shares, which sum to 1.

    Returns:
        The p-value; 0 where somebody is in an arm whose share is 0, None for fewer than two arms or no visitors.

    >>> round(sample_ratio_test(np.array([821_588, 815_482]), np.array([0.5, 0.5])), 8)
    1.82e-06
    """
    from scipy.special import chdtrc  # noqa: PLC0415 - slow to import

    if visitors[shares == 0].any():
        return 0.0
    expected = visitors.sum() * shares[shares > 0]
    if len(expected) < 2 or not visitors.any():  # noqa: PLR2004 - one arm has no ratio
        return None
    statistic = ((visitors[shares > 0] - expected) ** 2 / expected).sum()
    return float(chdtrc(len(expected) - 1, statistic))

"""Results of a study, as data frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analytics import html
from analytics.html.numbers import setting
from scenarios.errors import InputError
from scenarios.output_analysis.summary import differences, estimates, means, precision_remarks, ranks
from scenarios.studies.plan import StudyPlan
from scenarios.studies.precision import PrecisionSettings
from scenarios.studies.replication import Failure
from scenarios.studies.running import PointRun

if TYPE_CHECKING:
    from analytics.charts.style import AnyChart

REPLICATIONS_SCHEMA: Final = pl.Schema(
    {"point": pl.UInt32(), "replication": pl.UInt32(), "response": pl.String(), "value": pl.Float64()}
)
"""Columns of the tidy table: one row per design point, replication and response; ``value`` is null where undefined."""


_MOST_ROWS: Final = 60


class StudyResults:
    """Results of a study.

    Args:
        plan: The study.
        runs: Replications of each design point.
        replay: Command that repeats a single replication, with ``{}`` for point and replication.
    """

    def __init__(self, plan: StudyPlan, runs: Sequence[PointRun], replay: str = "") -> None:
        self.plan = plan
        self._runs = runs
        self._replay = replay

    def __repr__(self) -> str:
        n = sum(len(run.replications) for run in self._runs)
        failed = f", {len(self.failures):,} failures" if self.failures else ""
        return f"<Results of {self.plan.settings.name}: {len(self._runs):,} points, {n:,} replications{failed}>"

    def _repr_html_(self) -> str:
        shown = self.estimates if self.plan.loaded.terms else self.summary
        return html.notebook_html(repr(self), frames=[shown], most_rows=_MOST_ROWS)

    @property
    def design(self) -> pl.DataFrame:
        """The design points: ``point``, ``scenario`` and a column for each factor."""
        return self.plan.design

    @cached_property
    def replications(self) -> pl.DataFrame:
        """The tidy table; columns as in :data:`REPLICATIONS_SCHEMA`."""
        responses = self.plan.responses
        columns: dict[str, list[Any]] = {name: [] for name in REPLICATIONS_SCHEMA}
        for run in self._runs:
            for number, replicated in enumerate(run.replications):
                columns["point"] += [run.point.number] * len(responses)
                columns["replication"] += [number] * len(responses)
                columns["response"] += responses
                columns["value"] += replicated.values
        return pl.DataFrame(columns, schema=REPLICATIONS_SCHEMA)

    @cached_property
    def wide(self) -> pl.DataFrame:
        """The replications with a column for each response, beside the values of the factors."""
        wide = self.replications.pivot("response", index=["point", "replication"], values="value", maintain_order=True)
        return self.design.with_columns(pl.col("point").cast(pl.UInt32)).join(wide, on="point", maintain_order="left")

    @cached_property
    def summary(self) -> pl.DataFrame:
        """Mean and interval of each response at each point; columns as in :func:`.summary.means`."""
        return means(self.replications)

    @cached_property
    def differences(self) -> pl.DataFrame:
        """Differences of the points from the first; columns as in :func:`.summary.differences`."""
        return differences(self.replications)

    @cached_property
    def estimates(self) -> pl.DataFrame:
        """Performance of the estimates; columns as in :func:`scenarios.output_analysis.summary.estimates`."""
        return estimates(self.replications, self.plan.loaded.terms, self.plan.settings.estimators)

    @cached_property
    def calibration(self) -> pl.DataFrame:
        """Rank calibration: whether standard errors describe the distribution of the estimates about the truth.

        One row per design point, term with a known truth, and point of the grid of ranks.
        """
        from scenarios.output_analysis.rank_calibration import CALIBRATION_SCHEMA, calibration  # noqa: PLC0415 - few studies use it

        tables = [
            calibration(of_terms).insert_column(0, pl.lit(point, pl.UInt32()).alias("point"))
            for point, of_terms in ranks(self.replications, self.plan.loaded.terms).items()
        ]
        return pl.concat(tables) if tables else pl.DataFrame(schema={"point": pl.UInt32(), **CALIBRATION_SCHEMA})

    def calibration_chart(self, point: int = 0) -> AnyChart:
        """Draw the calibration at a design point, a panel per term; see :mod:`analytics.charts.studies`.

        Raises:
            InputError: No estimate there has a known truth.
        """
        from analytics.charts.studies import rank_chart  # noqa: PLC0415 - imports Altair

        table = self.calibration.filter(point=point)
        if table.is_empty():
            raise InputError(
                f"point {point} has no estimates whose truth is known; a study collects them with `estimates: all`"
            )
        return rank_chart(table)

    @cached_property
    def remarks(self) -> list[str]:
        """Sentences without their full stops that a reader of the results should know.

        Those of the plan, and which responses did not reach their target precision.
        """
        target = self.plan.settings.replications
        unmet = precision_remarks(self.replications, target) if isinstance(target, PrecisionSettings) else []
        return [*self.plan.remarks, *unmet]

    @cached_property
    def failures(self) -> list[dict[str, Any]]:
        """All failures: point, replication, seed, stage, responses, message, and the command that repeats it."""
        return [entry for run in self._runs for entry in self._failures_of(run)]

    @cached_property
    def point_names(self) -> dict[int, str]:
        """What distinguishes each point: the values of the factors, of one at a time that of the changed one."""
        scenarios, names = self.plan.loaded.scenarios, {}
        for point in self.plan.points:
            # Not by the last part alone, which may be the name of a region.
            changes = [f"{'.'.join(path.split('.')[1:][-2:])} = {setting(each)}" for path, each in point.values.items()]
            scenario = [scenarios[point.scenario].name] if len(scenarios) > 1 else []
            names[point.number] = ", ".join([*scenario, *changes]) or "unchanged"
        return names

    @property
    def all_failed(self) -> bool:
        """Whether no replication has a value of any response."""
        return bool(self.failures) and bool(self.replications["value"].is_null().all())

    def _failures_of(self, run: PointRun) -> Iterator[dict[str, Any]]:
        if run.fault is not None:
            yield self._failure(run, None, run.fault)
        for number, replicated in enumerate(run.replications):
            for failure in replicated.failures:
                yield self._failure(run, number, failure)

    def _failure(self, run: PointRun, number: int | None, failure: Failure) -> dict[str, Any]:
        return {
            "point": run.point.number,
            "replication": number,
            "seed": self.plan.settings.seed,
            "stage": failure.stage,
            "responses": list(failure.responses),
            "message": failure.message,
            # A point that is invalid fails in its first replication already.
            "replay": self._replay.format(f"{run.point.number}:{number or 0}"),
        }

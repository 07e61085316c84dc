"""Running a study: rounds of replications, until there are enough of every point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from scenarios.errors import ScenarioError
from scenarios.run.dispatch import Lost, dispatch
from scenarios.studies.cost import CostGauge, clocked, pilots_first
from scenarios.studies.execution import Execution
from scenarios.studies.plan import Point, StudyPlan
from scenarios.studies.precision import PrecisionSettings, stopping_point
from scenarios.studies.replication import Failure, Replicated, Replication
from simulator.settings.class_identity import require_importable

_FIRST: Final = 1.25
_GROWTH: Final = 1.5
"""Where the number of replications is open: how many times the minimum is made first, and the last number next."""


class Record(Protocol):
    """Keeps finished replications, so that a stopped study can be resumed."""

    def known(self) -> Iterable[Replicated]:
        """Finished replications of an earlier run, in any order."""

    def add(self, replicated: Replicated) -> None:
        """Keep a finished replication."""


@dataclass(frozen=True)
class PointRun:
    """The replications of a design point.

    Args:
        point: The point.
        replications: Its replications, in order.
        fault: Why there are none, where the factors together do not make a valid scenario.
    """

    point: Point
    replications: tuple[Replicated, ...]
    fault: Failure | None = None


def run_points(plan: StudyPlan, execution: Execution, record: Record | None = None) -> list[PointRun]:
    """Run a study; the result depends on the plan alone.

    Args:
        plan: What to run.
        execution: On which workers, and what is called on the way.
        record: Keeps each replication as soon as it is finished, and returns those of an earlier run; None keeps none.
    """
    return _Runner(plan, execution, record).run()


class _Runner:
    def __init__(self, plan: StudyPlan, execution: Execution, record: Record | None) -> None:
        self._plan = plan
        self._pool = execution.pool
        self._record = record
        self._progress = execution.progress or _ignore
        self._announce = execution.announce
        known = record.known() if record is not None else ()
        self._done = {(replicated.key, replicated.number): replicated for replicated in known}
        self._faults: dict[int, Failure] = {}
        self._n_needed = dict.fromkeys(range(len(plan.points)), _first(plan))

    def run(self) -> list[PointRun]:
        if self._pool.is_remote:
            for place, classes in self._plan.classes.items():
                for each in classes:
                    require_importable({place: each})
        for point in self._plan.points:
            try:
                self._plan.scenario_of(point)
            except ScenarioError as error:
                # A point without a valid scenario is data: the other points still run.
                self._faults[point.number] = Failure("settings", str(error))
        needs_more = True
        while needs_more:
            if missing := self._missing():
                self._make(list(missing.values()))
            needs_more = self._needs_more()
        return [self._point_run(point) for point in self._plan.points]

    def _missing(self) -> dict[tuple[str, int], Replication]:
        """Replications that are needed and missing; points of one and the same scenario share theirs."""
        wanted = (
            self._plan.replication(point, number)
            for point in self._plan.points
            if point.number not in self._faults
            for number in range(self._n_needed[point.number])
        )
        return {(each.key, each.number): each for each in wanted if (each.key, each.number) not in self._done}

    def _make(self, replications: list[Replication]) -> None:
        n_before = len(self._done)
        n_total = n_before + len(replications)
        self._progress(n_before, n_total)
        # The order changes the time of results only: they are kept by key and number.
        in_order, gauge = self._gauged(replications)
        # An error here, such as an interruption, must stop the workers immediately.
        with closing(dispatch(clocked, in_order, self._pool)) as ends:
            for replication, end in ends:
                if isinstance(end, Lost):
                    replicated, seconds = Replicated.failed(replication, Failure("worker", end.message)), None
                else:
                    replicated, seconds = end
                if gauge is not None:
                    gauge.note(replication, seconds)
                self._done[replicated.key, replicated.number] = replicated
                if self._record is not None:
                    # Recorded before it is reported: what the user has seen as done survives a kill.
                    self._record.add(replicated)
                self._progress(len(self._done), n_total)

    def _gauged(self, replications: list[Replication]) -> tuple[list[Replication], CostGauge | None]:
        """Put the replications first that show the cost, if the caller wants to know it.

        Args:
            replications: The replications of this round.

        Returns:
            The same in another order, and what estimates the cost; None where it is announced already or not wanted.
        """
        # The cost is announced once, for the first round.
        announce, self._announce = self._announce, None
        if announce is None:
            return replications, None
        in_order, n_pilots = pilots_first(replications)
        is_open = isinstance(self._plan.settings.replications, PrecisionSettings)
        return in_order, CostGauge(in_order, n_pilots, self._pool.n_workers, is_open=is_open, announce=announce)

    def _needs_more(self) -> bool:
        """Decide for each point whether its replications are enough; return whether any point needs more.

        Returns:
            False where the number of replications is fixed.
        """
        target = self._plan.settings.replications
        if not isinstance(target, PrecisionSettings):
            return False
        needs_more = False
        # Each point is decided by its own values alone, so the order of the points does not matter.
        for number in set(self._n_needed) - set(self._faults):
            n = self._n_needed[number]
            enough = stopping_point(self._values(self._plan.points[number], n, target.precision), target)
            needs_more |= enough is None
            self._n_needed[number] = min(math.ceil(n * _GROWTH), target.max) if enough is None else enough
        return needs_more

    def _values(self, point: Point, n: int, names: Mapping[str, object]) -> dict[str, np.ndarray]:
        places = {name: self._plan.responses.index(name) for name in names}
        found = self._replications(point, n)
        return {
            name: np.array([each.values[place] for each in found], dtype=np.float64) for name, place in places.items()
        }

    def _replications(self, point: Point, n: int) -> tuple[Replicated, ...]:
        wanted = (self._plan.replication(point, number) for number in range(n))
        return tuple(self._done[each.key, each.number] for each in wanted)

    def _point_run(self, point: Point) -> PointRun:
        fault = self._faults.get(point.number)
        found = () if fault else self._replications(point, self._n_needed[point.number])
        return PointRun(point, found, fault)


def _ignore(_done: int, _total: int) -> None:
    """Report no progress."""


def _first(plan: StudyPlan) -> int:
    """Replications of each point in the first round."""
    target = plan.settings.replications
    return min(math.ceil(target.min * _FIRST), target.max) if isinstance(target, PrecisionSettings) else target

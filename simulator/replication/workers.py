"""One run on many workers: they draw cohorts and generate events; one process runs the clock and the sales team.

All work that does not depend on the state of the world is done by tasks for any worker, on this machine or another,
with a shared folder. Only candidates return to the clock. The result does not depend on the number of workers.
"""

from __future__ import annotations

import pickle
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, Generic, TypeVar

import polars as pl

from analytics.events.event_rows import EventRows
from simulator.agents.component_set import ComponentSet
from simulator.engine.streams import Streams
from simulator.replication.generator import CancelledVisits, DrawnCohort, EventGenerator, WokenVisitors, what_happened
from simulator.replication.pending_hours import PendingHours, PendingHoursFile, read_hour
from simulator.replication.planned_people import PlannedPeople
from simulator.replication.run_state import RunState
from simulator.replication.schedule import ScheduledCohort
from simulator.settings.class_identity import ClassIdentity, require_same
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import HourActivity
from simulator.tracking.delivery import Delivery
from simulator.tracking.labels import NO_LABELS
from simulator.tracking.transport import DeliveryQueue, Sent

Result = TypeVar("Result")
Key = TypeVar("Key")

HourWork = Callable[[int, Iterable[Delivery]], Result]
"""What a worker does with the deliveries of an hour, in parts; called with the hour's number, from 0. It must be
picklable.
"""

_COHORTS_A_TASK: Final = 8
"""Cohorts drawn by one task: about half a second of work, much more than the overhead of a task."""


@dataclass(frozen=True)
class RunSpec:
    """Everything that a worker needs to know about a run.

    Attributes:
        world: Settings of the world.
        seed: Seed of the run.
        replication: Number of the replication.
        intercept: Log-odds of a request at the end of a visit when all signals are 0.
        components: What visitors can meet.
        classes: Identities of the classes that take part, by their places in the scenario.
        people: Keeps the people of the cohorts that workers draw, if anybody wants them.
    """

    world: WorldSettings
    seed: int
    replication: int
    intercept: float
    components: ComponentSet = field(default_factory=ComponentSet)
    classes: Mapping[str, ClassIdentity] = field(default_factory=dict)
    people: PlannedPeople | None = None

    def to_bytes(self) -> bytes:
        """The specification as it travels to workers."""
        # In two layers: the classes are compared before any object of them is made.
        return pickle.dumps((dict(self.classes), pickle.dumps(self)))

    @classmethod
    def from_bytes(cls, data: bytes) -> RunSpec:
        """Read a specification, in a worker.

        Raises:
            ComponentError: The worker has other classes than the process that gave the task.
        """
        # Written by the process that submitted the task.
        classes, spec = pickle.loads(data)  # noqa: S301
        require_same(classes)
        read: RunSpec = pickle.loads(spec)  # noqa: S301
        return read

    def generator(self) -> EventGenerator:
        """Event generator of the run."""
        streams = Streams(self.seed, self.replication)
        return EventGenerator(self.world, streams, self.intercept, self.components, people=self.people)


@dataclass(frozen=True)
class _FileSlice:
    """Deliveries that were sent in one hour and arrive in a later one, as rows of a file."""

    path: Path
    begin: int
    n: int

    def read(self) -> pl.DataFrame:
        return pl.scan_ipc(self.path).slice(self.begin, self.n).collect()


@dataclass(frozen=True)
class HourTask:
    """Input of the task that emits the events of an hour.

    Attributes:
        hour: Its number, from 0.
        plans: Files with its planned activity.
        live: Activity on the clock.
        cancelled_visits: Visits cancelled by requests.
        woken: Visitors who left their plan late.
    """

    hour: int
    plans: Sequence[PendingHoursFile]
    live: HourActivity
    cancelled_visits: CancelledVisits
    woken: WokenVisitors


@dataclass(frozen=True)
class _Delivered(Generic[Result]):
    """Result of a worker for the deliveries of an hour, and their counts."""

    result: Result
    counts: Counter[str]


@dataclass(frozen=True)
class HourResult(Generic[Result]):
    """Output of the task that emits the events of an hour.

    Attributes:
        counts: Counts of what happened.
        delivered: The deliveries' result, where everything arrives at once.
        slices: Deliveries in transit by hour of arrival, otherwise.
        labels: File with the faults of the events, otherwise.
    """

    counts: Counter[str]
    delivered: _Delivered[Result] | None = None
    slices: Mapping[int, _FileSlice] = field(default_factory=dict)
    labels: Path | None = None


class SharedRun(Generic[Result]):
    """A run whose parts are executed by workers.

    Args:
        spec: What to run.
        run_state: The clock and the sales team, before the first cohort.
        executor: Executes the tasks; it is not shut down.
        n_workers: Number of tasks that it executes at a time.
        folder: Empty folder that all workers can access; the caller removes it.
        work: What to do with the deliveries of each hour.
    """

    def __init__(
        self,
        spec: RunSpec,
        run_state: RunState,
        executor: Executor,
        *,
        n_workers: int,
        folder: Path,
        work: HourWork[Result],
    ) -> None:
        # Pickled once: the same bytes are the key of each worker's cached generator.
        self._spec = spec.to_bytes()
        self._run_state = run_state
        self._executor = executor
        # Two tasks for each worker: one runs while the next one waits.
        self._n_ahead = 2 * n_workers
        self._folder = folder
        self._work = work
        self._n_hours = spec.world.clock.hours
        self._planned: defaultdict[int, list[PendingHoursFile]] = defaultdict(list)
        self._arriving: defaultdict[int, list[_FileSlice]] = defaultdict(list)

    def results(self) -> Iterator[tuple[Counter[str], Result]]:
        """Run; yield for each hour in turn its counts and the worker's result."""
        for counts, future in _prefetched(self._deliveries(), self._n_ahead):
            delivered = future.result()
            counts.update(delivered.counts)
            yield counts, delivered.result

    def _deliveries(self) -> Iterator[tuple[Counter[str], Future[_Delivered[Result]]]]:
        """Counts of each hour in turn, and the future result of its deliveries."""
        for hour, (_, future) in enumerate(_prefetched(self._emitted(), self._n_ahead)):
            result = future.result()
            self._delete_plans(hour)
            yield result.counts, self._deliver(hour, result)

    def _deliver(self, hour: int, result: HourResult[Result]) -> Future[_Delivered[Result]]:
        if result.delivered is not None:
            # Already delivered by the same task; a finished future keeps one type for both cases.
            done: Future[_Delivered[Result]] = Future()
            done.set_result(result.delivered)
            return done
        for arrival, file_slice in result.slices.items():
            self._arriving[arrival].append(file_slice)
        arriving = self._arriving.pop(hour, [])
        return self._executor.submit(_deliver_hour, self._spec, hour, arriving, result.labels, self._work)

    def _delete_plans(self, hour: int) -> None:
        """Delete the files whose last hour this is."""
        for file in self._planned.pop(hour, []):
            # Each file lists all its hours, so the last one frees it.
            if max(file.places) == hour:
                file.path.unlink()

    def _emitted(self) -> Iterator[tuple[int, Future[HourResult[Result]]]]:
        """Advance the clock as cohorts are drawn, and submit the task that emits each hour."""
        drawn = self._drawn()
        waiting: deque[DrawnCohort] = deque()
        for hour in range(self._n_hours):
            for scheduled in self._run_state.due_in(hour):
                if not waiting:
                    waiting.extend(next(drawn))
                self._run_state.admit(scheduled, waiting.popleft())
            live = self._run_state.live_world.advance(hour)
            plans = [file.only(hour) for file in self._planned[hour]]
            # Copies: the clock keeps adding to the dicts while the task waits.
            live_world = self._run_state.live_world
            task = HourTask(hour, plans, live, dict(live_world.cancelled_visits), dict(live_world.woken))
            yield hour, self._executor.submit(_emit_hour, self._spec, task, self._folder, self._work)

    def _drawn(self) -> Iterator[list[DrawnCohort]]:
        """Cohorts drawn by the workers, in order; some tasks are always in progress."""
        schedule = self._run_state.schedule
        batches = deque(schedule[i : i + _COHORTS_A_TASK] for i in range(0, len(schedule), _COHORTS_A_TASK))
        under_way: deque[Future[tuple[list[DrawnCohort], PendingHoursFile]]] = deque()
        while batches or under_way:
            while batches and len(under_way) < self._n_ahead:
                batch = batches.popleft()
                path = self._folder / f"plan-{batch[0].place:06}"
                under_way.append(self._executor.submit(_draw, self._spec, batch, path))
            drawn, file = under_way.popleft().result()
            for hour in file.places:
                self._planned[hour].append(file)
            yield drawn


def _draw(spec: bytes, schedule: Sequence[ScheduledCohort], path: Path) -> tuple[list[DrawnCohort], PendingHoursFile]:
    """Draw some cohorts and write their planned activity to a file; a task."""
    generator, pending, found = _generator(spec), PendingHours(), []
    for scheduled in schedule:
        drawn = generator.draw(scheduled)
        pending.add(drawn.hours)
        # The planned activity travels by file; only the candidates return through the executor.
        found.append(replace(drawn, hours=[]))
    return found, pending.write(path)


def _emit_hour(spec: bytes, task: HourTask, folder: Path, work: HourWork[Result]) -> HourResult[Result]:
    """Emit the events of an hour; without faults, deliver them too; a task."""
    generator, hour = _generator(spec), task.hour
    happened = what_happened(read_hour(task.plans, hour), task.live, task.cancelled_visits, task.woken)
    sent, hours = generator.emit({hour: happened}), range(hour, hour + 1)
    queue, transport = DeliveryQueue(generator.transport), generator.transport
    if transport.is_lossless:
        counts = Counter[str]()
        return HourResult(counts, _delivered(hour, _counted(queue.deliver(sent, hours), counts), work))
    return _write_in_transit(Sent.of(sent), transport.arrival_hour(), folder / f"way-{hour:06}")


def _write_in_transit(sent: Sent, arrival_hour: pl.Expr, path: Path) -> HourResult[Result]:
    """Write deliveries in transit to a file, by hour of arrival, and the labels beside it."""
    in_transit = sent.in_transit.frame().with_columns(arrival_hour.alias("_hour")).sort("_hour", maintain_order=True)
    in_transit.drop("_hour").write_ipc(path)
    labels = path.with_suffix(".labels")
    sent.labels.write_ipc(labels)
    slices, begin = {}, 0
    for n, hour in in_transit["_hour"].rle().struct.unnest().iter_rows():
        slices[hour] = _FileSlice(path, begin, n)
        begin += n
    return HourResult(sent.counts, slices=slices, labels=labels)


def _deliver_hour(
    spec: bytes, hour: int, arriving: Sequence[_FileSlice], labels: Path | None, work: HourWork[Result]
) -> _Delivered[Result]:
    """Deliver what arrives in an hour; a task."""
    transport = _generator(spec).transport
    hour_labels = NO_LABELS if labels is None else pl.read_ipc(labels)
    nothing = transport.nothing_in_transit
    due = [nothing, *(EventRows(file_slice.read()) for file_slice in arriving)]
    return _delivered(hour, transport.deliver(due, range(hour, hour + 1), hour_labels), work)


def _counted(deliveries: Iterable[tuple[Counter[str], Delivery]], counts: Counter[str]) -> Iterator[Delivery]:
    """The same deliveries; adds up the counts of what was sent."""
    for each, delivery in deliveries:
        counts.update(each)
        yield delivery


def _delivered(hour: int, deliveries: Iterable[Delivery], work: HourWork[Result]) -> _Delivered[Result]:
    """Run the work and count its deliveries."""
    counts = Counter[str]()

    def each() -> Iterator[Delivery]:
        for delivery in deliveries:
            counts.update(delivery.counts)
            yield delivery

    return _Delivered(work(hour, each()), counts)


def _prefetched(
    futures: Iterator[tuple[Key, Future[Result]]], max_waiting: int
) -> Iterator[tuple[Key, Future[Result]]]:
    """The same futures in the same order, yielded once they are done or enough later ones are submitted."""
    waiting: deque[tuple[Key, Future[Result]]] = deque()
    for each in futures:
        waiting.append(each)
        # Results are consumed in order; memory is bounded by the number of tasks ahead.
        while len(waiting) > max_waiting or (waiting and waiting[0][1].done()):
            yield waiting.popleft()
    yield from waiting


@lru_cache(maxsize=1)
def _generator(spec: bytes) -> EventGenerator:
    """Event generator of a worker process, built for its first task and reused for the run."""
    return RunSpec.from_bytes(spec).generator()

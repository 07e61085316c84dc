"""One run on many workers: they draw cohorts and tell of hours; one process keeps the clock and the sales team.

Whatever depends on no state of the world is done by tasks that any worker can do, on this machine or another, as long
as all see the same folder. Only those who may ask for a demo come back to the clock. What is received does not hang on
how many workers there are.
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

from simulator.engine.streams import Streams
from simulator.replication.generator import CancelledVisits, DrawnCohort, EventGenerator
from simulator.replication.pending_hours import PendingHours, PendingHoursFile, read_hour
from simulator.replication.run_state import RunState
from simulator.replication.schedule import ScheduledCohort
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import HourActivity
from simulator.tracking.delivery import Delivery
from simulator.tracking.labels import LABELS_SCHEMA
from simulator.tracking.transport import DeliveryQueue, Sent

__all__ = ["HourWork", "RunSpec", "SharedRun"]

Result = TypeVar("Result")
Key = TypeVar("Key")

HourWork = Callable[[int, Iterable[Delivery]], Result]
"""What is to be done, by a worker, with what arrives in an hour, one part of it after the other; given the hour's
number, from 0. It can be pickled."""

_COHORTS_A_TASK: Final = 8
"""Cohorts that a task draws: half a second's work, against which sending it costs nothing."""


@dataclass(frozen=True)
class RunSpec:
    """All that a worker must know of a run.

    Attributes:
        world: Settings of the world.
        seed: Seed of the run.
        replication: Number of the replication.
        intercept: Log-odds of a request at the end of a visit when every signal is 0.
    """

    world: WorldSettings
    seed: int
    replication: int
    intercept: float

    def generator(self) -> EventGenerator:
        """A workshop for it."""
        return EventGenerator(self.world, Streams(self.seed, self.replication), self.intercept)


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
    """What a worker must know of an hour to tell of it.

    Attributes:
        hour: Its number, from 0.
        plans: What visitors mean to do.
        lived: What has happened on the clock.
        cancelled_visits: Who does not come any more.
    """

    hour: int
    plans: Sequence[PendingHoursFile]
    live: HourActivity
    cancelled_visits: CancelledVisits


@dataclass(frozen=True)
class _Delivered(Generic[Result]):
    """What a worker has made of what arrived in an hour, and counts of that."""

    result: Result
    counts: Counter[str]


@dataclass(frozen=True)
class HourResult(Generic[Result]):
    """What a worker says of an hour: what happened, and what became of it, or is on its way by hour of arrival."""

    counts: Counter[str]
    delivered: _Delivered[Result] | None = None
    slices: Mapping[int, _FileSlice] = field(default_factory=dict)
    labels: Path | None = None


class SharedRun(Generic[Result]):
    """A run whose parts are done by the workers of an executor.

    Args:
        recipe: What is run.
        course: The clock and the sales team; nobody has been let in yet.
        executor: Runs the tasks; it is left running.
        n_workers: How many tasks it runs at a time.
        folder: An empty folder that all workers can see; the caller removes it.
        work: What to do with what arrives in each hour.
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
        self._spec = pickle.dumps(spec)
        self._run_state = run_state
        self._executor = executor
        self._n_ahead = 2 * n_workers
        self._folder = folder
        self._work = work
        self._n_hours = spec.world.clock.hours
        self._planned: defaultdict[int, list[PendingHoursFile]] = defaultdict(list)
        self._arriving: defaultdict[int, list[_FileSlice]] = defaultdict(list)

    def results(self) -> Iterator[tuple[Counter[str], Result]]:
        """Let time pass: of each hour in turn, counts of it, and what a worker has made of what arrived in it."""
        for counts, future in _prefetched(self._deliveries(), self._n_ahead):
            delivered = future.result()
            counts.update(delivered.counts)
            yield counts, delivered.result

    def _deliveries(self) -> Iterator[tuple[Counter[str], Future[_Delivered[Result]]]]:
        """Counts of what happened in each hour, in turn, and what becomes of what arrives in it."""
        for hour, (_, future) in enumerate(_prefetched(self._emitted(), self._n_ahead)):
            result = future.result()
            self._delete_plans(hour)
            yield result.counts, self._deliver(hour, result)

    def _deliver(self, hour: int, result: HourResult[Result]) -> Future[_Delivered[Result]]:
        if result.delivered is not None:
            done: Future[_Delivered[Result]] = Future()
            done.set_result(result.delivered)
            return done
        for arrival, file_slice in result.slices.items():
            self._arriving[arrival].append(file_slice)
        arriving = self._arriving.pop(hour, [])
        return self._executor.submit(_deliver_hour, self._spec, hour, arriving, result.labels, self._work)

    def _delete_plans(self, hour: int) -> None:
        """Delete the files of which an hour was the last."""
        for file in self._planned.pop(hour, []):
            if max(file.places) == hour:
                file.path.unlink()

    def _emitted(self) -> Iterator[tuple[int, Future[HourResult[Result]]]]:
        """Let the clock run, as fast as cohorts are drawn; each hour is given to a worker to be told."""
        drawn = self._drawn()
        waiting: deque[DrawnCohort] = deque()
        for hour in range(self._n_hours):
            for _ in self._run_state.due_in(hour):
                if not waiting:
                    waiting.extend(next(drawn))
                self._run_state.admit(waiting.popleft())
            live = self._run_state.advance(hour)
            plans = [file.only(hour) for file in self._planned[hour]]
            task = HourTask(hour, plans, live, dict(self._run_state.live_world.cancelled_visits))
            yield hour, self._executor.submit(_emit_hour, self._spec, task, self._folder, self._work)

    def _drawn(self) -> Iterator[list[DrawnCohort]]:
        """Cohorts drawn by the workers, some at a time, in order; a few tasks are always ahead."""
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
    """Draw some cohorts: what their visitors will do goes into a file. A task."""
    generator, pending, found = _generator(spec), PendingHours(), []
    for scheduled in schedule:
        drawn = generator.draw(scheduled)
        pending.add(drawn.hours)
        found.append(replace(drawn, hours=[]))
    return found, pending.write(path)


def _emit_hour(spec: bytes, task: HourTask, folder: Path, work: HourWork[Result]) -> HourResult[Result]:
    """Tell of an hour; where everything arrives at once, deliver it, too. A task."""
    generator, hour = _generator(spec), task.hour
    sent = generator.emit(hour, read_hour(task.plans, hour), task.live, task.cancelled_visits)
    queue, transport = DeliveryQueue(generator.transport), generator.transport
    if transport.is_lossless:
        counts = Counter[str]()
        return HourResult(counts, _delivered(hour, _counted(queue.deliver(sent, hour), counts), work))
    return _write_in_transit(Sent.of(sent), transport.arrival_hour(), folder / f"way-{hour:06}")


def _write_in_transit(sent: Sent, arrival_hour: pl.Expr, path: Path) -> HourResult[Result]:
    """Put what is on its way into a file, by hour of arrival, and the labels beside it."""
    in_transit = sent.in_transit.with_columns(arrival_hour.alias("_hour")).sort("_hour", maintain_order=True)
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
    """Deliver what arrives in an hour. A task."""
    transport = _generator(spec).transport
    hour_labels = LABELS_SCHEMA.to_frame() if labels is None else pl.read_ipc(labels)
    nothing = transport.nothing_in_transit
    delivery = transport.deliver([nothing, *(file_slice.read() for file_slice in arriving)], hour_labels)
    return _delivered(hour, [delivery], work)


def _counted(deliveries: Iterable[tuple[Counter[str], Delivery]], counts: Counter[str]) -> Iterator[Delivery]:
    """The same deliveries, while what was sent is added up."""
    for each, delivery in deliveries:
        counts.update(each)
        yield delivery


def _delivered(hour: int, deliveries: Iterable[Delivery], work: HourWork[Result]) -> _Delivered[Result]:
    """Do the work, and count what it is given."""
    counts = Counter[str]()

    def each() -> Iterator[Delivery]:
        for delivery in deliveries:
            counts.update(delivery.counts)
            yield delivery

    return _Delivered(work(hour, each()), counts)


def _prefetched(
    futures: Iterator[tuple[Key, Future[Result]]], max_waiting: int
) -> Iterator[tuple[Key, Future[Result]]]:
    """The same in the same order, but each is waited for only when it is done or others are well ahead of it."""
    waiting: deque[tuple[Key, Future[Result]]] = deque()
    for each in futures:
        waiting.append(each)
        while len(waiting) > max_waiting or (waiting and waiting[0][1].done()):
            yield waiting.popleft()
    yield from waiting


@lru_cache(maxsize=1)
def _generator(spec: bytes) -> EventGenerator:
    """The workshop of a worker: made for its first task, and used for all others of the run."""
    made: RunSpec = pickle.loads(spec)  # noqa: S301 - our own words, from the process that gave us the task
    return made.generator()

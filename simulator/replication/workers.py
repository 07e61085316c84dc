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
from simulator.replication.generator import CancelledVisits, Drawn, EventGenerator
from simulator.replication.pending_hours import HoursInFile, HoursToCome, hour_in_files
from simulator.replication.run_state import RunState
from simulator.replication.schedule import ScheduledCohort
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import Hour
from simulator.tracking.delivery import Delivery
from simulator.tracking.labels import LABELS_SCHEMA
from simulator.tracking.transport import DeliveryQueue, Sent

__all__ = ["HourWork", "RunSpec", "SharedRun"]

Result = TypeVar("Result")
Aside = TypeVar("Aside")

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

    def workshop(self) -> EventGenerator:
        """A workshop for it."""
        return EventGenerator(self.world, Streams(self.seed, self.replication), self.intercept)


@dataclass(frozen=True)
class _Parcel:
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
    plans: Sequence[HoursInFile]
    lived: Hour
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
    parcels: Mapping[int, _Parcel] = field(default_factory=dict)
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
        recipe: RunSpec,
        course: RunState,
        executor: Executor,
        *,
        n_workers: int,
        folder: Path,
        work: HourWork[Result],
    ) -> None:
        self._recipe = pickle.dumps(recipe)
        self._course = course
        self._executor = executor
        self._n_ahead = 2 * n_workers
        self._folder = folder
        self._work = work
        self._n_hours = recipe.world.clock.hours
        self._planned: defaultdict[int, list[HoursInFile]] = defaultdict(list)
        self._arriving: defaultdict[int, list[_Parcel]] = defaultdict(list)

    def results(self) -> Iterator[tuple[Counter[str], Result]]:
        """Let time pass: of each hour in turn, counts of it, and what a worker has made of what arrived in it."""
        for counts, future in _ahead(self._deliveries(), self._n_ahead):
            delivered = future.result()
            counts.update(delivered.counts)
            yield counts, delivered.result

    def _deliveries(self) -> Iterator[tuple[Counter[str], Future[_Delivered[Result]]]]:
        """Counts of what happened in each hour, in turn, and what becomes of what arrives in it."""
        for hour, (_, future) in enumerate(_ahead(self._told(), self._n_ahead)):
            told = future.result()
            self._delete_plans(hour)
            yield told.counts, self._deliver(hour, told)

    def _deliver(self, hour: int, told: HourResult[Result]) -> Future[_Delivered[Result]]:
        if told.delivered is not None:
            done: Future[_Delivered[Result]] = Future()
            done.set_result(told.delivered)
            return done
        for arrival, parcel in told.parcels.items():
            self._arriving[arrival].append(parcel)
        arriving = self._arriving.pop(hour, [])
        return self._executor.submit(_arrive, self._recipe, hour, arriving, told.labels, self._work)

    def _delete_plans(self, hour: int) -> None:
        """Delete the files of which an hour was the last."""
        for file in self._planned.pop(hour, []):
            if max(file.places) == hour:
                file.path.unlink()

    def _told(self) -> Iterator[tuple[int, Future[HourResult[Result]]]]:
        """Let the clock run, as fast as cohorts are drawn; each hour is given to a worker to be told."""
        drawn = self._drawn()
        waiting: deque[Drawn] = deque()
        for hour in range(self._n_hours):
            for _ in self._course.opening(hour):
                if not waiting:
                    waiting.extend(next(drawn))
                self._course.admit(waiting.popleft())
            lived = self._course.live(hour)
            plans = [file.only(hour) for file in self._planned[hour]]
            task = HourTask(hour, plans, lived, dict(self._course.stage.cancelled_visits))
            yield hour, self._executor.submit(_tell, self._recipe, task, self._folder, self._work)

    def _drawn(self) -> Iterator[list[Drawn]]:
        """Cohorts drawn by the workers, some at a time, in order; a few tasks are always ahead."""
        openings = self._course.openings
        batches = deque(openings[i : i + _COHORTS_A_TASK] for i in range(0, len(openings), _COHORTS_A_TASK))
        under_way: deque[Future[tuple[list[Drawn], HoursInFile]]] = deque()
        while batches or under_way:
            while batches and len(under_way) < self._n_ahead:
                batch = batches.popleft()
                path = self._folder / f"plan-{batch[0].place:06}"
                under_way.append(self._executor.submit(_draw, self._recipe, batch, path))
            drawn, file = under_way.popleft().result()
            for hour in file.places:
                self._planned[hour].append(file)
            yield drawn


def _draw(recipe: bytes, openings: Sequence[ScheduledCohort], path: Path) -> tuple[list[Drawn], HoursInFile]:
    """Draw some cohorts: what their visitors will do goes into a file. A task."""
    workshop, to_come, found = _workshop(recipe), HoursToCome(), []
    for opening in openings:
        drawn = workshop.draw(opening)
        to_come.add(drawn.hours)
        found.append(replace(drawn, hours=[]))
    return found, to_come.write(path)


def _tell(recipe: bytes, task: HourTask, folder: Path, work: HourWork[Result]) -> HourResult[Result]:
    """Tell of an hour; where everything arrives at once, deliver it, too. A task."""
    workshop, hour = _workshop(recipe), task.hour
    sent = workshop.tell(hour, hour_in_files(task.plans, hour), task.lived, task.cancelled_visits)
    post, transport = DeliveryQueue(workshop.transport), workshop.transport
    if transport.is_lossless:
        counts = Counter[str]()
        return HourResult(counts, _delivered(hour, _counted(post.deliver(sent, hour), counts), work))
    return _set_out(Sent.of(sent), transport.arrival_hour(), folder / f"way-{hour:06}")


def _set_out(sent: Sent, arrival_hour: pl.Expr, path: Path) -> HourResult[Result]:
    """Put what is on its way into a file, by hour of arrival, and the labels beside it."""
    on_its_way = sent.on_its_way.with_columns(arrival_hour.alias("_hour")).sort("_hour", maintain_order=True)
    on_its_way.drop("_hour").write_ipc(path)
    labels = path.with_suffix(".labels")
    sent.labels.write_ipc(labels)
    parcels, begin = {}, 0
    for n, hour in on_its_way["_hour"].rle().struct.unnest().iter_rows():
        parcels[hour] = _Parcel(path, begin, n)
        begin += n
    return HourResult(sent.counts, parcels=parcels, labels=labels)


def _arrive(
    recipe: bytes, hour: int, arriving: Sequence[_Parcel], labels: Path | None, work: HourWork[Result]
) -> _Delivered[Result]:
    """Deliver what arrives in an hour. A task."""
    transport = _workshop(recipe).transport
    befell = LABELS_SCHEMA.to_frame() if labels is None else pl.read_ipc(labels)
    nothing = transport.nothing_on_its_way
    delivery = transport.deliver([nothing, *(parcel.read() for parcel in arriving)], befell)
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


def _ahead(futures: Iterator[tuple[Aside, Future[Result]]], most: int) -> Iterator[tuple[Aside, Future[Result]]]:
    """The same in the same order, but each is waited for only when it is done or others are well ahead of it."""
    waiting: deque[tuple[Aside, Future[Result]]] = deque()
    for each in futures:
        waiting.append(each)
        while len(waiting) > most or (waiting and waiting[0][1].done()):
            yield waiting.popleft()
    yield from waiting


@lru_cache(maxsize=1)
def _workshop(recipe: bytes) -> EventGenerator:
    """The workshop of a worker: made for its first task, and used for all others of the run."""
    made: RunSpec = pickle.loads(recipe)  # noqa: S301 - our own words, from the process that gave us the task
    return made.workshop()

"""Tasks in batches to workers that may die, and every task's end back: its result, or that it was lost.

The workers of a pool share one fate: when one dies, the executor is broken and all that was under way is lost with it.
The pool is then had again and what was lost is sent anew, one task at a time with nothing beside it: so a task that
kills its worker a second time is known for certain, is reported as lost, and harms nothing else.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from scenarios.errors import OutputError
from scenarios.run.pools import Pool

__all__ = ["Lost", "dispatch"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_BATCH_S: Final = 0.3
"""Seconds that a batch should take: long against the cost of sending it, short for whoever watches or interrupts."""

_PATIENCE_S: Final = 60.0
"""Seconds without any end after which it is asked whether there is anybody left to work."""

_MOST_BREAKS: Final = 5
"""Pools that may break one after another with no task finished; then it is not a task that breaks them."""


@dataclass(frozen=True)
class Lost:
    """A task that never came back, because it ended its worker.

    Args:
        message: What is known of it.
    """

    message: str


def dispatch(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    pool: Pool,
    batch_s: float = _BATCH_S,
    patience_s: float = _PATIENCE_S,
) -> Generator[tuple[Task, Result | Lost], None, None]:
    """Do tasks on a pool; their ends are yielded as they come, each once.

    Args:
        work: Does one task; a function that the workers can import, or that can be pickled. It should not raise.
        tasks: What to do.
        pool: Where.
        batch_s: Seconds that a batch should take.
        patience_s: Seconds without any end after which it is asked whether there are workers left.

    Raises:
        OutputError: The pool breaks again and again, whatever it is given, or has no workers left.
    """
    dispatcher = _Dispatcher(work, tasks, pool, batch_s, patience_s)
    try:
        yield from dispatcher.run()
    finally:  # also when whoever listens has had enough
        dispatcher.close()


class _Dispatcher(Generic[Task, Result]):
    def __init__(
        self, work: Callable[[Task], Result], tasks: Sequence[Task], pool: Pool, batch_s: float, patience_s: float
    ) -> None:
        self._work = work
        self._pool = pool
        self._batch_s = batch_s
        self._patience_s = patience_s
        self._executor: Executor | None = None
        self._waiting = deque(tasks)
        self._suspects: deque[Task] = deque()
        self._under_way: dict[Future[tuple[float, list[Result]]], list[Task]] = {}
        self._on_trial: Future[tuple[float, list[Result]]] | None = None
        self._task_s: float | None = None
        self._n_breaks = 0

    def run(self) -> Iterator[tuple[Task, Result | Lost]]:
        while self._waiting or self._suspects or self._under_way:
            self._send()
            done, _ = wait(self._under_way, self._patience_s, return_when=FIRST_COMPLETED)
            if not done and not self._pool.has_workers():
                # A cluster whose workers have all gone keeps what it was given, and never says a word.
                raise OutputError("the cluster has no workers left; start some and give the same command again")
            for future in done:
                # A break may have taken it out together with others.
                if future in self._under_way:
                    yield from self._settle(future)

    def close(self) -> None:
        # Not every executor can be told to cancel what waits when it is shut down.
        for future in self._under_way:
            future.cancel()
        if self._executor is not None:
            self._pool.close(self._executor)
            self._executor = None

    def _send(self) -> None:
        """Keep the workers busy; but a suspect has the pool for itself."""
        if self._suspects:
            if not self._under_way:
                self._on_trial = self._submit([self._suspects.popleft()])
            return
        while self._waiting and len(self._under_way) < self._pool.n_workers + self._pool.n_ahead:
            self._submit([self._waiting.popleft() for _ in range(self._batch_size())])

    def _batch_size(self) -> int:
        """Tasks that take as long as a batch should; at the end fewer, so that all workers end together."""
        wished = 1 if not self._task_s else max(1, round(self._batch_s / self._task_s))
        fair = -(-len(self._waiting) // (2 * self._pool.n_workers))
        return min(wished, fair)

    def _submit(self, batch: list[Task]) -> Future[tuple[float, list[Result]]]:
        while True:
            try:
                if self._executor is None:
                    self._executor = self._pool.open()
                future = self._executor.submit(_timed, self._work, batch)
            except BrokenExecutor as error:
                self._break(error)
            else:
                self._under_way[future] = batch
                return future

    def _settle(self, future: Future[tuple[float, list[Result]]]) -> Iterator[tuple[Task, Result | Lost]]:
        error = _error_of(future)
        if error is None:
            yield from self._finish(future)
            return
        batch = self._under_way.pop(future)
        if future is self._on_trial:
            yield batch[0], Lost(f"{type(error).__name__}: {str(error).strip() or 'its worker ended'}")
        else:
            self._suspects.extend(batch)
        if isinstance(error, BrokenExecutor):
            # What others had finished before is not lost.
            for other in [other for other in self._under_way if other.done() and _error_of(other) is None]:
                yield from self._finish(other)
            self._break(error)

    def _finish(self, future: Future[tuple[float, list[Result]]]) -> Iterator[tuple[Task, Result | Lost]]:
        batch, (seconds, results) = self._under_way.pop(future), future.result()
        # The first task of a worker loads libraries: its time tells little, and later ones soon outweigh it.
        task_s = seconds / len(batch)
        self._task_s = task_s if self._task_s is None else 0.5 * (self._task_s + task_s)
        self._n_breaks = 0
        yield from zip(batch, results, strict=True)

    def _break(self, error: BaseException) -> None:
        """Take back all that is under way, and let go of the broken executor."""
        self._suspects.extend(task for batch in self._under_way.values() for task in batch)
        self._under_way.clear()
        self._n_breaks += 1
        self.close()
        if self._n_breaks > _MOST_BREAKS:
            raise OutputError(f"the workers end again and again, whatever they are given: {error}")


def _timed(work: Callable[[Task], Result], batch: Sequence[Task]) -> tuple[float, list[Result]]:
    """Do a batch, in a worker."""
    began = time.perf_counter()
    results = [work(task) for task in batch]
    return time.perf_counter() - began, results


def _error_of(future: Future[tuple[float, list[Result]]]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error

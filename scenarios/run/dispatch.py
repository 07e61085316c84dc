"""Dispatch of tasks, in batches, to workers that may die: each task ends with its result, or as lost.

When one worker of a pool dies, the executor is broken and all tasks under way are lost. The pool is then opened again
and the lost tasks are sent once more, one at a time with nothing beside it. So a task that kills its worker a second
time is identified with certainty, is reported as lost, and affects no other task.
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

Task = TypeVar("Task")
Result = TypeVar("Result")

_BATCH_S: Final = 0.3
"""Seconds that a batch should take: long compared with the cost of sending it, short for progress and interruption."""

_PATIENCE_S: Final = 60.0
"""Seconds without any result after which the pool is asked whether it still has workers."""

_MOST_BREAKS: Final = 5
"""Pools that may break in a row with no task finished; after more, the cause is not a task."""


@dataclass(frozen=True)
class Lost:
    """A task without a result, because its worker ended.

    Args:
        message: The error, as far as it is known.
    """

    message: str


def dispatch(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    pool: Pool,
    batch_s: float = _BATCH_S,
    patience_s: float = _PATIENCE_S,
) -> Generator[tuple[Task, Result | Lost], None, None]:
    """Run tasks on a pool and yield each with its result, in the order in which they finish.

    Args:
        work: Runs one task; a function that the workers can import, or that can be pickled. It should not raise.
        tasks: The tasks.
        pool: The workers.
        batch_s: Seconds that a batch should take.
        patience_s: Seconds without any result after which the pool is asked whether it still has workers.

    Yields:
        Each task once, with its result or :class:`Lost`.

    Raises:
        OutputError: The pool breaks repeatedly, whatever the task, or has no workers left.

    >>> from scenarios.run.pools import pool_of
    >>> dict(dispatch(abs, [-1, -2], pool_of(jobs=1)))
    {-1: 1, -2: 2}
    """
    dispatcher = _Dispatcher(work, tasks, pool, batch_s, patience_s)
    try:
        yield from dispatcher.run()
    finally:  # also when the caller stops early
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
                # A cluster without workers keeps its tasks waiting forever and reports no error.
                raise OutputError("the cluster has no workers left; start some and give the same command again")
            for future in done:
                # A break may have taken it out together with others.
                if future in self._under_way:
                    yield from self._settle(future)

    def close(self) -> None:
        # Not every executor has a shutdown that cancels waiting tasks.
        for future in self._under_way:
            future.cancel()
        if self._executor is not None:
            self._pool.close(self._executor)
            self._executor = None

    def _send(self) -> None:
        """Keep the workers busy; but a suspect runs with no other task beside it."""
        if self._suspects:
            if not self._under_way:
                self._on_trial = self._submit([self._suspects.popleft()])
            return
        while self._waiting and len(self._under_way) < self._pool.n_workers + self._pool.n_ahead:
            self._submit([self._waiting.popleft() for _ in range(self._batch_size())])

    def _batch_size(self) -> int:
        """Tasks that take as long as a batch should; at the end fewer, so that all workers end together."""
        target = 1 if not self._task_s else max(1, round(self._batch_s / self._task_s))
        # Two batches for each worker at least: one slow batch must not hold up the end.
        fair = -(-len(self._waiting) // (2 * self._pool.n_workers))
        return min(target, fair)

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
            # It was alone in the pool, so nothing else can have ended the worker.
            yield batch[0], Lost(f"{type(error).__name__}: {str(error).strip() or 'its worker ended'}")
        else:
            self._suspects.extend(batch)
        if isinstance(error, BrokenExecutor):
            # Batches that finished before the break still have their results.
            for other in [other for other in self._under_way if other.done() and _error_of(other) is None]:
                yield from self._finish(other)
            self._break(error)

    def _finish(self, future: Future[tuple[float, list[Result]]]) -> Iterator[tuple[Task, Result | Lost]]:
        batch, (seconds, results) = self._under_way.pop(future), future.result()
        # The first task of a worker also loads libraries; the average gives later tasks more weight.
        task_s = seconds / len(batch)
        self._task_s = task_s if self._task_s is None else 0.5 * (self._task_s + task_s)
        self._n_breaks = 0
        yield from zip(batch, results, strict=True)

    def _break(self, error: BaseException) -> None:
        """Mark all tasks under way as suspects, and close the broken executor."""
        self._suspects.extend(task for batch in self._under_way.values() for task in batch)
        self._under_way.clear()
        self._n_breaks += 1
        self.close()
        # Without a limit, workers that cannot even start, as with a missing library, would be restarted for ever.
        if self._n_breaks > _MOST_BREAKS:
            raise OutputError(f"the workers end again and again, whatever they are given: {error}")


def _timed(work: Callable[[Task], Result], batch: Sequence[Task]) -> tuple[float, list[Result]]:
    """Run a batch, in a worker.

    Args:
        work: Runs one task.
        batch: The tasks.

    Returns:
        Seconds that the batch took, and the results in order.
    """
    began = time.perf_counter()
    results = [work(task) for task in batch]
    return time.perf_counter() - began, results


def _error_of(future: Future[tuple[float, list[Result]]]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error

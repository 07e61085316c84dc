"""Claims about running tasks on workers that may die."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import pytest

from scenarios.errors import InputError, OutputError
from scenarios.run.dispatch import Lost, dispatch
from scenarios.run.pools import InProcess, Pool, available_cores, pool_of

# Workers cannot import the tests by name: what is defined here is sent to them whole.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def double(number: int) -> int:
    """Twice the number; but 13 ends the process that is asked."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


class DiesOnce:
    """Doubles numbers; the first worker that gets a number above 5 ends its process."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self, number: int) -> int:
        """Twice the number."""
        if number > 5 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number


def environment(name: str) -> str | None:
    """A variable of the worker's environment."""
    return os.environ.get(name)


def ends(work: Callable[[int], int], n: int, pool: Pool) -> dict[int, int | Lost]:
    """How each of the numbers below n ended."""
    pairs = list(dispatch(work, range(n), pool))
    assert len(pairs) == n
    return dict(pairs)


@pytest.mark.parametrize(
    "pool", [pool_of(jobs=1), pool_of(jobs=2), pool_of(ThreadPoolExecutor(2))], ids=["in process", "loky", "threads"]
)
def test_every_task_comes_back_once_with_its_result(pool: Pool):
    """In process, on loky and on an executor of the caller the results are the same."""
    assert ends(double, 13, pool) == {n: 2 * n for n in range(13)}


def test_a_task_that_kills_its_worker_is_identified_and_affects_no_other():
    """Of 40 tasks on two workers, the one that ends its process is lost, and only that one."""
    found = ends(double, 40, pool_of(jobs=2))
    lost = found.pop(13)
    assert isinstance(lost, Lost)
    assert "TerminatedWorkerError" in lost.message
    assert found == {n: 2 * n for n in range(40) if n != 13}


def test_tasks_of_a_dead_worker_are_sent_again(tmp_path: Path):
    """A worker that ends once, for a cause outside its task, loses nothing."""
    assert ends(DiesOnce(tmp_path / "mark"), 10, pool_of(jobs=2)) == {n: 2 * n for n in range(10)}


class Scripted(Executor):
    """Answers each task with a function of no arguments."""

    def __init__(self, answer: Callable[[], Future[object]]) -> None:
        self._answer = answer

    def submit(self, fn: Callable[..., object], /, *args: object, **kwargs: object) -> Future[object]:  # type: ignore[override]
        """Take a task."""
        return self._answer()


def test_a_pool_that_cannot_work_is_given_up():
    """Dispatch ends with an error where each pool breaks, and where a cluster has no workers left."""

    def breaks() -> Future[object]:
        raise BrokenExecutor("no")

    with pytest.raises(OutputError, match="again and again"):
        ends(double, 3, Pool(1, lambda: Scripted(breaks)))
    deserted = Pool(1, lambda: Scripted(Future), has_workers=lambda: False)
    with pytest.raises(OutputError, match="no workers left"):
        list(dispatch(double, range(3), deserted, patience_s=0.01))


class Counting(InProcess):
    """Counts the batches it is given."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def submit(self, fn: Callable[..., object], /, *args: object, **kwargs: object) -> Future[object]:  # type: ignore[override]
        """Note the size of a batch."""
        self.sizes.append(len(args[1]))  # type: ignore[arg-type]
        return super().submit(fn, *args, **kwargs)


def nap(_: int) -> None:
    """Take about a millisecond."""
    time.sleep(0.001)


def test_batches_grow_to_the_target_time_and_shrink_at_the_end():
    """Tasks of a millisecond are sent by the ten when a batch should take ten, the first and last ones fewer."""
    executor = Counting()
    assert len(list(dispatch(nap, range(100), Pool(1, lambda: executor, n_ahead=0), batch_s=0.01))) == 100
    assert executor.sizes[0] == 1
    assert 4 <= max(executor.sizes) <= 10
    assert executor.sizes[-1] == 1


def test_a_caller_who_stops_early_stops_the_work():
    """When the results are no longer wanted the pool is closed, and nothing runs on."""
    executor, closed = Counting(), list[Executor]()
    results = dispatch(double, range(10), Pool(1, lambda: executor, closed.append, n_ahead=0))
    next(results)
    results.close()
    assert closed == [executor]
    assert sum(executor.sizes) < 10


def test_workers_have_one_thread_each():
    """Polars and linear algebra use one thread in each of loky's workers."""
    names = ["POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"]
    assert dict(dispatch(environment, names, pool_of(jobs=2))) == dict.fromkeys(names, "1")


@pytest.mark.parametrize(
    ("executor", "message"),
    [("lokey", "did you mean 'loky'"), ("dask", "dask:ADDRESS"), ("loky:8786", "has no address")],
)
def test_an_executor_that_there_is_not_is_refused(executor: str, message: str):
    """A wrong name or address is reported before anything runs."""
    with pytest.raises(InputError, match=message):
        pool_of(executor)


def test_jobs_are_as_many_as_cores_by_default():
    """Without a number of jobs every core that the process may use has one."""
    assert pool_of().n_workers == available_cores()
    assert (pool_of(jobs=3).n_workers, pool_of(jobs=1).open) == (3, InProcess)

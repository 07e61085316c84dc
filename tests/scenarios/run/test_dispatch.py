"""Claims about running tasks on workers that may die: on this machine, and on real clusters of Dask and Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import cloudpickle
import pytest

from scenarios.errors import InputError, OutputError
from scenarios.run.dispatch import Lost, dispatch
from scenarios.run.pools import InProcess, Pool, available_cores, pool_of
from scenarios.study import Study

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
    check_only_the_deadly_task_is_lost(pool_of(jobs=2), "TerminatedWorkerError")


def check_only_the_deadly_task_is_lost(pool: Pool, message: str) -> None:
    """All tasks but the deadly one come back, and it is identified."""
    found = ends(double, 40, pool)
    lost = found.pop(13)
    assert isinstance(lost, Lost)
    assert message in lost.message
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
    [
        ("lokey", "did you mean 'loky'"),
        ("dask", "dask:ADDRESS"),
        ("loky:8786", "has no address"),
        pytest.param("dask:carrier-pigeon", "no scheduler to be reached", marks=pytest.mark.slow),
    ],
)
def test_an_executor_that_there_is_not_is_refused(executor: str, message: str):
    """A wrong name or address is reported before anything runs."""
    if executor.startswith("dask:"):
        pytest.importorskip("distributed", reason="Dask is not installed: funnelsim[dask]")
    with pytest.raises(InputError, match=message):
        pool_of(executor)


def test_jobs_are_as_many_as_cores_by_default():
    """Without a number of jobs every core that the process may use has one."""
    assert pool_of().n_workers == available_cores()
    assert (pool_of(jobs=3).n_workers, pool_of(jobs=1).open) == (3, InProcess)


# Real clusters. They are not ours, and live in part in this process: what they warn of must not break them.


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the scheduler of a cluster with two workers, in processes of their own."""
    pytest.importorskip("distributed", reason="Dask is not installed: funnelsim[dask]")
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    # By default Dask gives a deadly task to four workers, one after another.
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    options = ["--scheduler-file", str(file), "--no-dashboard"]
    commands = [
        ["scheduler", "--port", "0", *options],
        ["worker", "--nworkers", "2", "--nthreads", "1", "--death-timeout", "60", *options],
    ]
    processes = [
        subprocess.Popen([sys.executable, "-m", "dask", *command], env=environment, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        while not file.exists():
            assert processes[0].poll() is None
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        with import_module("distributed").Client(address) as client:
            client.wait_for_workers(2, timeout=60)
        yield f"dask:{address}"
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def ray() -> Iterator[str]:
    """Name of a cluster with two workers."""
    module = pytest.importorskip("ray", reason="Ray is not installed: funnelsim[ray]")
    module.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    module.init(num_cpus=2, log_to_driver=False, include_dashboard=False, logging_level="error")
    yield "ray"
    module.shutdown()


@pytest.fixture(params=["dask", pytest.param("ray", marks=pytest.mark.validation)])
def cluster(request: pytest.FixtureRequest) -> str:
    """Each of the clusters, by the name of its executor."""
    return request.getfixturevalue(request.param)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_study_on_a_cluster_leaves_the_same_bytes(cluster: str, tmp_path: Path):
    """A study with a component leaves on Dask or Ray the tables of the same study in this process, byte for byte."""
    settings = "clock: {hours: 1}, traffic: {visitors_per_day: 2000}, intent: {intercept: -2.0}"
    world = f"{{name: tiny, {settings}, components: {{chat: {{use: live_chat}}}}}}"
    factors = "{tracking.duplicate_rate: [0.0, 0.2], components.chat.effect: [0.0, 2.0]}"
    responses = "{visitors: counts.visitors, conversion: conversion()}"
    text = f"name: tiny\nscenario: {world}\nfactors: {factors}\nreplications: 4\nresponses: {responses}\n"
    Study.parse(text).run(jobs=1, folder=tmp_path / "here")
    Study.parse(text).run(executor=cluster, folder=tmp_path / "there")
    for name in ("design.csv", "replications.parquet", "summary.csv", "differences.csv", "failures.ndjson"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_task_that_kills_its_worker_harms_no_other(cluster: str):
    """Whatever a worker of Dask or Ray was doing when it died is done by others, but for the deadly task."""
    check_only_the_deadly_task_is_lost(pool_of(cluster), "")
    if cluster == "ray":  # workers of Dask are started by the cluster, with its own environment
        threads = dispatch(environment, ["POLARS_MAX_THREADS"], pool_of(cluster))
        assert dict(threads) == {"POLARS_MAX_THREADS": "1"}

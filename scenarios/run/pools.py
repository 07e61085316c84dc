"""Pools of workers: this process, processes of this machine, or a cluster."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

import psutil

from analytics.renaming import OldNameWarning
from scenarios.errors import InputError, advice

ExecutorChoice: TypeAlias = str | Executor | Callable[[], Executor] | None
"""The workers as the caller names them; :func:`pool_of` explains the forms."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_ONE_THREAD: Final = dict.fromkeys(("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
"""Environment of a worker: each has one core, on which more threads would only compete."""


_MOST_PER_CORE: Final = 8
"""Most workers for each core of this machine; a larger number is a typing error."""


_WATCH_S: Final = 0.5
"""Seconds between two looks of a worker at whether the main process is still there."""


@dataclass(frozen=True)
class Pool:
    """Workers that can be started, and started again after they have broken down.

    Args:
        n_workers: Tasks that run at a time.
        open: Starts the workers.
        close: Ends the workers.
        n_ahead: Batches to send beyond those under way, so that no worker waits for the next.
        has_workers: Whether any worker is left; called when no result has come for long.
        is_remote: Whether the workers are new processes, which import what this one has defined.
    """

    n_workers: int
    open: Callable[[], Executor]
    close: Callable[[Executor], None] = Executor.shutdown
    n_ahead: int = 1
    has_workers: Callable[[], bool] = lambda: True
    is_remote: bool = False


class InProcess(Executor):
    """Executor that runs each task immediately, in this process."""

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Run a task; the future is done when this returns. An interruption such as Ctrl-C is raised.

        Args:
            fn: The task.
            args: Its arguments.
            kwargs: Its named arguments.
        """
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future carries it, as of any executor
            future.set_exception(error)
        return future


def available_cores() -> int:
    """Cores that this process may use.

    >>> available_cores() >= 1
    True
    """
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def pool_of(executor: ExecutorChoice = None, jobs: int | None = None) -> Pool:
    """Return the pool that the caller has chosen.

    Args:
        executor: ``loky``, ``dask:ADDRESS``, ``ray``, ``ray:ADDRESS``, any executor of ``concurrent.futures``, or a
            function that makes one (and another when it breaks). If None, this process for one job and loky for more.
        jobs: Tasks at a time; as many as there are cores, or workers of a cluster, if not given.

    Raises:
        InputError: There is no such executor, what it needs is not installed, or ``jobs`` is not a sensible number.

    >>> pool_of(jobs=3).n_workers
    3
    """
    if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
        raise InputError(f"jobs: must be a whole number of workers, 1 or more (got {jobs!r})")
    if isinstance(executor, Executor):
        # The caller's own executor: it is not closed here, and cannot be started again.
        # Executors do not publish their size; those of the standard library have this attribute.
        known = getattr(executor, "_max_workers", None)
        return Pool(int(jobs or known or available_cores()), lambda: executor, lambda _: None)
    if callable(executor):
        return Pool(jobs or available_cores(), executor)
    if executor is None and jobs == 1:
        # In one process a batch sent ahead would run before the result of the first is reported.
        return Pool(1, InProcess, n_ahead=0)
    kind, _, address = (executor or "loky").partition(":")
    if kind not in _KINDS:
        raise InputError(f"there is no executor {executor!r}{advice(kind, list(_KINDS))}")
    return _KINDS[kind](address, jobs)


def shared_pool(executor: ExecutorChoice, jobs: int | None) -> Pool | None:
    """Return the pool for a single run; None where this process runs it alone.

    Args:
        executor: As for :func:`pool_of`.
        jobs: As for :func:`pool_of`.

    Raises:
        InputError: As for :func:`pool_of`.
    """
    return None if jobs in {None, 1} and executor is None else pool_of(executor, jobs)


def _loky(address: str, jobs: int | None) -> Pool:
    if address:
        raise InputError(f"loky runs on this machine and has no address (got {address!r})")
    n_workers, cores = jobs or available_cores(), available_cores()
    # More processes than this fill the memory long before they save any time.
    if n_workers > _MOST_PER_CORE * cores:
        raise InputError(f"jobs: {n_workers} workers on {cores} cores would only wait for each other; give fewer")

    def start() -> Executor:
        # loky replaces a worker whose memory has grown, as in a run of millions of events. Nothing is lost.
        warnings.filterwarnings("ignore", message="A worker was restarted while some jobs", category=UserWarning)
        executor: Executor = import_module("loky").ProcessPoolExecutor(
            n_workers, timeout=None, env=_ONE_THREAD, initializer=_begin_worker, initargs=(os.getpid(),)
        )
        return executor

    def end(executor: Any) -> None:  # noqa: ANN401 - loky has no types
        # Loky's workers would otherwise live on for the next task, each with its memory.
        executor.shutdown(wait=True, kill_workers=True)

    return Pool(n_workers, start, end, is_remote=True)


def _begin_worker(main_process: int) -> None:
    """Leave Ctrl-C, which a terminal sends to every process, and warnings to the main process, and end with it.

    Args:
        main_process: Its number.
    """
    threading.Thread(target=_end_with, args=(main_process,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The main process has warned of old names already, when it read the files.
    warnings.simplefilter("ignore", OldNameWarning)


def _end_with(main_process: int) -> None:
    """End this worker soon after the main process, which may be killed without a chance to end its workers.

    Args:
        main_process: Its number.
    """
    # Elsewhere than on Windows a process whose parent has died gets another one at once.
    while os.getppid() == main_process and psutil.pid_exists(main_process):
        time.sleep(_WATCH_S)
    os._exit(1)


def _dask(address: str, jobs: int | None) -> Pool:
    if not address:
        raise InputError("dask needs the address of its scheduler: dask:ADDRESS, such as dask:tcp://127.0.0.1:8786")
    distributed = _extra("distributed", "dask")
    # Kept, because closing an executor of Dask does not close the client's connection.
    clients: list[Any] = []

    def start() -> Executor:
        clients.append(distributed.Client(address, timeout=10))
        # pure=True would share the results of equal tasks; a retry would kill a second worker, and dispatch retries.
        executor: Executor = clients[-1].get_executor(pure=False, retries=0)
        return executor

    def end(executor: Executor) -> None:
        executor.shutdown(wait=False)
        clients.pop().close()

    try:
        with distributed.Client(address, timeout=10) as client:
            # A cluster that is still starting has no workers yet; one task at a time is safe until it has.
            n_workers = jobs or sum(client.ncores().values()) or 1
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"dask:{address}: there is no scheduler to be reached: {error}") from None
    return Pool(n_workers, start, end, has_workers=lambda: bool(clients and clients[-1].ncores()), is_remote=True)


def _ray(address: str, jobs: int | None) -> Pool:
    ray = _extra("ray", "ray")
    if not ray.is_initialized():
        ray.init(address=address or None, num_cpus=None if address else jobs, log_to_driver=False)
    n_workers = jobs or int(ray.cluster_resources().get("CPU", 1))
    return Pool(n_workers, lambda: _RayExecutor(ray), is_remote=True)


class _RayExecutor(Executor):
    """Executor that sends tasks to a Ray cluster."""

    def __init__(self, ray: Any) -> None:  # noqa: ANN401 - an optional library
        self._call = ray.remote(max_retries=0, runtime_env={"env_vars": _ONE_THREAD})(_call)

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        future: Future[Result] = self._call.remote(fn, args, kwargs).future()
        return future


def _call(fn: Callable[..., Result], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result:
    return fn(*args, **kwargs)


def _extra(module: str, extra: str) -> Any:  # noqa: ANN401 - an optional library
    try:
        return import_module(module)
    except ImportError:
        raise InputError(f"{extra} is not installed; install funnelsim[{extra}]") from None


_KINDS: Final[dict[str, Callable[[str, int | None], Pool]]] = {"loky": _loky, "dask": _dask, "ray": _ray}

"""Claims about running on clusters: a real one of Dask and a real one of Ray, both on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import cloudpickle
import pytest

from scenarios.errors import InputError
from scenarios.run.dispatch import Lost, dispatch
from scenarios.run.pools import Pool, pool_of
from scenarios.study import Study

# Workers cannot import the tests by name: what is defined here is sent to them whole.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

# The clusters are not ours, and live in part in this process: what they warn of must not break them.
pytestmark = pytest.mark.filterwarnings("ignore")

STUDY = Study.parse(
    """name: tiny
scenario: {name: tiny, clock: {hours: 1}, traffic: {visitors_per_day: 2000}, intent: {intercept: -2.0}}
factors: {tracking.duplicate_rate: [0.0, 0.2]}
replications: 4
responses: {visitors: counts.visitors, conversion: conversion()}
"""
)


def double(number: int) -> int:
    """Twice the number; but 5 ends the process that is asked."""
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def environment(name: str) -> str | None:
    """What a variable of the worker's environment says."""
    return os.environ.get(name)


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


def check_bytes(executor: str, tmp_path: Path) -> None:
    """A study on a cluster leaves the tables of the same study in this process, byte for byte."""
    STUDY.run(jobs=1, folder=tmp_path / "here")
    STUDY.run(executor=executor, folder=tmp_path / "there")
    for name in ("design.csv", "replications.parquet", "summary.csv", "differences.csv", "failures.ndjson"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def check_loss(pool: Pool) -> None:
    """A task that kills whatever worker it is given to is lost, and only that one."""
    found = dict(dispatch(double, range(12), pool))
    assert isinstance(found.pop(5), Lost)
    assert found == {n: 2 * n for n in range(12) if n != 5}


def test_a_study_on_dask_leaves_the_same_bytes(dask: str, tmp_path: Path):
    """Where replications run is not to be told from what comes of them: on Dask as in this process."""
    check_bytes(dask, tmp_path)


def test_a_task_that_kills_its_dask_worker_harms_no_other(dask: str):
    """What a worker of Dask takes along when it dies is given to others; all but the deadly task come back."""
    check_loss(pool_of(dask))


def test_an_address_that_dask_cannot_read_is_wrong_input():
    """It is told before anything runs."""
    pytest.importorskip("distributed", reason="Dask is not installed: funnelsim[dask]")
    with pytest.raises(InputError, match="no scheduler to be reached"):
        pool_of("dask:carrier-pigeon")


@pytest.mark.validation
def test_a_study_on_ray_leaves_the_same_bytes(ray: str, tmp_path: Path):
    """The same on Ray."""
    check_bytes(ray, tmp_path)


@pytest.mark.validation
def test_a_task_that_kills_its_ray_worker_harms_no_other(ray: str):
    """The same on Ray, whose workers die alone; each has one thread, as on this machine."""
    pool = pool_of(ray)
    check_loss(pool)
    assert dict(dispatch(environment, ["POLARS_MAX_THREADS"], pool)) == {"POLARS_MAX_THREADS": "1"}

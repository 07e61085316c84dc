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
from scenarios.run.pools import pool_of
from scenarios.study import Study

# Workers cannot import the tests by name: what is defined here is sent to them whole.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

# The clusters are not ours, and live in part in this process: what they warn of must not break them.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

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
    """A variable of the worker's environment."""
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


@pytest.fixture(params=["dask", pytest.param("ray", marks=pytest.mark.validation)])
def cluster(request: pytest.FixtureRequest) -> str:
    """Each of the clusters, by the name of its executor."""
    return request.getfixturevalue(request.param)


def test_a_study_on_a_cluster_leaves_the_same_bytes(cluster: str, tmp_path: Path):
    """A study on Dask or Ray leaves the tables of the same study in this process, byte for byte."""
    STUDY.run(jobs=1, folder=tmp_path / "here")
    STUDY.run(executor=cluster, folder=tmp_path / "there")
    for name in ("design.csv", "replications.parquet", "summary.csv", "differences.csv", "failures.ndjson"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_task_that_kills_its_worker_harms_no_other(cluster: str):
    """Whatever a worker of Dask or Ray was doing when it died is done by others, but for the deadly task."""
    pool = pool_of(cluster)
    found = dict(dispatch(double, range(12), pool))
    assert isinstance(found.pop(5), Lost)
    assert found == {n: 2 * n for n in range(12) if n != 5}
    if cluster == "ray":  # workers of Dask are started by the cluster, with its own environment
        assert dict(dispatch(environment, ["POLARS_MAX_THREADS"], pool)) == {"POLARS_MAX_THREADS": "1"}


def test_an_address_that_dask_cannot_read_is_wrong_input():
    """A wrong address is reported before anything runs."""
    pytest.importorskip("distributed", reason="Dask is not installed: funnelsim[dask]")
    with pytest.raises(InputError, match="no scheduler to be reached"):
        pool_of("dask:carrier-pigeon")

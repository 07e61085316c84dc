"""Claims about kill -9 of runs, studies and replays at random moments: nothing is lost, nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from process_sessions import session

from scenarios import verify

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

WARM = """
import json, sys
import polars, scenarios.study, scenarios.run.folder, scenarios.replays.sending, scenarios.study_report
from scenarios.cli.app import main
print("ready", flush=True)
main(json.loads(sys.stdin.readline()))
"""
"""A process that has loaded what it needs, so that kills do not only meet its start."""

STUDY = """
name: s
scenario: baseline
overrides: {clock.hours: 1, traffic.visitors_per_day: 500}
factors: {tracking.ad_blocker_rate: [0.0, 0.4]}
replications: 10
responses: {page views: page_views()}
"""
SMALL = ["--set", "clock.hours=6", "--set", "traffic.visitors_per_day=1500", "--no-analysis", "--quiet"]
MANY = [2, pytest.param(100, marks=pytest.mark.validation)]
"""Kills of each kind."""


@pytest.fixture
def command(tmp_path: Path) -> Iterator[type[Command]]:
    """Commands in a folder of their own, with a folder for temporary files; none is left in the end."""
    Command.folder = tmp_path
    (tmp_path / "tmp").mkdir()
    yield Command
    assert Command.orphans() == []


class Command:
    """A command that begins when it is told, as a session of its own."""

    folder: Path
    started: list[int] = []  # noqa: RUF012 - of the test that runs

    def __init__(self, *arguments: object) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TMPDIR": str(self.folder / "tmp"),
            "POLARS_MAX_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", WARM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=environment,
            start_new_session=True,
        )
        self.started.append(self._process.pid)
        assert self._process.stdout.readline() == b"ready\n", self._process.stderr.read()
        self._arguments = json.dumps([str(argument) for argument in arguments]).encode() + b"\n"

    def done(self) -> float:
        """Let it end, and return how long it took."""
        began = time.monotonic()
        _, errors = self._process.communicate(self._arguments, timeout=200)
        assert self._process.returncode == 0, errors
        return time.monotonic() - began

    def killed_after(self, seconds: float) -> bool:
        """Kill it, alone and not its workers; False if it has ended before."""
        self._process.stdin.write(self._arguments)
        self._process.stdin.flush()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        is_killed = self._process.wait() < 0
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.stderr.close()
        return is_killed

    @classmethod
    def orphans(cls) -> list[int]:
        """Processes of all commands that live some seconds after the last one has ended."""
        deadline = time.monotonic() + 15
        while (left := [pid for each in cls.started for pid in session(each)]) and time.monotonic() < deadline:
            time.sleep(0.1)
        cls.started.clear()
        return left


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder that depend on nothing but the scenario and the seed."""
    timed = {"manifest.json", "SHA256SUMS", "report.html", "journal.ndjson"}
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in timed)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("n", MANY)
def test_a_killed_run_leaves_its_folder_whole(command: type[Command], tmp_path: Path, n: int) -> None:
    """The earlier run or the new one is there, and it is whole; the next run leaves nothing beside it.

    Nor is anything left in the folder for temporary files.
    """
    run, chance = ["run", "baseline", *SMALL], np.random.default_rng(n)
    command(*run, "--out", "first").done()
    longest_s = command(*run, "--out", "first").done()  # the first one filled caches
    as_written, n_killed = contents(tmp_path / "first"), 0
    while n_killed < n:
        jobs = ["--jobs", "2"] if n_killed % 4 == 3 else []
        n_killed += command(*run, "--out", "out", *jobs).killed_after(chance.uniform(0, longest_s))
        if (tmp_path / "out").exists():
            assert contents(tmp_path / "out") == as_written
            assert verify(tmp_path / "out").damages == ()
    assert command.orphans() == []
    command(*run, "--out", "out").done()
    assert contents(tmp_path / "out") == as_written
    assert {path.name for path in tmp_path.iterdir()} == {"first", "out", "tmp"}
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("n", MANY)
def test_a_killed_study_resumes_and_leaves_no_workers(command: type[Command], tmp_path: Path, n: int) -> None:
    """Its workers end with it; resumed until it ends, it has the results of an undisturbed study, and no leftovers."""
    (tmp_path / "s.yaml").write_text(STUDY)
    study, chance = ["study", "s.yaml", "--quiet"], np.random.default_rng(n)
    longest_s = command(*study, "--out", "first", "--jobs", "2").done()
    n_killed, n_rounds = 0, 0
    while n_killed < n:
        jobs = 2 if n_killed % 3 else 1
        folder, n_rounds = f"out-{n_killed // 4}", n_rounds + 1
        n_killed += command(*study, "--out", folder, "--jobs", jobs).killed_after(chance.uniform(0, longest_s))
        if (tmp_path / folder / "study.yaml").exists():
            assert verify(tmp_path / folder).damages == ()
    assert command.orphans() == []
    for folder in {f"out-{number // 4}" for number in range(n)}:
        command(*study, "--out", folder, "--jobs", 1).done()
        assert contents(tmp_path / folder) == contents(tmp_path / "first")
        assert not any(path.name.startswith(".") for path in (tmp_path / folder).iterdir())


@pytest.mark.parametrize("n", MANY)
def test_a_killed_replay_resumes(command: type[Command], tmp_path: Path, n: int) -> None:
    """The file has each line once, in order, and beside the state there is only its lock."""
    command("run", "baseline", *SMALL, "--events", "ndjson", "--out", "run").done()
    replay, chance, n_killed = ["replay", "run", "--speed", "20000", "--quiet"], np.random.default_rng(n), 0
    while n_killed < n:
        number = n_killed // 5
        resumed = [*replay, "--to", f"file:sent-{number}", "--resume", f"state-{number}"]
        n_killed += command(*resumed).killed_after(chance.uniform(0, 1.2))
        if (tmp_path / f"state-{number}").exists():
            assert verify_in(tmp_path, f"state-{number}") == []
    lines = (tmp_path / "run/events.ndjson").read_bytes()
    for number in range((n + 4) // 5):
        command(*replay, "--to", f"file:sent-{number}", "--resume", f"state-{number}").done()
        assert (tmp_path / f"sent-{number}").read_bytes() == lines
    hidden = {path.name for path in tmp_path.iterdir() if path.name.startswith(".")}
    assert hidden <= {f".state-{number}.lock" for number in range(n)}


def verify_in(folder: Path, state: str) -> list[str]:
    """Damages of a state whose file is named relative to a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return [str(damage) for damage in verify(state).damages]

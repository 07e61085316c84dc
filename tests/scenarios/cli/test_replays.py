"""Claims about replay and export on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from analytics.io.ndjson import encode
from scenarios.cli.app import main
from scenarios.run.folder import run_to_folder
from scenarios.scenario import Scenario

COMMAND = [sys.executable, "-c", "from scenarios.cli.app import main; main()"]


class Ended:
    """How a command ended: status, what it printed, and what it complained of."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        self.status = caught.value.code
        self.out, self.err = capsys.readouterr()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of some hundred events."""
    folder = tmp_path_factory.mktemp("runs") / "small-seed7"
    scenario = Scenario(name="small").replace({"clock.hours": 2, "traffic.visitors_per_day": 2000})
    run_to_folder(scenario, folder, analyse=False)
    return folder


def test_standard_output_gets_the_events_and_nothing_else(run: Path) -> None:
    """With --to stdout every line there is an event, and nothing is said besides."""
    command = [*COMMAND, "replay", str(run), "--to", "stdout", "--speed", "max"]
    ended = subprocess.run(command, capture_output=True, check=True)
    assert ended.stdout == encode(pl.read_parquet(run / "events.parquet"))
    assert ended.stderr == b""


def test_a_reader_who_leaves_is_no_failure(run: Path) -> None:
    """Into a pipe that nobody reads (`| head`) a replay ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [*COMMAND, "replay", str(run), "--to", "stdout", "--speed", "0"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_replay_says_how_it_went(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers of lines, times and batches, for readers and as JSON; nothing more to send is said too."""
    events = pl.read_parquet(run / "events.parquet")
    call = ["replay", str(run), "--to", f"file:{tmp_path / 'o'}", "--speed", "max", "--resume", str(tmp_path / "state")]
    hour = ["--until", "2026-03-03T01:00:00Z"]
    first = json.loads(Ended(capsys, *call, *hour, "--json").out)
    assert first["sent"] == events.filter(pl.col("received_at") < pl.datetime(2026, 3, 3, 1, time_zone="UTC")).height
    assert (first["retries"], first["not_sent"], first["last"][:13]) == (0, {}, "2026-03-03T00")
    told = Ended(capsys, *call, *hour).out
    assert told.startswith(f"0 lines sent to file:{tmp_path / 'o'}")
    assert f"after {first['sent']:,} that had been acknowledged before" in told
    other = Ended(capsys, *call)
    assert other.status == 2
    assert "until: '2026-03-03T01:00:00+00:00' there, None now" in other.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "stdout", "--json"], "--json: standard output is where the events go"),
        (["--to", "stdout", "--speed", "fast"], "--speed: must be a number greater than 0, or max (got 'fast')"),
        (["--to", "stdout", "--from", "noon"], "--from: must be a time such as 2026-03-03T09:00:00Z (got 'noon')"),
        (["--to", "sdtout"], "did you mean 'stdout'?"),
        ([], "--to"),
    ],
)
def test_wrong_input_is_one_message_and_status_2(
    run: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """Whatever is wrong is told in one line, and nothing is sent."""
    ended = Ended(capsys, "replay", str(run), *options)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1


def test_the_name_of_a_scenario_is_taken_for_its_run(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who names the scenario instead of the folder is told which folder was meant."""
    monkeypatch.chdir(run.parent.parent)
    run.parent.rename("runs")
    try:
        ended = Ended(capsys, "replay", "small", "--to", "stdout")
    finally:
        Path("runs").rename(run.parent)
    assert "did you mean 'runs/small-seed7'?" in ended.err


def test_a_receiver_that_is_not_there_is_a_failed_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 and one line; each retry is told, unless quiet was asked for."""
    call = ["replay", str(run), "--to", "http://127.0.0.1:9", "--max-retries", "1"]
    ended = Ended(capsys, *call)
    assert ended.status == 1
    assert "trying again in 0.5 s" in ended.err.splitlines()[0]
    quiet = Ended(capsys, *call, "--quiet")
    assert len(quiet.err.splitlines()) == 1
    assert "given up after 1 retries (0 lines have been acknowledged)" in quiet.err


def test_an_interrupted_replay_says_how_to_go_on(run: Path, tmp_path: Path) -> None:
    """Ctrl-C ends it with status 130, and names the file by which the same command goes on."""
    command = [*COMMAND, "replay", str(run), "--to", f"file:{tmp_path / 'o'}", "--resume", str(tmp_path / "state")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "state").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "state keeps how far it has come; the same command goes on from there" in complaint


def test_export_says_what_it_wrote(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each table with its rows, and the folder."""
    n_pages = pl.read_parquet(run / "events.parquet").filter(pl.col("type") == "page").height
    assert f"pages: {n_pages:,}\n" in Ended(capsys, "export", str(run), "--to", str(tmp_path / "o")).out
    printed = json.loads(Ended(capsys, "export", str(run), "--to", str(tmp_path / "o"), "--json").out)
    assert (printed["folder"], printed["tables"]["pages"]) == (str(tmp_path / "o"), n_pages)

"""Claims about replay and export on the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest
from command_line import COMMAND, Ended

from analytics.io.ndjson import encode


def test_standard_output_gets_the_events_and_nothing_else(recorded: Path) -> None:
    """With --to stdout every line there is an event, and standard error stays empty."""
    ended = Ended("replay", recorded, "--to", "stdout", "--speed", "max")
    assert (ended.raw, ended.err) == (encode(pl.read_parquet(recorded / "events.parquet")), "")


@pytest.mark.parametrize("command", ["doctor", "replay {} --to stdout --speed 0"])
def test_a_reader_that_closes_the_pipe_is_no_failure(recorded: Path, command: str) -> None:
    """Into a pipe that nobody reads (`| head`) a command of few or of many lines ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    words = [*COMMAND, *command.format(recorded).split()]
    ended = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_replay_reports_its_result(recorded: Path, tmp_path: Path) -> None:
    """Numbers of lines, times and batches are reported as text and as JSON, also when there is nothing left to send."""
    events = pl.read_parquet(recorded / "events.parquet")
    call = ["replay", recorded, "--to", f"file:{tmp_path / 'o'}", "--speed", "max", "--resume", tmp_path / "state"]
    hour = ["--until", "2026-03-03T01:00:00Z"]
    first = Ended(*call, *hour, "--json").json
    assert first["sent"] == events.filter(pl.col("received_at") < pl.datetime(2026, 3, 3, 1, time_zone="UTC")).height
    assert (first["retries"], first["not_sent"], first["last"][:13]) == (0, {}, "2026-03-03T00")
    text = Ended(*call, *hour).out
    assert text.startswith(f"0 lines sent to file:{tmp_path / 'o'}")
    assert f"resumed after {first['sent']:,} lines that were acknowledged before" in text


def test_a_missing_receiver_is_a_failure(recorded: Path) -> None:
    """Status 1 and one line; each retry is reported, unless --quiet is given."""
    call = ["replay", recorded, "--to", "http://127.0.0.1:9", "--max-retries", "1"]
    ended = Ended(*call)
    assert ended.status == 1
    assert "trying again in 0.5 s" in ended.err.splitlines()[0]
    quiet = Ended(*call, "--quiet")
    assert len(quiet.err.splitlines()) == 1
    assert "given up after 1 retries (0 lines have been acknowledged)" in quiet.err


def test_an_interrupted_replay_explains_how_to_resume(recorded: Path, tmp_path: Path) -> None:
    """Ctrl-C ends it with status 130, and the message names the file from which the same command resumes."""
    command = [
        *COMMAND,
        "replay",
        str(recorded),
        "--to",
        f"file:{tmp_path / 'o'}",
        "--resume",
        str(tmp_path / "state"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "state").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"the position is saved in {tmp_path / 'state'}; run the same command to resume" in error


def test_export_reports_its_tables(recorded: Path, tmp_path: Path) -> None:
    """Each table with its rows, and the folder."""
    n_pages = pl.read_parquet(recorded / "events.parquet").filter(pl.col("type") == "page").height
    assert f"pages: {n_pages:,}\n" in Ended("export", recorded, "--to", tmp_path / "o").out
    printed = Ended("export", recorded, "--to", tmp_path / "o", "--json").json
    assert (printed["folder"], printed["tables"]["pages"]) == (str(tmp_path / "o"), n_pages)

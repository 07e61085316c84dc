"""Claims about dirty deliveries as lines, in files and in the store."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, strategies as st

from analytics.io.ndjson import decode
from scenarios.files.delivered_lines import broken_lines, delivered_lines
from scenarios.run.events_analysis import analyze
from scenarios.run.folder import run_to_folder
from scenarios.run.run import Run, simulate
from scenarios.scenario import Scenario
from simulator.tracking.delivery import CollectingSink
from simulator.tracking.faults import CORRUPTIONS

DIRTY = {
    "clock.hours": 4,
    "traffic.visitors_per_day": 3000,
    "tracking": {
        "ad_blocker_rate": 0.3,
        "malformed_rate": 0.05,
        "late_rate": 0.05,
        "duplicate_rate": 0.05,
        "id_collision_rate": 0.03,
        "bots_per_day": 30.0,
    },
}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Four hours of dirty tracking."""
    return Scenario(name="dirty").replace(DIRTY)


@pytest.fixture(scope="module")
def sink(scenario: Scenario) -> CollectingSink:
    """What the collector received."""
    received = CollectingSink()
    simulate(scenario, sinks=[received])
    return received


@pytest.fixture(scope="module")
def folder(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """The run folder, with lines, and the run."""
    path = tmp_path_factory.mktemp("dirty") / "out"
    run, _ = run_to_folder(scenario, path, events="ndjson")
    return path, run


@given(st.sampled_from(CORRUPTIONS), st.floats(0, 1, exclude_max=True))
def test_a_broken_line_is_never_an_event(damage: str, place: float) -> None:
    """Wherever a line is cut or garbled, something is left of it, one line, which no reader takes for an event."""
    event = {
        "type": "page",
        "anonymous_id": "a",
        "message_id": "m",
        "name": "Größe \n ✓",
        "damage": damage,
        "place": place,
    }
    (line,) = broken_lines(pl.DataFrame([event]))
    read = decode(line)
    assert line.strip()
    assert b"\n" not in line
    assert (read.frame.height, len(read.dead_letters)) == (0, 1)


def test_lines_stand_in_the_order_of_their_arrival(sink: CollectingSink) -> None:
    """Among the lines of a delivery each broken one follows as many events as arrived before it; none is lost."""
    assert sum(delivery.malformed.height for delivery in sink.deliveries) > 20
    for delivery in sink.deliveries:
        read = decode(delivered_lines(delivery))
        assert read.frame.equals(delivery.events)
        before = [letter.position - 1 - number for number, letter in enumerate(read.dead_letters) if letter.position]
        assert before == delivery.malformed["n_before"].to_list()
        assert [letter.raw for letter in read.dead_letters] == broken_lines(delivery.malformed)


def test_the_store_of_a_run_is_that_of_its_file(folder: tuple[Path, Run]) -> None:
    """Whoever analyses the lines of a run finds the same counts and the same dead letters as the run did."""
    path, run = folder
    found = analyze([str(path / "events.ndjson")])
    assert asdict(found.store.counts) == asdict(run.store.counts)
    assert list(found.store.dead_letters) == list(run.store.dead_letters)
    assert found.store.events().equals(run.store.events())


def test_the_store_counts_what_the_labels_say(folder: tuple[Path, Run]) -> None:
    """Invalid, duplicate and conflict are as many as labels of deliveries that arrived; the manifest has them all."""
    _, run = folder
    arrived = dict(run.labels.drop_nulls("received_at")["label"].cast(pl.String).value_counts().iter_rows())
    counts = run.store.counts
    assert (counts.invalid, counts.duplicate, counts.conflict) == tuple(
        arrived[name] for name in ("malformed", "duplicate", "conflict")
    )
    assert counts.received == run.outcome.counts["events"] + run.outcome.counts["malformed_lines"]
    assert sum(run.manifest["labels"].values()) == run.labels.height
    assert run.manifest["labels"]["blocked"] > 0


def test_a_run_folder_keeps_labels_and_dead_letters(folder: tuple[Path, Run]) -> None:
    """The labels are a Parquet file, and the dead letters hold the broken lines at their line numbers."""
    path, run = folder
    assert pl.read_parquet(path / "labels.parquet").equals(run.labels)
    assert json.loads((path / "manifest.json").read_text())["labels"] == run.manifest["labels"]
    lines = (path / "events.ndjson").read_bytes().splitlines()
    letters = [json.loads(line) for line in (path / "dead_letters.ndjson").read_text().splitlines()]
    assert len(letters) == run.outcome.counts["malformed_lines"]
    for letter in letters:
        raw = letter["raw"].encode() if "raw" in letter else base64.b64decode(letter["raw_base64"])
        assert lines[letter["position"] - 1] == raw

"""Claims about the classes in a manifest: different worlds never have equal manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scenarios.run.run import Run
from scenarios.scenario import Scenario
from simulator.agents.visitor import Visitor


class Hasty(Visitor):
    """A visitor who never asks."""

    def decide(self) -> bool:
        """Never."""
        return False


class Calm(Visitor):
    """A visitor like any other, of another class."""


def manifest(scenario: Scenario, **options: Any) -> dict[str, Any]:
    """The manifest of a run that is not analysed, without the time."""
    run: Run = scenario.run(**options)
    return {**run.manifest_without_claims, "timings": None}


def test_a_manifest_names_the_class_of_visitors():
    """Runs of different classes have different manifests, even where everything else is equal."""
    short = Scenario.load("baseline", {"clock.hours": 1, "traffic.visitors_per_day": 500})
    plain, calm, hasty = (manifest(short, visitor=cls) for cls in (Visitor, Calm, Hasty))
    assert "classes" not in plain
    assert plain["digest"] == calm["digest"]
    assert calm["classes"]["visitor"]["class"] == f"{__name__}:Calm"
    assert hasty["classes"]["visitor"] != calm["classes"]["visitor"]
    assert {**calm, "classes": None} == {**plain, "classes": None, "active_agents": calm["active_agents"]}


@pytest.mark.slow
def test_a_run_folder_names_every_class_with_its_source(tmp_path: Path):
    """Components, probes and the decision model, with package, version and sha256."""
    parts = {
        "decision.use": "probit",
        "components.chat.use": "live_chat",
        "probes.inbox.use": "queue_length",
    }
    short = Scenario.load("baseline", {"clock.hours": 1, "traffic.visitors_per_day": 500, **parts})
    short.run().save(tmp_path / "run", events="none")
    classes = json.loads((tmp_path / "run" / "manifest.json").read_text())["classes"]
    assert list(classes) == ["decision", "components.chat", "probes.inbox"]
    chat = classes["components.chat"]
    assert chat["class"] == "simulator.components.live_chat:LiveChat"
    assert chat["package"] == "funnelsim"
    assert {len(chat["source_sha256"]), len(chat["code_sha256"])} == {64}

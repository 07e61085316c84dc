"""Every example of *Extend the world* runs as it stands: in a model, from a file, and in a study on two workers."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

import funnelsim as fs

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "extend.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
CODE = {re.search(r"^class (\w+)", block, flags=re.MULTILINE)[1]: block for block in BLOCKS}

SMALL: dict[str, Any] = {
    "traffic.visitors_per_day": 400.0,
    "clock.hours": 24,
    "intent.target_conversion": 0.1,
    "population.second_device_rate": 0.0,
}
SPRING = {
    "start": "2026-03-03T06:00:00Z",
    "end": "2026-03-03T18:00:00Z",
    "channel": "email",
    "visitors": 200,
}
WORLDS: dict[str, dict[str, Any]] = {
    "SlowServer": {"components": {"own": {"use": "SlowServer"}}},
    "Reminder": {"components": {"own": {"use": "Reminder", "hours": 2.0, "click_rate": 0.9}}},
    "Chat": {"components": {"own": {"use": "Chat"}}},
    "Seats": {"components": {"own": {"use": "Seats", "seats": 3}}},
    "CauchyChoice": {"decision": {"use": "CauchyChoice"}},
    "SmallestQueue": {"sales.routing": {"use": "SmallestQueue"}},
    "Budget": {"components": {"own": {"use": "Budget"}}, "traffic.campaigns": {"spring": SPRING}},
    "TradeFair": {"traffic.sources": {"fair": {"use": "TradeFair", "budget": 200.0, "cost_per_click": 2.0}}},
    "Menu": {"site.navigation": {"use": "Menu"}},
    "Committee": {"components": {"own": {"use": "Committee"}}},
    "Inbox": {"probes": {"own": {"use": "Inbox"}}},
}
"""Settings that use each class of the page; the sequence signal needs no class."""


def scenario_of(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> fs.Scenario:
    """A small scenario with the class, whose module stands in a folder."""
    module = f"own_{name.lower()}"
    (folder / f"{module}.py").write_text(CODE[name], encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module, raising=False)
    fs.allow_plugins(module)
    text = repr(WORLDS[name]).replace(f"'use': '{name}'", f"'use': '{module}:{name}'")
    return fs.Scenario.load("baseline", {**SMALL, **eval(text)})  # noqa: S307 - the table above


def test_the_page_has_twelve_examples():
    """Eleven classes and a signal of one's own, none longer than 40 lines."""
    assert WORLDS.keys() == CODE.keys()
    assert "kind: sequence" in PAGE
    assert max(sum(bool(line.strip()) for line in code.splitlines()) for code in CODE.values()) <= 40


def test_the_files_of_the_page_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each YAML block is a scenario, with the classes of the page in the modules that it names."""
    for module, name in (("my_chat", "Chat"), ("my_choice", "CauchyChoice")):
        (tmp_path / f"{module}.py").write_text(CODE[name], encoding="utf-8")
        fs.allow_plugins(tmp_path / f"{module}.py")
    texts = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert [fs.Scenario.parse(text).name for text in texts] == ["with-my-chat", "heavy-tails", "security-then-pricing"]


@pytest.mark.parametrize(
    "name", [name if name == "Chat" else pytest.param(name, marks=pytest.mark.slow) for name in WORLDS]
)
def test_an_example_holds_what_it_must(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """All visitors on the clock and only those touched give the same, and the truth is what the events show."""
    check = fs.check_component(scenario_of(name, tmp_path, monkeypatch))
    assert check.passed, check.table


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_an_example_gives_the_same_on_two_workers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A study with the class in its scenario has the same results on one worker and on two."""
    file = tmp_path / "own.yaml"
    file.write_text(scenario_of(name, tmp_path, monkeypatch).to_yaml(), encoding="utf-8")
    responses = {"requests": "counts.demo_requests", "views": "counts.page_views"}
    settings = {"name": "own", "scenario": str(file), "responses": responses}
    one, two = (fs.Study.from_dict({**settings, "replications": 2}).run(jobs=jobs).summary for jobs in (1, 2))
    assert one.equals(two)

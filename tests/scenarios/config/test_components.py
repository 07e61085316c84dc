"""Claims about components in scenario files: where faults are shown, and how files are laid over one another."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_components import GREETER, own_module

from scenarios import Scenario, ScenarioError
from simulator.settings.plugins import allow_plugins


def faults(text: str, *overrides: str) -> str:
    """What is wrong with a scenario."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(f"name: own\n{text}", overrides=overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{use: live_chat, efect: 2.0}", "2:38: components.chat.efect: unknown key 'efect'; did you mean 'effect'?"),
        ("{use: live_chat, agents: '3'}", '2:38: components.chat.agents: must be a whole number (got "3")'),
        ("{use: live_chat, agents: 0}", "2:38: components.chat.agents: must be at least 1 (got 0)"),
        ("{use: live_cht}", "2:22: components.chat.use: there is no component 'live_cht'; did you mean 'live_chat'?"),
        ("{use: queue_length}", "2:22: components.chat.use: 'queue_length' is a probe; name it under 'probes'"),
        ("{use: 'os:system'}", "2:22: components.chat.use: module 'os' belongs to no package that registers"),
        ("{use: live_chat, page: princing}", "2:38: components.chat.page: there is no page 'princing'; did you mean"),
        ("{use: webinar, page: pricing}", "2:36: components.chat.page: page 'pricing' has no form"),
        ("{agents: 3}", "2:15: components.chat.use: is missing"),
        ("live_chat", "2:15: components.chat: must be a mapping such as {use: live_chat} (got 'live_chat')"),
        ("7", "2:15: components.chat: must be a mapping (key: value) (got 7)"),
        (
            "{use: nurture_email, campaign: {source: s, medium: m, nam: x}}",
            "2:75: components.chat.campaign.nam: unknown key 'nam'; did you mean 'name'?",
        ),
    ],
)
def test_a_fault_is_shown_where_it_stands_with_what_was_meant(text: str, fault: str) -> None:
    """With line and column of the setting itself, in the words of the class that has the setting."""
    assert faults(f"components: {{ chat: {text} }}").startswith(f"scenario.yaml:{fault}")


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("components.chatt.agents=3", "components.chatt.use: is missing; did you mean 'chat'?"),
        ("traffic.channels.organic_serch.conversion=2", "did you mean 'organic_search'?"),
    ],
)
def test_an_override_of_a_misspelt_name_is_recognised(override: str, fault: str, base: str) -> None:
    """It makes a new entry, which lacks what every entry must have; the entry that was meant is named."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(base, overrides=[override])
    assert fault in str(caught.value)


def test_all_faults_of_all_parts_are_reported_together() -> None:
    """One look at the file is enough to correct it."""
    text = "components:\n  a: {use: live_chat, agents: 0}\n  b: {use: web_server, capacty: 1}\ndecision: {use: probt}"
    assert [line.split(": ")[1] for line in faults(text).splitlines()] == [
        "components.a.agents",
        "components.b.capacty",
        "decision.use",
    ]


def test_two_components_with_one_signal_are_refused() -> None:
    """Their effects could not be told apart, and one would replace the other in the truth."""
    text = "components: {a: {use: live_chat}, b: {use: live_chat, page: docs}}"
    assert "components 'a' and 'b' both have a signal 'live_chat'" in faults(text)
    assert "components.decision: is the name of the decision model" in faults("components: {decision: {use: webinar}}")


@pytest.fixture
def base(tmp_path: Path) -> str:
    """The first lines of a file that extends one with a chat and a probit."""
    parts = "components: {chat: {use: live_chat, agents: 4}}\ndecision: {use: probit, scale: 2.0}"
    (tmp_path / "base.yaml").write_text(f"name: base\n{parts}\n")
    return f"name: own\nextends: {tmp_path / 'base.yaml'}\n"


def test_a_file_changes_single_settings_of_a_component(base: str) -> None:
    """What it does not name is inherited; null removes the component."""
    changed = Scenario.parse(f"{base}components: {{chat: {{effect: 2.0}}}}").components["chat"].settings
    assert (changed["agents"], changed["effect"]) == (4, 2.0)
    assert Scenario.parse(f"{base}components: {{chat: null}}").components == {}
    assert Scenario.parse(base, overrides=["components.chat.agents=9"]).components["chat"].settings["agents"] == 9


@pytest.mark.parametrize("settings", ["{use: web_server, capacity: 9}", "{capacity: 9, use: web_server}"])
def test_another_class_inherits_no_settings(base: str, settings: str) -> None:
    """The settings of a chat mean nothing to a web server."""
    found = Scenario.parse(f"{base}components: {{chat: {settings}}}").components["chat"]
    assert (found.use, found.settings["capacity"]) == ("web_server", 9)
    changed = Scenario.parse(base, overrides=["decision.use=threshold", "components.chat.use=web_server"])
    assert (changed.decision and changed.decision.settings, changed.components["chat"].use) == ({}, "web_server")


def test_a_scenario_with_components_is_read_back_from_its_own_file(base: str) -> None:
    """Every setting is written, with defaults; a scenario without components writes no section for them."""
    scenario = Scenario.parse(f"{base}probes: {{inbox: {{use: queue_length}}}}")
    assert Scenario.parse(scenario.to_yaml()) == scenario
    assert not {"decision", "components", "probes"} & set(Scenario.load("baseline").to_data())


def test_a_class_of_ones_own_is_checked_like_a_built_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written with ``import funnelsim as fs`` alone."""
    allow_plugins(own_module(tmp_path / "own_config.py", GREETER, monkeypatch))
    text = "components: {g: {use: 'own_config:Greeter', page: nowhere, efect: 1.0}}"
    assert "components.g.efect: unknown key 'efect'; did you mean 'effect'?" in faults(text)
    assert "components.g.page: there is no page 'nowhere'" in faults(text.replace(", efect: 1.0", ""))

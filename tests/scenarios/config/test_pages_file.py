"""Claims about files that map pages, funnels and names of events."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.settings import AnalyticsSettings
from scenarios.config.pages_file import with_mapping
from scenarios.errors import ScenarioError
from scenarios.scenario import Scenario


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def mapped(text: str, settings: AnalyticsSettings | None = None) -> AnalyticsSettings:
    """Settings with a mapping of this text."""
    Path("pages.yaml").write_text(text, encoding="utf-8")
    return with_mapping(settings or AnalyticsSettings(), "pages.yaml")


def test_a_file_may_be_rules_alone_or_have_sections() -> None:
    """Rules at the top, and those in pages, are one mapping, in their order; what is commented out states nothing."""
    rules = '"/legal/*": {category: security, stage: bottom}\n"*": {stage: top}\n'
    alone = mapped(rules)
    assert [(rule.glob, rule.category, rule.stage) for rule in alone.page_rules] == [
        ("/legal/*", "security", "bottom"),
        ("*", None, "top"),
    ]
    sections = (
        "funnel: [{step: demo, event: Booked}]\nevent_names: {Booked: Demo Requested}\npages:\n  /x: {category: a}\n"
    )
    whole = mapped(rules + sections)
    assert list(whole.pages) == ["/legal/*", "*", "/x"]
    assert (whole.funnel[0].step, whole.event_names) == ("demo", {"Booked": "Demo Requested"})
    assert mapped("# nothing yet\n") == mapped("pages:\n  # none\nfunnel:\nevent_names:\n") == AnalyticsSettings()


def test_a_file_comes_before_the_settings() -> None:
    """Its rules apply first, and its funnel replaces theirs; what it does not say stays."""
    given = {"pages": {"/a": {"stage": "top"}, "/b": {"stage": "top"}}, "event_names": {"x": "Demo Held"}}
    settings = AnalyticsSettings.model_validate({**given, "funnel": [{"step": "s", "page": "*"}], "find_bots": True})
    both = mapped('"/c": {stage: top}\n"/b": {stage: bottom}\nevent_names: {y: Demo Requested}\n', settings)
    assert [(glob, str(page.stage)) for glob, page in both.pages.items()] == [
        ("/c", "top"),
        ("/b", "bottom"),
        ("/a", "top"),
    ]
    assert both.event_names == {"x": "Demo Held", "y": "Demo Requested"}
    assert (both.funnel, both.find_bots) == (settings.funnel, True)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("pricing: {stage: top}\nfunel: []", ["pages.yaml:1:1: pricing: unknown key", "did you mean 'funnel'?"]),
        ('"/a":\n  stage: tp', ["pages.yaml:2:3: pages./a.stage: must be 'top', 'middle' or 'bottom' (got \"tp\")"]),
        ('"/a": {stage: top}\npages: {"/a": {stage: top}}', ["pages.yaml:1:1: /a: stands in pages too"]),
        ('"/a?b": {stage: top}', ["pages.yaml:1:1: pages: '/a?b' is no glob of paths"]),
        ("pages: [/a]", ["pages.yaml:1:1: pages: must be a mapping"]),
        ("funnel: [{step: a, page: x}, {step: b}]", ["pages.yaml:1:30: funnel[1]: give page or event"]),
        ("event_names: {a: Demo Request}", ["event_names: there is no event 'Demo Request'; did you mean"]),
        ("[/a]", ["pages.yaml:1:1: must be a mapping"]),
        ('"/a": {stage: top', ["not valid YAML"]),
        ('"/a": {stage: top}\n"/a": {stage: top}', ["pages.yaml:2:1"]),
    ],
)
def test_what_is_wrong_has_its_place(text: str, messages: list[str]) -> None:
    """File, line, column and key, as in scenarios."""
    with pytest.raises(ScenarioError) as caught:
        mapped(text)
    assert [message for message in messages if message not in str(caught.value)] == []


def test_a_missing_file_is_named() -> None:
    """With the reason."""
    with pytest.raises(ScenarioError, match=r"none\.yaml: cannot be read: No such file"):
        with_mapping(AnalyticsSettings(), "none.yaml")


def test_a_scenario_has_the_same_sections() -> None:
    """Under analytics; measures know the steps of its own funnel, and the categories of its mapping."""
    text = (
        'name: x\nextends: baseline\nanalytics:\n  pages: {"/trust*": {category: trust}}\n'
        '  funnel: [{step: visit, page: "*"}]\nclaims:\n'
        '  all: stage_share("visit") >= conversion(page_group="trust")\n'
    )
    scenario = Scenario.parse(text)
    assert scenario.analysis.page_rules[0].category == "trust"
    assert Scenario.parse(scenario.to_yaml()).analytics == scenario.analytics
    with pytest.raises(ScenarioError, match="there is no stage 'top'"):
        Scenario.parse(text.replace('"visit") >=', '"top") >='))

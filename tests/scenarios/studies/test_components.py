"""Claims about components in studies: they vary like any setting, and their classes are part of the study."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from own_components import GREETER, own_module

from scenarios.errors import OutputError, ScenarioError
from scenarios.scenario import Scenario
from scenarios.studies.replication import replicate
from scenarios.study import Study
from simulator.components.live_chat import LiveChat
from simulator.errors import ComponentError
from simulator.settings.components import ComponentSettings

WORLD = "name: tiny, clock: {hours: 2}, traffic: {visitors_per_day: 3000}, intent: {intercept: -2.0}"
RESPONSES = "responses: {requests: counts.demo_requests, events: counts.true_events}"
CHAT = f"""name: chats
scenario: {{{WORLD}, components: {{chat: {{use: live_chat, wants_rate: 1.0, effect: 3.0}}}}}}
factors: {{components.chat.agents: [1, 50]}}
replications: 3
{RESPONSES}
"""


def means(study: Study, response: str, **options: int) -> list[float]:
    """Mean of a response at each design point."""
    summary = study.run(**options).summary
    return summary.filter(summary["response"] == response)["mean"].to_list()


def test_a_setting_of_a_component_is_a_factor():
    """With more agents more visitors chat, and with common random numbers more of them request a demo."""
    study = Study.parse(CHAT)
    assert study.design["components.chat.agents"].to_list() == [1, 50]
    few, many = means(study, "requests", jobs=1)
    assert few < many
    few, many = means(study, "events", jobs=1)
    assert few < many


def test_the_class_itself_is_a_factor():
    """A study compares decision models; the settings of one are not those of the next."""
    text = f"name: rules\nscenario: {{{WORLD}}}\nfactors: {{decision.use: [logit, threshold]}}\n{RESPONSES}\n"
    study = Study.parse(f"{text}replications: 2")
    assert study.classes["decision"][0] != study.classes["decision"][1]
    likely, certain = means(study, "requests", jobs=1)
    assert likely != certain


def test_settings_of_strategies_are_factors():
    """A larger budget lets more visitors in, and a stronger pull moves them; the classes are part of the study."""
    source = "{use: burst, start: 2026-03-03T00:00:00Z, visitors: 400.0, cost_per_click: 1.0, budget: 5.0}"
    world = f"{WORLD.replace('3000', f'500, sources: {{post: {source}}}')}, site: {{navigation: {{use: toward_page}}}}"
    factors = "{traffic.sources.post.budget: [5.0, 90.0], site.navigation.pull: [1.0, 90.0]}"
    responses = "{visitors: counts.visitors, events: counts.true_events}"
    study = Study.parse(
        f"name: s\nscenario: {{{world}}}\nfactors: {factors}\nreplications: 1\nresponses: {responses}\n"
    )
    assert set(study.classes) == {"traffic.sources.post", "traffic.sources.post.budget", "site.navigation"}
    few, few_again, many, many_again = means(study, "visitors", jobs=1)
    assert few == few_again == many - 85 == many_again - 85
    *_, gently, strongly = means(study, "events", jobs=1)
    assert gently != strongly


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        ("components.chat.agnts", "has no setting 'components.chat.agnts'; did you mean 'agents'"),
        ("components.caht.agents", "has nothing at 'components.caht'; did you mean 'chat'"),
    ],
)
def test_a_factor_that_no_component_has_is_refused(factor: str, message: str):
    """With what was meant."""
    with pytest.raises(ScenarioError, match=message):
        Study.parse(CHAT.replace("components.chat.agents", factor))


@pytest.mark.slow
def test_two_workers_make_the_same_bytes(tmp_path: Path):
    """A study with components leaves the same tables on one worker and on two."""
    for jobs in (1, 2):
        Study.parse(CHAT).run(jobs=jobs, folder=tmp_path / str(jobs))
    for name in ("study.yaml", "replications.parquet", "summary.csv", "failures.ndjson"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
    assert (tmp_path / "1" / "failures.ndjson").read_bytes() == b""


@pytest.mark.slow
def test_a_worker_without_the_patch_refuses_the_task(monkeypatch: pytest.MonkeyPatch):
    """A method that is replaced in one process is not replaced in others: that is an error, not another number."""
    monkeypatch.setattr(LiveChat, "effect", lambda _self, _visitor: 0.0)
    results = Study.parse(CHAT.replace("replications: 3", "replications: 1")).run(jobs=2)
    assert len(results.failures) == 2
    assert all("this worker has another LiveChat" in failure["message"] for failure in results.failures)
    # Here it is the same class, and there is nothing to refuse.
    assert Study.parse(CHAT.replace("replications: 3", "replications: 1")).run(jobs=1).failures == []


def test_a_changed_source_makes_another_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The folder of a study is refused once the file of a component has changed; the difference is shown."""
    own = own_module(tmp_path / "own_study.py", GREETER, monkeypatch)
    text = f"""name: own
plugins: [own_study.py]
scenario: {{{WORLD}, components: {{g: {{use: "own_study:Greeter"}}}}}}
factors: {{components.g.effect: [0.0, 3.0]}}
replications: 1
{RESPONSES}
"""
    (tmp_path / "own.yaml").write_text(text)
    first = Study.load(tmp_path / "own.yaml")
    first.run(jobs=1, folder=tmp_path / "out")
    # Read back from the folder it is the same study, with the same plugin and the same keys.
    again = Study.load(tmp_path / "out" / "study.yaml")
    assert again.to_yaml() == first.to_yaml()
    assert again.replication(again.points[1], 0).key == first.replication(first.points[1], 0).key

    own_module(own, GREETER.replace('"Greeted"', '"Welcomed"'), monkeypatch)
    changed = Study.load(tmp_path / "own.yaml")
    assert changed.replication(changed.points[1], 0).key != first.replication(first.points[1], 0).key
    with pytest.raises(OutputError, match=r"(?s)-# components\.g: own_study:Greeter \(source.*\+# components\.g"):
        changed.run(jobs=1, folder=tmp_path / "out")
    # A task of the first study reaches a worker that has the new file.
    refused = replicate(first.replication(first.points[0], 0))
    assert "ComponentError: components.g: this worker has another Greeter" in refused.failures[0].message


def test_a_plugin_that_is_missing_is_a_fault_of_the_study_file():
    """With its place."""
    with pytest.raises(ScenarioError, match=r"study\.yaml:2:11: plugins\[0\]: .*nothing\.py: there is no such file"):
        Study.parse(f"name: own\nplugins: [nothing.py]\nscenario: {{{WORLD}}}\n{RESPONSES}")


def test_a_class_of_a_notebook_cannot_go_to_workers(monkeypatch: pytest.MonkeyPatch):
    """It is refused before the study starts; in one process it is as good as any."""
    chat = type("Chat", (LiveChat,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Chat", chat, raising=False)
    scenario = Scenario.load("baseline", {"clock.hours": 1, "traffic.visitors_per_day": 500})
    scenario = scenario.replace({"components": {"chat": ComponentSettings.of(chat("chat"))}})
    data = {"name": "own", "scenario": scenario.to_data(), "replications": 1, "responses": {"n": "counts.visitors"}}
    assert Study.from_dict(data).run(jobs=1).failures == []
    with pytest.raises(ComponentError, match=r"Chat is defined in a notebook.*put it into a module"):
        Study.from_dict(data).run(jobs=2)
    with pytest.raises(ComponentError, match="put it into a module"):
        scenario.run(jobs=2)

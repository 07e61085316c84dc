"""Claims about the truth of worlds with components: every reader knows their terms, or why there is no truth."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scenarios.cli.text.runs import run_summary
from scenarios.errors import ScenarioError, UndefinedMeasureError
from scenarios.measures.truth import known_truth
from scenarios.power import sample_size
from scenarios.run.events_analysis import analyze
from scenarios.run.run import Run
from scenarios.saved_run import load_run
from scenarios.scenario import Scenario
from scenarios.study import Study
from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.model import Model

CHAT: dict[str, Any] = {"use": "live_chat", "wants_rate": 0.9, "effect": 0.9}
CHANGES: dict[str, Any] = {
    "clock.hours": 24,
    "traffic.visitors_per_day": 1500,
    "intent.target_conversion": 0.15,
    "intent.conversion_unit": "visitor",
}


@cache
def chatty() -> Run:
    """A day on which most visitors of the pricing page chat."""
    return Scenario.load("baseline", {**CHANGES, "components.chat": CHAT}).run()


@cache
def by_probit() -> Run:
    """The same without chats, where visitors decide by a probit."""
    return Scenario.load("baseline", {**CHANGES, "decision": {"use": "probit"}}).run()


def test_terms_of_components_are_measured_as_all_others() -> None:
    """Estimate, truth and coverage of the chat's term exist, and the visits with it are those of the table."""
    run = chatty()
    assert run.measure('true_coefficient("live_chat")') == 0.9
    low, high = (run.measure(f'ci_{end}("live_chat")') for end in ("low", "high"))
    assert low < run.measure('coefficient("live_chat")') < high
    assert run.measure('ci_covers_truth("live_chat")') == (low <= 0.9 <= high)
    at_risk = run.analysis.visits.filter("at_risk", ~pl.col("censored"))
    assert run.measure('n_seen("live_chat")') == at_risk["live_chat"].sum() > 50


@pytest.mark.slow
def test_claims_and_studies_know_the_terms(tmp_path: Path) -> None:
    """A misspelt term is refused with a suggestion; ``estimates: all`` has the chat's, with its truth."""
    with pytest.raises(ScenarioError, match="there is no term 'live_chta'; did you mean 'live_chat'"):
        chatty().scenario.replace({"claims": {"chats help": 'z("live_chta") > 0'}})
    assert chatty().scenario.replace({"claims": {"chats help": 'z("live_chat") > 0'}}).claims
    data = {"name": "chats", "scenario": "baseline", "replications": 2, "estimates": "all"}
    study = Study.from_dict({**data, "overrides": {**CHANGES, "components.chat": CHAT}})
    results = study.run(jobs=1, folder=tmp_path / "study")
    assert results.estimates.filter(term="live_chat")["true_coefficient"].to_list() == [0.9]
    assert "chat (LiveChat; wants_rate = 0.9, effect = 0.9)" in (tmp_path / "study" / "report.html").read_text()


@pytest.mark.slow
def test_terms_are_kept_in_the_folder_and_by_analysts(tmp_path: Path) -> None:
    """The saved run has the term and its truth; who analyses its events has the term without a truth."""
    chatty().save(tmp_path / "run")
    saved = load_run(tmp_path / "run")
    assert saved.truth == chatty().truth
    assert saved.coefficients.filter(signal="live_chat")["truth"].to_list() == [0.9]
    assert saved.intent.coefficients.equals(chatty().intent.coefficients)
    found = analyze([tmp_path / "run" / "events.parquet"], saved.scenario.analysis, "visitor").analysis
    row = found.intent.coefficients.filter(signal="live_chat").row(0, named=True)
    # Nobody has told them when the observation ended.
    assert row["coefficient"] == pytest.approx(chatty().measure('coefficient("live_chat")'), abs=0.1)
    assert row["true_coefficient"] is None
    page = (tmp_path / "run" / "report.html").read_text()
    for shown in ("LiveChat", "wants_rate = 0.9, effect = 0.9", "a visitor who has chatted"):
        assert shown in page
    assert "not known" not in page


def test_another_name_for_a_term_has_no_truth_of_its_own() -> None:
    """Of a component's signal and a copy of it only the sum is identified."""
    copies = {"mine": {"kind": "event", "events": ["Live Chat Started"]}}
    settings = chatty().scenario.replace({"analytics.signals": copies}).analysis
    known = known_truth(chatty().truth, settings)
    assert known["live_chat"] == 0.9
    assert "mine" not in known


def test_the_truth_of_a_term_includes_that_of_a_dropped_one() -> None:
    """Within a day, to have seen the pricing page of late is to have seen it: the term that stays has both effects."""
    recent = {"kind": "recency", "attribute": "page_group", "equals": ["pricing"], "hours": 24}
    changes = {**CHANGES, "intent.coefficients.recent": 1.5, "analytics.signals": {"recent": recent}}
    run = Scenario.load("baseline", changes).run()
    assert run.intent.dropped == {"recent": "collinear: determined by pricing_page_view"}
    assert run.measure('true_coefficient("pricing_page_view")') == pytest.approx(2.3)
    assert run.measure('ci_covers_truth("pricing_page_view")') == 1
    assert run.measure('true_coefficient("recent")') == 1.5
    why = "true coefficients include the effect of recent, which was dropped: pricing_page_view"
    assert f"warning: {why}" in str(run_summary(run, Path("run")))
    data = {"name": "recent", "scenario": "baseline", "replications": 2, "estimates": ["pricing_page_view"]}
    row = Study.from_dict({**data, "overrides": changes}).run(jobs=1).estimates.row(0, named=True)
    assert row["true_coefficient"] == pytest.approx(2.3)
    assert abs(row["bias"]) < 4 * row["mean_se"] / 2**0.5


@pytest.mark.parametrize(
    "signal", [{"kind": "event", "events": ["Live Chat Ended"]}, {"kind": "page_category", "categories": ["docs"]}]
)
def test_two_signals_of_one_name_are_refused(signal: dict[str, Any]) -> None:
    """A signal of the analyst may not take the name of a component's term for something else."""
    with pytest.raises(ScenarioError, match=r"analytics\.signals\.live_chat: a component has a term of this name"):
        chatty().scenario.replace({"analytics.signals": {"live_chat": signal}})


class Decider(Visitor):
    """Somebody who decides by other means."""

    def decide(self) -> bool:
        """Never."""
        return False


class Nudge(Component):
    """Something that moves decisions and tells nobody."""

    effect_range = (0.0, 1.0)

    def touches(self, plan: Plan) -> Bools:
        """Everybody."""
        return plan.everybody

    def effect(self, visitor: Visitor) -> float:
        """A whole unit of log-odds."""
        return 1.0


def test_each_reason_is_given() -> None:
    """A rule of one's own, an effect without a term, and another decision model."""
    world = Scenario.load("baseline", {"intent.intercept": -4.0}).world
    assert Model(world).truth.unknown == ()
    assert Model(world, visitor=Decider).truth.unknown == ("Decider decides by a rule of its own",)
    unnamed = Model(world, components=[Nudge("nudge")]).truth.unknown
    assert unnamed == ("the component 'nudge' moves decisions by an effect that its terms() do not name",)
    assert by_probit().truth.unknown == ("visitors decide by the rule Probit, not by a logit",)


def test_where_the_truth_would_stand_is_why_it_is_not_known(tmp_path: Path) -> None:
    """Measures, report, files and the printed summary give the reason, and none shows a truth or its coverage."""
    run, why = by_probit(), "the true coefficients are not known: visitors decide by the rule Probit, not by a logit"
    assert known_truth(run.truth, run.scenario.analysis) == {}
    for measure in ("true_coefficient", "ci_covers_truth"):
        with pytest.raises(UndefinedMeasureError, match=why):
            run.measure(f'{measure}("pricing_page_view")')
    run.save(tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"{why[0].upper()}{why[1:]}." in page
    assert "true value" not in page.replace("<bdi>", "")
    assert "covered" not in page
    model = json.loads((tmp_path / "run" / "model.json").read_text())
    assert model["truth_unknown"] == why
    assert (
        {row["truth"] for row in model["coefficients"]}
        == {row["ci_covers_truth"] for row in model["coefficients"]}
        == {None}
    )
    assert json.loads((tmp_path / "run" / "truth.json").read_text())["unknown"] == list(run.truth.unknown)
    assert load_run(tmp_path / "run").truth == run.truth
    printed = str(run_summary(run, tmp_path / "run"))
    assert why in printed
    assert "truth\n" not in printed


@pytest.mark.slow
def test_power_needs_no_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the truth is not known, nobody says that a signal has no effect: the search goes on."""
    seen: list[str] = []

    def stop(self: object, *_: object) -> None:
        seen.append("after the pilot")
        raise KeyboardInterrupt

    monkeypatch.setattr("scenarios.power._PILOT", 2)
    monkeypatch.setattr("scenarios.power._Planner._observe", stop)
    with pytest.raises(KeyboardInterrupt):
        sample_size(by_probit().scenario, "pricing_page_view", jobs=1)
    assert seen == ["after the pilot"]

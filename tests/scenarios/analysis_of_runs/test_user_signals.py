"""Claims about signals of the user's own, in scenarios and on foreign events."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command_line import Ended

from scenarios.cli.runs import analyst_settings
from scenarios.errors import ScenarioError, UndefinedMeasureError
from scenarios.files.event_files import save_events
from scenarios.measures.expressions import ExpressionError
from scenarios.measures.truth import known_truth
from scenarios.run.events_analysis import analyze
from scenarios.run.run import Run
from scenarios.scenario import Scenario, scenario_schema
from simulator.visitors.calibration import true_parameters

IDLE = timedelta(minutes=30)
SERVER = {
    *("Demo Requested", "Demo Scheduled", "Demo Held", "Demo Missed"),
    *("Opportunity Created", "Deal Won"),
}
TEXT = """
name: own
extends: baseline
clock: {hours: 72}
traffic: {visitors_per_day: 1500}
intent: {target_conversion: 0.1, conversion_unit: visitor}
analytics:
  signals:
    docs_view: {kind: page_category, categories: [docs, blog], meaning: has read docs or the blog}
    newsletter: {kind: event, events: [Newsletter Subscribed]}
    in_finance: {kind: attribute, attribute: industry, equals: [financial_services]}
    pages_so_far: {kind: count, scale: log1p}
    third_visit: {kind: count, of: visits, at_least: 3}
    long_visit: {kind: minutes, longer_than: 15}
    minutes_so_far: {kind: minutes, within: visitor}
    security_again: {kind: page_category, categories: [security]}
  interactions: ["region_europe:security_page_view", "region_europe:docs_view", "region_europe:security_again"]
"""
OWN = ("docs_view", "newsletter", "in_finance", "pages_so_far", "third_visit", "long_visit", "minutes_so_far")


@cache
def run() -> Run:
    """A run that most claims here are about."""
    return Scenario.parse(TEXT).run(seed=3)


def test_signals_of_a_run_equal_a_recount_by_hand() -> None:
    """Every visit at whose end a request could be made has the values that plain Python finds in the events."""
    by_visitor: dict[str, list[dict[str, Any]]] = {}
    for event in run().analysis.events.to_dicts():
        by_visitor.setdefault(event["anonymous_id"], []).append(event)
    expected = {key: values for who, events in by_visitor.items() for key, values in recount(who, events)}
    visits = run().analysis.visits
    found = {
        (row["anonymous_id"], row["visit"]): {n: row[n] for n in OWN} for row in visits.to_dicts() if row["at_risk"]
    }
    assert len(found) > 5000
    assert visits["requested_demo"].sum() > 100
    assert all(visits[name].n_unique() > 1 for name in OWN)
    assert found.keys() == expected.keys()
    assert all(found[key] == pytest.approx(expected[key], abs=1e-9) for key in found)


def recount(who: str, events: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    """The signals at the end of each visit of a visitor, until the one that ends in a request."""
    asked = min((each["event_time"] for each in events if each["event"] == "Demo Requested"), default=None)
    known = [each for each in events if asked is None or each["event_time"] < asked]
    visits: list[list[dict[str, Any]]] = []
    for event in sorted((each for each in known if each["event"] not in SERVER), key=lambda each: each["event_time"]):
        if not visits or event["event_time"] - visits[-1][-1]["event_time"] > IDLE:
            visits.append([])
        visits[-1].append(event)
    for number in range(1, len(visits) + 1):
        so_far = [event for visit in visits[:number] for event in visit]
        lengths = [minutes([event["event_time"] for event in visit if event["type"] == "page"]) for visit in visits]
        yield (
            (who, number),
            {
                "docs_view": any(event["category"] in {"docs", "blog"} for event in so_far),
                "newsletter": any(event["event"] == "Newsletter Subscribed" for event in so_far),
                "in_finance": any(event["context_company_industry"] == "financial_services" for event in so_far),
                "pages_so_far": math.log(1 + sum(event["type"] == "page" for event in so_far)),
                "third_visit": number >= 3,
                "long_visit": lengths[number - 1] > 15,
                "minutes_so_far": sum(lengths[:number]),
            },
        )


def minutes(times: list[datetime]) -> float:
    """Minutes from the first to the last of some times."""
    return (max(times) - min(times)).total_seconds() / 60


def test_own_signals_change_no_event() -> None:
    """They are about how events are read: the same world without them has the same digest."""
    assert Scenario.parse(TEXT.split("analytics:", maxsplit=1)[0]).run(seed=3).digest == run().digest


def test_own_signals_are_decoys_beside_the_built_in_ones() -> None:
    """Their truth is 0, alone and in products, and the model shows it; that of a built-in one's double is not known.

    Without the world's interaction own signals may stand for it; a product of the world in other order is there.
    """
    truth = known_truth(run().truth, run().scenario.analytics)
    assert {truth[name] for name in (*OWN, "region_europe:docs_view")} == {0.0}
    assert {"security_again", "region_europe:security_again"}.isdisjoint(truth)
    assert truth["security_page_view"] == 0.9
    for interactions, known in (("[]", False), ('["security_page_view:region_europe"]', True)):
        scenario = Scenario.parse(TEXT, overrides=[f"analytics.interactions={interactions}"])
        assert ("docs_view" in known_truth(run().truth, scenario.analytics)) is known
    rows = {row["signal"]: row["true_coefficient"] for row in run().intent.coefficients.to_dicts()}
    assert rows["docs_view"] == rows["region_europe:docs_view"] == rows["minutes_so_far"] == 0.0
    assert run().intent.dropped["security_again"] == "collinear: determined by security_page_view"


def test_measures_and_claims_know_own_signals() -> None:
    """Their estimates and truths are words of measures; what is not known has a reason instead of a number."""
    assert run().measure('true_coefficient("docs_view")') == 0.0
    n_seen = run().intent.coefficients.filter(signal="docs_view")["n_seen"].item()
    assert run().measure('n_seen("docs_view")') == n_seen
    with pytest.raises(UndefinedMeasureError, match="is not known"):
        run().measure('true_coefficient("security_again")')
    claimed = Scenario.parse(TEXT + 'claims:\n  "docs are a decoy": true_coefficient("docs_view") == 0\n')
    assert list(claimed.claims) == ["docs are a decoy"]


@pytest.mark.parametrize(
    ("definition", "fault"),
    [
        ("{kind: page_categry, categories: [x]}", '4:12: analytics.signals.mine.kind: must be one of'),
        ("{kind: page_categry, categories: [x]}", "(got \"page_categry\"); did you mean 'page_category'?"),
        ("{categories: [x]}", "4:5: analytics.signals.mine.kind: is missing"),
        ("{kind: event, evnts: [x]}", "mine.evnts: unknown key 'evnts'; did you mean 'events'?"),
        ("{kind: attribute, attribute: contry, equals: [DE]}", "4:29: analytics.signals.mine.attribute: there is no"),
        ("{kind: attribute, attribute: country, equals: [DE, 5]}", "4:49: analytics.signals.mine.equals: must be"),
        ("{kind: count, at_least: 2, at_most: 5}", "mine.at_most: a binary signal (at_least) has none"),
        ("{kind: sequence, steps: [pricing]}", "4:28: analytics.signals.mine.steps: must have at least 2 items, not 1"),
        ("{kind: recency, attribute: page_group, equals: [docs]}", "4:5: analytics.signals.mine: give visits or hours"),
        ("{kind: recency, attribute: contry, equals: [DE], visits: 2}", "mine.attribute: there is no"),
        ("{kind: count, at_least: 0}", "4:25: analytics.signals.mine.at_least: must be at least 1 (got 0)"),
        ("{kind: count, of: visits, within: visit}", "4:25: analytics.signals.mine.of: visits have no attribute"),
        ("5", "4:5: analytics.signals.mine: must be a mapping (key: value) (got 5)"),
        ("{kind: count}\n    intercept: {kind: minutes}", "5:5: analytics.signals.intercept: is the name of a"),
    ],
)  # fmt: skip
def test_a_fault_is_reported_at_its_place(definition: str, fault: str) -> None:
    """File, line and column of the very setting, and what was meant."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(f"name: s\nanalytics:\n  signals:\n    mine: {definition}", "s.yaml")
    messages = [str(each) for each in caught.value.faults]
    assert any(fault in message for message in messages), messages


EFFECTS = """
name: s
intent:
  target_conversion: 0.1
  coefficients: {docs_view: 0.4, pages: 0.1}
  interactions: {"region_europe:docs_view": 0.3}
analytics:
  signals:
    docs_view: {kind: page_category, categories: [docs, blog]}
    pages: {kind: count, at_most: 5}
    other_docs: {kind: page_category, categories: [blog, docs]}
    decoy: {kind: sequence, steps: [docs, pricing]}
  interactions: ["region_europe:security_page_view", "region_europe:docs_view"]
"""


def test_own_signals_with_effects_have_a_truth() -> None:
    """It is the effect that `intent` names; that of a double is not known, nor decoys beside a signal left out."""
    scenario = Scenario.parse(EFFECTS.replace("other_docs: {kind: page_category, categories: [blog, docs]}", ""))
    truth = true_parameters(scenario.world)
    known = known_truth(truth, scenario.analytics)
    assert (known["docs_view"], known["pages"], known["region_europe:docs_view"], known["decoy"]) == (
        0.4,
        0.1,
        0.3,
        0.0,
    )
    doubled = known_truth(truth, Scenario.parse(EFFECTS).analytics)
    assert "other_docs" not in doubled
    assert (doubled["docs_view"], doubled["pages"], doubled["decoy"]) == (0.4, 0.1, 0.0)
    # Two effects of one signal: what can be estimated is their sum.
    shared = EFFECTS.replace("pages: 0.1", "pages: 0.1, safe: 0.2").replace("decoy: {", "safe: {SAFE}\n    decoy: {")
    both = Scenario.parse(shared.replace("SAFE", "kind: page_category, categories: [security]"))
    assert {"safe", "security_page_view"}.isdisjoint(known_truth(true_parameters(both.world), both.analytics))
    # What the model lacks, any decoy may stand for.
    lacking = scenario.analytics.model_copy(
        update={"signals": {name: kind for name, kind in scenario.analytics.signals.items() if name != "pages"}}
    )
    assert "decoy" not in known_truth(truth, lacking)


def test_the_world_has_the_definitions_of_signals_with_effects_only() -> None:
    """All others are the analyst's, and the world is the same without them."""
    scenario = Scenario.parse(EFFECTS)
    assert set(scenario.world.signals) == {"docs_view", "pages"}
    assert Scenario.parse(scenario.to_yaml()) == scenario


@pytest.mark.parametrize(
    ("effect", "definition", "fault"),
    [
        (
            "mine",
            "{kind: event, events: [Live Chat Started]}",
            "2:25: intent.coefficients.mine: visitors cannot decide by 'mine': no form of the site sends the event",
        ),
        ("mine", "{kind: event, events: [Demo Held]}", "no form of the site sends the event 'Demo Held'"),
        (
            "mine",
            "{kind: attribute, attribute: properties.plan, equals: [pro]}",
            "2:25: intent.coefficients.mine: visitors cannot decide by 'mine': it reads 'properties.plan', which the",
        ),
        ("mine", "{kind: attribute, attribute: account, equals: [a.example]}", "it reads 'context_group_id'"),
        ("mine", "{kind: count, of: events}", "it counts events of every kind"),
        ("mine", "{kind: recency, attribute: page, equals: [/pricing], hours: 1}", "stands on events of every"),
        ("mine", "{kind: sequence, steps: [security, pricng]}", "no page of the site has the category 'pricng'"),
        ("mien", "{kind: count}", "2:25: intent.coefficients.mien: there is no signal 'mien'; did you mean 'mine'?"),
    ],
)
def test_an_effect_of_what_visitors_cannot_know_is_refused(effect: str, definition: str, fault: str) -> None:
    """With the place of the effect, and why."""
    text = f"name: s\nintent: {{coefficients: {{{effect}: 0.5}}}}\nanalytics:\n  signals:\n    mine: {definition}"
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text, "s.yaml")
    assert fault in str(caught.value), str(caught.value)


PODCAST = """
name: podcast
extends: baseline
clock: {hours: 6}
traffic:
  visitors_per_day: 2000
  channels:
    direct: {share: 0.0}
    podcast: {share: 0.24, campaign: {source: podcast, medium: audio}}
intent:
  coefficients: {by_podcast: 0.5}
analytics:
  signals:
    by_podcast: {kind: attribute, attribute: utm_medium, equals: [audio]}
"""


def test_a_channel_of_ones_own_keeps_its_name_and_may_have_an_effect() -> None:
    """Tables, measures and claims name it; by the rules of Google Analytics alone it would be `other`."""
    run = Scenario.parse(PODCAST + 'claims: {"it brings many": visitors(channel="podcast") > 50}').run(seed=1)
    channels = run.analysis.events["channel"].unique().to_list()
    assert "podcast" in channels
    assert "other" not in channels
    assert run.measure('visitors(channel="podcast")') > 50
    assert known_truth(run.truth, run.scenario.analysis)["by_podcast"] == 0.5
    with pytest.raises(ExpressionError, match="did you mean 'podcast'"):
        run.measure('visitors(channel="podcst")')


def test_the_channel_that_the_analysis_names_is_no_cause() -> None:
    """An effect of the channel by name is refused where the analysis renames it, with what to use instead."""
    with pytest.raises(ScenarioError, match=r"the analysis names podcast itself; use utm_source, utm_medium"):
        Scenario.parse(
            PODCAST.replace("attribute: utm_medium, equals: [audio]", "attribute: channel, equals: [direct]")
        )


def test_an_interaction_with_an_unknown_signal_is_refused_at_its_place() -> None:
    """The line and column of the very product."""
    text = 'name: s\nintent:\n  interactions:\n    "region_europe:mine": 0.5\n'
    with pytest.raises(ScenarioError, match=r"s.yaml:4:5: intent.interactions.region_europe:mine: there is no signal"):
        Scenario.parse(text, "s.yaml")


def test_own_signals_are_inherited_changed_and_removed_one_by_one() -> None:
    """A layer names those it changes; null takes one back; what is written down is the same scenario."""
    base = Scenario.parse(TEXT)
    assert Scenario.parse(base.to_yaml()) == base
    changed = base.replace({"analytics.signals.third_visit.at_least": 2, "analytics.signals.newsletter": None})
    assert changed.analytics.signals["third_visit"].model_dump()["at_least"] == 2
    assert "newsletter" not in changed.analytics.signals
    assert "docs_view" in changed.analytics.signals


def test_the_schema_knows_the_kinds() -> None:
    """An editor accepts each kind with its keys and no others."""
    validator = jsonschema.Draft202012Validator(scenario_schema())
    validator.validate(json.loads(Scenario.parse(TEXT).model_dump_json()))
    for definition in ({"kind": "page_category"}, {"kind": "evnt"}, {"kind": "minutes", "categories": ["x"]}):
        assert not validator.is_valid({"name": "x", "analytics": {"signals": {"mine": definition}}})


FOREIGN_SETTINGS = """
name: shop
intent: {conversion_unit: visitor}
analytics:
  signals:
    watched: {kind: event, events: [Video Watched]}
    pro: {kind: attribute, attribute: properties.plan, equals: [pro]}
    at_pricing: {kind: attribute, attribute: page, equals: [/pricing]}
    pages: {kind: count}
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Events that funnelsim did not write: 3 visits of 2 people; the working folder is theirs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(FOREIGN_SETTINGS)
    sent = [
        ("a", 0, "page", {"path": "/"}),
        ("a", 3, "track", {"plan": "pro"}),
        ("b", 0, "page", {"path": "/pricing"}),
        ("b", 1, "page", {"path": "/", "plan": "free"}),
        ("a", 90, "page", {"path": "/pricing"}),
        ("b", 200, "page", {"path": "/"}),
    ]
    lines = [
        {
            "type": kind,
            "messageId": f"m{number}",
            "anonymousId": who,
            "timestamp": f"2026-03-03T{10 + minute // 60}:{minute % 60:02}:00Z",
            "properties": properties,
            **({"event": "Video Watched"} if kind == "track" else {}),
        }
        for number, (who, minute, kind, properties) in enumerate(sent)
    ]
    (tmp_path / "shop.ndjson").write_text("\n".join(map(json.dumps, lines)))
    return "shop.ndjson"


def test_own_signals_are_read_off_foreign_events(foreign: str) -> None:
    """What no column was made for is found where the sender put it, and carries over visits."""
    settings, conversion_unit = analyst_settings("shop.yaml")
    assert conversion_unit == "visitor"
    visits = analyze([foreign], settings, conversion_unit).analysis.visits.sort("anonymous_id", "visit")
    names = ("anonymous_id", "visit", "watched", "pro", "at_pricing", "pages")
    assert visits.select(names).rows() == [
        ("a", 1, True, True, False, 1),
        ("a", 2, True, True, True, 2),
        ("b", 1, False, False, True, 2),
        ("b", 2, False, False, True, 3),
    ]


def test_analyze_takes_its_settings_from_a_scenario(foreign: str) -> None:
    """From a file and single settings: own signals are terms without a truth, and dropped terms have a reason."""
    small = Scenario.parse(TEXT, overrides=["clock.hours=24", "traffic.visitors_per_day=1500"]).run(seed=3)
    save_events(small.events, Path(), "ndjson")
    Path("own.yaml").write_text(TEXT)
    arguments = ("analyze", "events.ndjson", "--config", "own.yaml")
    ended = Ended(*arguments, "--set", "analytics.signals.newsletter=null", "--json")
    assert (ended.status, ended.err) == (0, "")
    terms = {row["signal"]: row for row in ended.json["model"]["coefficients"]}
    assert terms["docs_view"]["true_coefficient"] is None
    assert "newsletter" not in terms
    assert "region_europe:docs_view" in terms
    assert terms["docs_view"]["n_seen"] == small.intent.coefficients.filter(signal="docs_view")["n_seen"].item()
    out = Ended(*arguments).out
    assert small.intent.dropped
    for term, reason in small.intent.dropped.items():
        assert (term in small.intent.unseen) != (f"  dropped: {term} ({reason})\n" in out)
    assert all(term in out.partition("not seen in these events: ")[2] for term in small.intent.unseen)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "intent.conversion_unit=visitor"], "intent.conversion_unit: is no setting of the analysis"),
        (["--set", "analytics.signls={}"], "unknown key 'signls'; did you mean 'signals'?"),
        (["--config", "none.yaml"], "none.yaml: there is no such file"),
        (["--config", "basline"], "did you mean 'baseline'?"),
    ],
)
def test_wrong_settings_of_analyze_are_refused(arguments: list[str], message: str) -> None:
    """Status 2 and one message, before any event is read."""
    ended = Ended("analyze", "no-such-events", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


@pytest.mark.parametrize(
    "redefined",
    [
        "signals: {security_page_view: {kind: attribute, attribute: page, equals: [/pricing]}}",
        'pages: {"/pricing": {category: security}}',
        "channels: {paid_search: {utm_source: [linkedin]}}",
    ],
)
def test_a_built_in_signal_that_is_defined_anew_has_no_known_truth(redefined: str) -> None:
    """Visitors decide by the built-in one: the events are the same, and the column is another that has no truth."""
    text = "name: own\nextends: baseline\nclock: {hours: 6}\nanalytics: {interactions: []"
    plain, own = Scenario.parse(f"{text}}}\n"), Scenario.parse(f"{text}, {redefined}}}\n")
    assert own.world == plain.world
    truth = true_parameters(plain.world)
    known, known_anew = (known_truth(truth, scenario.analysis) for scenario in (plain, own))
    signal = "utm_paid_search" if "channels" in redefined else "security_page_view"
    assert signal in known
    assert own.analysis.redefined_signals.isdisjoint(known_anew)
    assert signal in own.analysis.redefined_signals
    # The world's own signal is missing from the model if it has an effect: others may be a proxy for it.
    assert ("multi_page_visit" in known_anew) == (not truth.coefficients.get(signal))

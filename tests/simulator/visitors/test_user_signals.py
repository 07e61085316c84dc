"""Claims about signals of the user's own that visitors decide by: plans, agents and events agree on them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.sessions.visits import visit_table
from analytics.signals.definitions import SIGNALS
from scenarios.files.digest import EventsDigest
from simulator.agents.component import Component
from simulator.components.live_chat import LiveChat
from simulator.components.nurture_email import NurtureEmail
from simulator.components.web_server import WebServer
from simulator.model import Model
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink
from simulator.visitors.calibration import true_intercept, true_parameters

FORMS = ["White Paper Downloaded", "Webinar Registered"]
DEFINITIONS: dict[str, dict[str, Any]] = {
    "docs_view": {"kind": "page_category", "categories": ["docs", "blog"]},
    "newsletter": {"kind": "event", "events": ["Newsletter Subscribed"]},
    "in_finance": {"kind": "attribute", "attribute": "industry", "equals": ["financial_services"]},
    "in_germany": {"kind": "attribute", "attribute": "country", "equals": ["DE"]},
    "on_the_pricing_page": {"kind": "attribute", "attribute": "page", "equals": ["/pricing"]},
    "came_directly": {"kind": "attribute", "attribute": "channel", "equals": ["direct"]},
    "pages": {"kind": "count", "scale": "log1p"},
    "pages_here": {"kind": "count", "within": "visit"},
    "products": {"kind": "count", "attribute": "page_group", "equals": ["product"], "at_most": 3},
    "on_a_phone": {"kind": "count", "attribute": "device", "equals": ["mobile"]},
    "by_search": {"kind": "count", "attribute": "channel", "equals": ["organic_search", "direct"]},
    "third_visit": {"kind": "count", "of": "visits", "at_least": 3},
    "forms": {"kind": "count", "of": "events", "attribute": "event", "equals": FORMS},
    "long_visit": {"kind": "minutes", "longer_than": 5},
    "minutes_so_far": {"kind": "minutes", "within": "visitor"},
    "security_then_pricing": {"kind": "sequence", "steps": ["security", "pricing"]},
    "read_and_asked": {"kind": "sequence", "steps": ["product", "White Paper Downloaded", "pricing"]},
    "pricing_today": {"kind": "recency", "attribute": "page_group", "equals": ["pricing"], "hours": 5},
    "blog_of_late": {"kind": "recency", "attribute": "page_group", "equals": ["blog", "careers"], "visits": 2},
    "form_of_late": {"kind": "recency", "attribute": "event", "equals": ["White Paper Downloaded"], "hours": 0.5},
}
# Larger effects on what is rare, so that some decision depends on every signal.
EFFECTS = {name: 0.02 if name.startswith(("minutes", "pages", "on_a")) else 0.4 for name in DEFINITIONS}
SETTINGS: dict[str, Any] = {
    "clock": {"hours": 24},
    "traffic": {"visitors_per_day": 700},
    "visits": {"gap_hours": 1.0, "return_rate": 0.6, "after_request_rate": 0.3},
    "intent": {
        "intercept": -4.0,
        "coefficients": {"white_paper_download": 1.0, "log_session_minutes": 0.3, **EFFECTS},
        "interactions": {"region_europe:security_then_pricing": 0.4, "products:pricing_today": 0.2},
    },
    "signals": DEFINITIONS,
}


class Run:
    """A model that has run: its digest, events and what really happened."""

    def __init__(self, world: WorldSettings, *components: Component, **options: Any) -> None:
        digest, kept = EventsDigest(world.clock.start), CollectingSink()
        self.model = Model(world, seed=3, components=components, sinks=[digest_sink(digest), kept], **options).run()
        self.digest, self.events, self.outcome = digest.hexdigest(), kept.events, self.model.outcome


def digest_sink(digest: EventsDigest) -> Any:
    """A sink that keeps the digest only."""
    return type("Sink", (), {"write": lambda _, delivery: digest.write(delivery), "close": lambda _: None})()


@pytest.fixture(scope="module")
def world() -> WorldSettings:
    """A world whose visitors decide by a signal of every kind, and by products of them."""
    return WorldSettings.model_validate(SETTINGS)


def slow_server_mail_and_chat() -> list[Component]:
    """Three that disturb visits: page views that wait, visits that nobody planned, and talks."""
    return [
        WebServer("web", capacity=1, mean_seconds=6.0),
        NurtureEmail("mail", delay_hours=3.0),
        LiveChat("chat"),
    ]


@pytest.mark.parametrize(
    "components",
    [
        list,
        pytest.param(lambda: [LiveChat("chat")], marks=pytest.mark.slow),
        pytest.param(lambda: [NurtureEmail("mail", delay_hours=3.0, click_rate=0.8)], marks=pytest.mark.slow),
        pytest.param(slow_server_mail_and_chat, marks=pytest.mark.slow),
    ],
    ids=["undisturbed", "chat", "e-mail", "all three"],
)
def test_plans_agents_and_events_agree_on_every_signal(world: WorldSettings, components: Callable[[], list[Component]]):
    """Whoever is on the clock, the events are the same, and every visit rebuilt from them has the true signals.

    Chats delay page views, e-mails add visits, and slow servers shorten them: signals follow what was done.
    """
    of_all, of_few = (Run(world, *components(), active_agents=active) for active in ("all", "interacting"))
    assert of_all.digest == of_few.digest
    assert_frame_equal(of_all.outcome.visits, of_few.outcome.visits)
    true = of_few.outcome.visits
    assert set(DEFINITIONS) < set(true.columns)
    assert all(true[name].n_unique() > 1 for name in DEFINITIONS)
    rebuilt = visit_table(of_few.events, signals=world.decision_signals)
    keys = ["started_at", "anonymous_id", "visit"]
    columns = [name for name in true.columns if name != "censored"]
    # Libraries differ in the last digit of logarithms and quotients.
    assert_frame_equal(true.select(columns).sort(keys), rebuilt.select(columns).sort(keys), rel_tol=1e-12)


def test_a_built_in_signal_under_another_name_leads_to_the_same_decisions():
    """Effects of security pages, of companies and of Europe, moved to definitions that say the same, change no event.

    The calibrated intercept is the same too, so the pilot knows of them.
    """
    built_in = {"security_page_view": 0.9, "company_enterprise": 0.5, "region_europe": -0.3}
    same = {
        "safe": {"kind": "page_category", "categories": ["security"]},
        "big": {"kind": "attribute", "attribute": "company_size", "equals": ["enterprise"]},
        "near": {"kind": "recency", "attribute": "page_group", "equals": ["security"], "visits": 1000},
        "european": {"kind": "attribute", "attribute": "region", "equals": ["europe"]},
    }
    small = {"clock": {"hours": 12}, "traffic": {"visitors_per_day": 1500}}
    one = WorldSettings.model_validate(
        {**small, "intent": {"target_conversion": 0.2, "coefficients": built_in, "interactions": {}}}
    )
    for safe in ("safe", "near"):
        effects = dict(zip((safe, "big", "european"), built_in.values(), strict=True))
        other = WorldSettings.model_validate(
            {
                **small,
                "signals": same,
                "intent": {"target_conversion": 0.2, "coefficients": effects, "interactions": {}},
            }
        )
        assert true_intercept(other) == pytest.approx(true_intercept(one), abs=1e-9)
        assert Run(other).digest == Run(one).digest


def test_the_truth_names_the_effects_and_visits_have_the_columns(world: WorldSettings):
    """Coefficients of the user's signals stand beside the built-in ones, of which decoys have 0."""
    truth = true_parameters(world)
    assert {name: truth.coefficients[name] for name in EFFECTS} == EFFECTS
    assert truth.coefficients["careers_page_view"] == 0.0
    assert [signal.name for signal in world.decision_signals] == [*(each.name for each in SIGNALS), *DEFINITIONS]


def test_only_signals_with_an_effect_are_computed():
    """A definition that `intent` does not name costs nothing and may be one that visitors cannot know."""
    unused = {"plan": {"kind": "attribute", "attribute": "properties.plan", "equals": ["pro"]}}
    world = WorldSettings.model_validate({"signals": unused, "intent": {"intercept": -4.0}})
    assert world.decision_signals == SIGNALS


def test_a_visitor_on_the_clock_knows_the_signals(world: WorldSettings):
    """`visitor.signals` at the end of a visit equals the last row of the true visit table."""
    run = Run(world, active_agents="interacting")
    last = run.outcome.visits.sort("visit").group_by("anonymous_id").last().sort("n_page_views").tail(3)
    for row in last.to_dicts():
        signals = run.model.visitor(row["anonymous_id"]).signals
        assert signals == pytest.approx({name: row[name] for name in signals}, rel=1e-12)


def test_an_effect_moves_decisions(world: WorldSettings):
    """Without the user's effects fewer ask: the world differs by nothing else."""
    base = world.model_copy(update={"intent": world.intent.model_copy(update={"coefficients": {}, "interactions": {}})})
    with_effects, without = (
        Run(each).outcome.visits["requested_demo"].to_numpy().astype(np.int64).sum() for each in (world, base)
    )
    assert with_effects > 1.5 * without


def test_columns_of_visits_have_the_types_of_the_visit_table(world: WorldSettings):
    """An empty world has the same columns."""
    nobody = world.model_copy(update={"traffic": world.traffic.model_copy(update={"visitors_per_day": 0.001})})
    visits = Run(nobody).outcome.visits
    assert visits.is_empty()
    assert visits.schema["pages_here"] == pl.UInt32
    assert visits.schema["security_then_pricing"] == pl.Boolean

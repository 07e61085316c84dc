"""Claims about visitors who act: whatever they do, the truth says the same as the events."""

import polars as pl
import pytest
from acting import HALF_DAY, Everywhere, lived
from small_worlds import check_rebuilt

from analytics.events.times import HOUR_MS
from simulator.agents.visit import Itinerary, Page
from simulator.agents.visitor import Steps, Visitor
from simulator.errors import ComponentError
from simulator.model import Model
from simulator.settings.world import WorldSettings

EAGER = {"intent": {"target_conversion": 0.3}}
DOWNLOADS = ["White Paper Downloaded", "Webinar Registered"]


class NoForms(Visitor):
    """A visitor who never submits a form."""

    def submit(self) -> None:
        """Do nothing."""


class NoPricing(Visitor):
    """A visitor who opens no pricing page, not even as the first one."""

    def view(self, page: Page | str) -> None:
        """View it if it is another one."""
        if not isinstance(page, Page) or page.category != "pricing":
            super().view(page)


class OncePerDay(Visitor):
    """A visitor who makes one visit, an hour later than planned."""

    def journey(self) -> Steps:
        """Wait, and come once."""
        first = next(self._cohort.itineraries(self._row))
        yield self.env.timeout(first.view_ms[0] + HOUR_MS)
        yield from self.make(first)


class Shy(Visitor):
    """A visitor who never requests a demo."""

    def decide(self) -> bool:
        """Never."""
        return False


class Keen(Visitor):
    """A visitor who requests a demo at the end of the first visit."""

    def decide(self) -> bool:
        """Always."""
        return True


@pytest.mark.parametrize("visitor", [NoForms, NoPricing, OncePerDay, Shy, Keen])
def test_what_a_subclass_does_is_what_the_truth_says(visitor: type[Visitor]):
    """Visits, signals, identities, requests and counts are those that can be rebuilt from the events."""
    model = lived(visitor=visitor, **EAGER)
    assert check_rebuilt(model).height > 50
    assert model.active_agents == "all"


def test_without_forms_nobody_is_identified():
    """No call, no download and no user: neither in the events nor in the true visits."""
    model, usual = lived(visitor=NoForms, **EAGER), lived(**EAGER)
    for each, some in ((model, False), (usual, True)):
        forms = each.events.filter(pl.col("event").cast(pl.String).is_in(DOWNLOADS))
        asked = (pl.col("event").cast(pl.String) == "Demo Requested").fill_null(value=False)
        assert (forms.height > 0) == some
        assert (each.events["type"] == "identify").any() == some
        assert each.outcome.visits["white_paper_download"].any() == some
        assert each.events.filter(pl.col("type") == "page")["user_id"].is_not_null().any() == some
        assert each.events.filter(asked).height == each.outcome.counts["demo_requests"]


def test_pages_that_are_not_viewed_are_no_signal():
    """Nobody has seen the page, and a visit that would have begun there begins with the next one."""
    model, usual = lived(visitor=NoPricing, **EAGER), lived(**EAGER)
    assert usual.outcome.visits["pricing_page_view"].any()
    assert not model.outcome.visits["pricing_page_view"].any()
    assert not (model.events["category"] == "pricing").any()


def test_a_subclass_may_come_when_it_likes():
    """A journey of one's own is an ordinary process: each comes once, an hour late."""
    model, usual = lived(visitor=OncePerDay), lived()
    assert model.outcome.visits["visit"].max() == 1
    firsts = usual.outcome.visits.filter(pl.col("visit") == 1).select("anonymous_id", planned="started_at")
    late = model.outcome.visits.join(firsts, on="anonymous_id").select(pl.col("started_at") - pl.col("planned"))
    assert late.height > 50
    assert (late.to_series().dt.total_milliseconds() == HOUR_MS).all()


def test_who_decides_by_a_rule_of_their_own_has_no_true_coefficients():
    """The requests are theirs, and the truth says why its coefficients do not count."""
    shy, keen, usual = (lived(visitor=each, **EAGER) for each in (Shy, Keen, Visitor))
    assert shy.outcome.counts["demo_requests"] == 0 < usual.outcome.counts["demo_requests"]
    visits = keen.outcome.visits
    assert visits.filter("requested_demo").height == keen.outcome.counts["demo_requests"] > 50
    assert shy.truth.unknown == ("Shy decides by a rule of its own",)
    assert keen.truth.unknown
    assert not usual.truth.unknown
    assert not lived(visitor=NoForms).truth.unknown


class Sent(Everywhere):
    """Sends everybody away, and some back."""

    def on_view(self, visitor: Visitor, page: Page) -> None:
        """Leave after the first page."""
        visitor.leave()


def test_who_leaves_stays_for_a_second():
    """A visit of one page is over a second later, and with a form its planned one is not sent."""
    model = lived(Sent("out"))
    visits = check_rebuilt(model)
    assert (visits["n_page_views"] == 1).all()
    assert not (model.events["type"] == "identify").any()
    ended = [visit for visitor in model.visitors for visit in visitor.visits if visit.end_ms >= 0]
    assert {visit.end_ms - visit.times_ms[-1] for visit in ended} == {1000}


class Closed(Everywhere):
    """Lets nobody see the first page of a visit to the pricing page."""

    def before_view(self, visitor: Visitor, page: Page) -> None:
        """Send those away who land there."""
        if page.name == "pricing" and not visitor.visit.pages:  # type: ignore[union-attr]  # on the site
            visitor.leave()


def test_a_visit_that_nobody_sees_is_none():
    """Who leaves before the first page is there has made no visit, and the next one has its number."""
    model, usual = lived(Closed("closed")), lived()
    visits = check_rebuilt(model)
    assert visits.height < usual.outcome.visits.height
    assert model.outcome.counts["visitors"] < usual.outcome.counts["visitors"]
    numbers = visits.group_by("anonymous_id").agg(n=pl.len(), last=pl.col("visit").max())
    assert (numbers["n"] == numbers["last"]).all()
    assert any(visitor.visits == [] for visitor in model.visitors)


def test_a_visitor_can_be_looked_at():
    """By name: attributes, signals, visits, and a timeline in text and as a table."""
    model = lived(Sent("out"))
    visitor = next(each for each in model.visitors if each.visits and each.persona)
    assert model.visitor(visitor.id) is visitor
    row = model.outcome.people.row(by_predicate=pl.col("anonymous_id") == visitor.id, named=True)
    assert (visitor.persona, visitor.device, visitor.country) == (row["persona"], row["device"], row["country"])
    assert visitor.country in visitor.__repr__()
    assert visitor.signals["log_session_minutes"] == 0.0
    timeline = visitor.trace()
    assert [what for _, _, what in timeline.rows] == [
        f"viewed {model._state.live_world.pages[visit.pages[0]].name}" for visit in visitor.visits
    ]
    assert str(timeline).splitlines()[0].startswith(f"visitor {visitor.id}, {visitor.persona} in {visitor.country}, ")
    assert "<td>viewed " in timeline._repr_html_()
    with pytest.raises(KeyError, match="there is no visitor 'nobody' so far"):
        model.visitor("nobody")


def test_who_has_not_come_cannot_act():
    """What needs a visit is refused before the first one."""
    model = lived(Sent("out"))
    visitor = Visitor(model._state.live_world, model.visitors[0]._cohort, 0, model.visitors[0]._hooks)
    for act in (visitor.submit, visitor.decide, visitor.request_demo, lambda: visitor.view("home")):
        with pytest.raises(ComponentError, match="a visitor who has not come yet cannot"):
            act()


class Lingering(Visitor):
    """Somebody who views a page after leaving."""

    def make(self, itinerary: Itinerary) -> Steps:
        """Make the visit, and one page more."""
        yield from super().make(itinerary)
        self.view("pricing")


class Impatient(Visitor):
    """Somebody who requests a demo on the first page."""

    def view(self, page: Page | str) -> None:
        """View it and request."""
        super().view(page)
        self.request_demo()


@pytest.mark.parametrize(
    ("visitor", "message"),
    [
        (Lingering, r"not on the site cannot view a page; come_back\(\) makes a visit"),
        (Impatient, "a demo can be requested at the end of a visit only"),
    ],
)
def test_who_acts_where_nobody_can_is_refused(visitor: type[Visitor], message: str):
    """No page view after the end of a visit and no request before it: truth and events would disagree."""
    with pytest.raises(ComponentError, match=message):
        lived(visitor=visitor)


@pytest.mark.parametrize("act", ["view", "submit", "track", "leave", "come_back", "request_demo"])
def test_who_is_asleep_can_only_be_looked_at(act: str):
    """Whom nothing touches lives by the plan, which no act of theirs could change."""
    world = WorldSettings.model_validate(HALF_DAY)
    model = Model(world, seed=2, active_agents="interacting").run(until=6.3)
    person = model._state._generator.drawn_again(model._state._admitted[0])[0].person_ids[0]
    visitor = model.visitor(person)
    assert visitor.now_ms == model.now_ms
    given = {"view": ("home",), "track": ("Chat Started",), "come_back": (model.now_ms, "home")}.get(act, ())
    with pytest.raises(ComponentError, match=f"visitor {person} lives as planned and cannot"):
        getattr(visitor, act)(*given)

"""Claims about components: their hooks, what they can do to visitors, and what is refused."""

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
import simpy
from acting import HALF_DAY, Diary, Everywhere, lived
from small_worlds import check_rebuilt, check_same

from analytics.events.times import HOUR_MS
from simulator.agents.component import Component, Effect, event_signal
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.components.live_chat import LiveChat
from simulator.engine.arrays import Bools
from simulator.errors import ComponentError
from simulator.model import Model
from simulator.settings.traffic import CampaignSettings
from simulator.settings.world import WorldSettings

Process = Generator[simpy.Event, Any, None]
Act = Callable[[Component, Visitor], Any]


class Touching(Diary):
    """A diary of the visitors of the pricing page only."""

    def touches(self, plan: Plan) -> Bools:
        """Visitors of the page."""
        return plan.views("pricing")


@pytest.mark.parametrize("active_agents", ["all", "interacting"])
def test_hooks_are_called_in_order_for_those_who_are_touched(active_agents: str):
    """Admission once, then for each visit its start, its pages and forms in turn, and its end; and for nobody else.

    Of several components each hook goes first to the first one.
    """
    model = lived(Touching("one"), Touching("two"), active_agents=active_agents)
    one, two = (model.components[name].notes for name in ("one", "two"))
    assert one == two
    # A visitor whose page views come after the end is touched if the plan says so within it.
    touched = {visitor.id for _, _, visitor, _ in one}
    pages = model.events.filter(pl.col("type") == "page")
    seen = set(pages.filter(pl.col("category") == "pricing")["anonymous_id"])
    assert {visitor.id for visitor in model.visitors if visitor.id in seen} <= touched
    assert len(touched) < model.outcome.counts["visitors"]
    of_each = defaultdict(list)
    for _, hook, visitor, page in one:
        of_each[visitor.id].append(hook if not page else f"{hook} {page}")
    for visitor in model.visitors:
        if visitor.id in touched:
            assert of_each[visitor.id] == list(expected_hooks(visitor, model._state.live_world.pages))


def expected_hooks(visitor: Visitor, pages: list[Page]) -> Generator[str, None, None]:
    """Hooks that a visitor's visits call, by what the visitor did."""
    yield "admits"
    for visit in visitor.visits:
        yield "on_visit_start"
        forms = {view for view, _ in visit.forms}
        for view, index in enumerate(visit.pages):
            name = pages[index].name
            yield f"before_view {name}"
            yield f"on_view {name}"
            if view in forms:
                yield f"before_submit {name}"
                yield f"on_submit {name}"
        if visit.end_ms >= 0:
            yield "on_visit_end"


class Slow(Everywhere):
    """Every page takes ten seconds before it is there."""

    def before_view(self, visitor: Visitor, page: Page) -> Process:
        """Wait."""
        yield self.env.timeout(seconds=10)


def test_a_hook_that_takes_time_delays_all_that_follows():
    """The n-th page of a visit comes n times as late, and so do forms and the end; the truth says so too."""
    settings = {"visits": {"return_rate": 0.0}, "clock": {"hours": 30}}
    usual, slow = lived(Everywhere("nothing"), **settings), lived(Slow("slow"), **settings)
    check_rebuilt(slow)
    for one, other in zip(usual.visitors, slow.visitors, strict=True):
        for before, after in zip(one.visits, other.visits, strict=False):
            if after.end_ms >= 0:
                late = 10_000 * (1 + np.arange(len(before.pages)))
                assert after.pages == before.pages
                assert (np.array(after.times_ms) - before.times_ms).tolist() == late.tolist()
                assert after.end_ms - before.end_ms == late[-1]
                assert [b - a for (_, a), (_, b) in zip(before.forms, after.forms, strict=True)] == [
                    late[view] for view, _ in before.forms
                ]


class FullBooked(Everywhere):
    """Refuses all forms."""

    def before_submit(self, visitor: Visitor, page: Page) -> bool:
        """No."""
        return False


def test_a_form_that_is_refused_was_not_sent():
    """Nobody is identified, and no signal says that something was downloaded."""
    model = lived(FullBooked("full"))
    visits = check_rebuilt(model)
    assert (model.events["type"] == "page").all()
    assert model.events["user_id"].is_null().all()
    assert not visits["white_paper_download"].any()


class Doorman(Component):
    """Lets in only those who come by a search engine."""

    def touches(self, plan: Plan) -> Bools:
        """Those who did not come by search, colleagues not among them."""
        return np.char.find(plan.channel, "search") < 0 if "invited" not in plan.source else plan.nobody

    def admits(self, visitor: Visitor) -> bool:
        """No."""
        return False


def test_who_is_refused_never_came_and_brings_nobody():
    """No events, no visits and no colleagues of those whom a component refuses."""
    population = {"accounts": 20, "account_rate": 1.0, "invitation_hours": 0.5}
    usual = lived(population=population)
    models = [lived(Doorman("door"), active_agents=how, population=population) for how in ("all", "interacting")]
    check_same(*models)
    people = models[0].outcome.people
    check_rebuilt(models[0])
    assert 0 < people.height < usual.outcome.people.height
    invited = people.filter(pl.col("invited_by").is_not_null())
    assert invited.height > 0
    # Colleagues of colleagues are not invited, so every inviter is an ordinary visitor who came.
    assert set(invited["invited_by"]) <= set(people["anonymous_id"])
    lost = usual.outcome.people.filter(~pl.col("anonymous_id").is_in(people["anonymous_id"].implode()))
    assert lost["invited_by"].is_not_null().any()


class Mail(Everywhere):
    """Everybody comes back half an hour after the first page, by a link."""

    def campaigns(self) -> Mapping[str, CampaignSettings]:
        """The link."""
        return {"mail": CampaignSettings(source="letter", medium="post", name="again")}

    def on_view(self, visitor: Visitor, page: Page) -> None:
        """Once."""
        if not visitor.state:
            visitor.state["mailed"] = True
            visitor.come_back(self.now_ms + HOUR_MS // 2, "careers", "mail")


def test_who_comes_back_makes_a_visit_of_their_own():
    """It lands where the link leads, its first page carries the UTM parameters, and numbers follow the time.

    It waits until a visit under way is over, and for the idle time that makes two visits of them.
    """
    model, usual = lived(Mail("mail"), clock={"hours": 24}), lived(clock={"hours": 24})
    visits = check_rebuilt(model)
    extra = [(each, visit) for each in model.visitors for visit in each.visits if visit.itinerary.row < 0]
    assert len(extra) > 100
    careers = model._state.live_world.page_named("careers").index
    links = model.events.filter(pl.col("context_campaign_source") == "letter")
    assert {visit.pages[0] for _, visit in extra} == {careers}
    assert links.height == len(extra)
    assert set(links.select("anonymous_id", "timestamp").iter_rows()) == {
        (each.id, model.clock.to_utc(visit.times_ms[0])) for each, visit in extra
    }
    assert visits.height > usual.outcome.visits.height
    for each in model.visitors:
        assert [visit.number for visit in each.visits] == list(range(1, len(each.visits) + 1))
        starts = [visit.times_ms[0] for visit in each.visits]
        assert starts == sorted(starts)
        for before, after in zip(each.visits, each.visits[1:], strict=False):
            assert after.times_ms[0] - before.last_event_ms >= HOUR_MS // 2


class Kept(Everywhere):
    """Keeps everybody on the first page for some minutes, with or without an event in between."""

    minutes, talks = 31.0, False
    events = ("Waited",)

    def on_view(self, visitor: Visitor, page: Page) -> Process:
        """Wait."""
        yield self.env.timeout(minutes=self.minutes / 2)
        if self.talks:
            visitor.track("Waited")
        yield self.env.timeout(minutes=self.minutes / 2)


def test_a_visit_that_analysts_would_split_is_refused():
    """Half an hour without an event is an error; with an event in between it is one visit for everybody."""
    with pytest.raises(ComponentError, match=r"kept for 3\d\.\d minutes without an event, and after 30 idle minutes"):
        lived(Kept("kept"))

    class Talking(Kept):
        talks = True

    model = lived(Talking("kept"), clock={"hours": 3}, visits={"return_rate": 0.0})
    assert check_rebuilt(model)["visit"].max() == 1


class Encouraging(Everywhere):
    """Moves the decisions by a fixed amount."""

    effect_range = (0.0, 2.0)
    by = 2.0

    def effect(self, visitor: Visitor) -> float:
        """The same for everybody."""
        return self.by


class TooEncouraging(Encouraging):
    """Moves them by more than it announced."""

    by = 2.1


EAGER = {"intent": {"target_conversion": 0.1}}


def test_an_effect_outside_its_range_is_refused():
    """What lies within moves decisions; who could be moved further may be asleep, so that is an error.

    An effect that no term names makes the true coefficients unknown.
    """
    usual, model = lived(**EAGER), lived(Encouraging("more"), **EAGER)
    assert model.outcome.counts["demo_requests"] > usual.outcome.counts["demo_requests"]
    assert model.truth.unknown == ("the component 'more' moves decisions by an effect that its terms() do not name",)
    assert not lived(LiveChat("chat"), **EAGER).truth.unknown
    with pytest.raises(ComponentError, match=r"component 'more': effect\(\) gave 2\.1, outside its effect_range of 0"):
        lived(TooEncouraging("more"), **EAGER)


def test_a_component_that_could_never_act_is_refused():
    """Hooks or an effect without touches() would do nothing to anybody."""

    class Idle(Component):
        def on_view(self, visitor: Visitor, page: Page) -> None:
            visitor.leave()

    with pytest.raises(ComponentError, match=r"component 'idle': it has hooks or an effect but no touches\(\)"):
        lived(Idle("idle"))


def test_a_term_is_seen_as_an_event_that_somebody_sends():
    """An event of another component or of the site may show it; one that nobody lists would be true for nobody."""

    class Sending(Encouraging):
        events = ("Met",)
        seen_as = "Met"

        def terms(self) -> Mapping[str, Effect]:
            return {"met": Effect(2.0, event_signal(self.seen_as))}

    class OfTheSite(Sending):
        seen_as = "White Paper Downloaded"

    class OfAnother(Sending):
        seen_as = "Live Chat Started"

    class Misspelt(Sending):
        seen_as = "Meet"

    assert list(lived(OfTheSite("own")).truth.coefficients)[-1] == "met"
    lived(OfAnother("own"), LiveChat("chat"))
    with pytest.raises(ComponentError, match=r"the term 'met' is seen as an event .* did you mean 'Met'\?$"):
        lived(Misspelt("own"))


class Noting(Encouraging):
    """Notes whom it is asked about, and pushes some up and some down."""

    effect_range = (-0.1, 2.0)

    def start(self) -> None:
        """Nobody so far."""
        self.asked: list[tuple[int, str]] = []

    def effect(self, visitor: Visitor) -> float:
        """By the parity of the visit."""
        self.asked.append((self.now_ms, visitor.id))
        return 2.0 if visitor.visits[-1].number % 2 else -0.1


@pytest.mark.parametrize("wait_effect", [0.0, -0.5])
def test_an_effect_wakes_only_those_whose_decision_it_can_change(wait_effect: float):
    """It is asked for at the same decisions, no matter who is on the clock, and never where its range leaves no doubt.

    Where the wait for a demo discourages, no request is sure, so those who would request anyway are awake too.
    """
    settings = {**EAGER, "sales": {"wait_effect_per_day": wait_effect}}
    everybody = lived(Noting("noting"), active_agents="all", **settings)
    few = lived(Noting("noting"), **settings)
    check_same(few, everybody)
    asked = few.components["noting"].asked
    assert asked == everybody.components["noting"].asked
    awake, sure = {visitor.id for visitor in few.visitors}, lived(**settings)
    assert {who for _, who in asked} <= awake
    assert len(awake) < len(everybody.visitors) / 2
    sleepers = set(sure.outcome.people["person_id"]) - awake
    requests = few.events.filter(pl.col("event") == "Demo Requested")["anonymous_id"]
    people = dict(few.outcome.people.select("anonymous_id", "person_id").iter_rows())
    assert bool(sleepers & {people[browser] for browser in requests}) == (wait_effect == 0)


@pytest.mark.parametrize(
    "mask", [True, np.ones(3, dtype=bool), [True], None], ids=["one value", "wrong length", "list", "nothing"]
)
@pytest.mark.parametrize("method", ["touches", "selects"])
def test_a_mask_of_another_shape_is_refused(method: str, mask: Any):
    """One truth value for each visitor; numbers are none either."""

    class Wrong(Everywhere):
        def start(self) -> None:
            if method == "selects":
                self.open_window(60.0)

    setattr(Wrong, method, lambda *_: mask)
    with pytest.raises(ComponentError, match=rf"'wrong': {method}\(\) must return one truth value for each of \d+ vis"):
        lived(Wrong("wrong"))


def acting(act: Act) -> Component:
    """Component that acts on every visitor at every page."""

    class Acting(Everywhere):
        events = ("Chat Started",)
        server_events = ("Mail Sent",)

        def campaigns(self) -> Mapping[str, CampaignSettings]:
            return {"letter": CampaignSettings(source="a", medium="b")}

        def on_view(self, visitor: Visitor, page: Page) -> None:
            act(self, visitor)

    return Acting("acting")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda _, v: v.track("Chat Startet"), "no event 'Chat Startet'.*did you mean 'Chat Started'"),
        (lambda _, v: v.view("pricng"), "no page 'pricng'.*did you mean 'pricing'"),
        (lambda c, v: v.come_back(c.now_ms, "pricng"), "did you mean 'pricing'"),
        (lambda c, v: v.come_back(c.now_ms, "home", "lettr"), "no campaign 'lettr'.*did you mean 'letter'"),
        (lambda _, v: (v.view("pricing"), v.submit()), "page 'pricing' has no form"),
    ],
    ids=["event", "page", "landing page", "campaign", "form"],
)
def test_what_does_not_exist_is_named_with_advice(act: Act, message: str):
    """An unknown event, page or campaign is an error that says which one was probably meant."""
    with pytest.raises(ComponentError, match=f"(?i){message.removeprefix('no ')}"):
        lived(acting(act))


class Letter(Everywhere):
    """Tracks an event a day after everybody's first page."""

    server_events = ("Letter Sent",)
    events = ("Letter Read",)
    sent = "Letter Sent"

    def on_visit_end(self, visitor: Visitor) -> None:
        """Send it later."""
        self.env.process(self._send(visitor))

    def _send(self, visitor: Visitor) -> Process:
        yield self.env.timeout(minutes=10)
        visitor.track(self.sent, color="blue")


class BadLetter(Letter):
    """The same with an event of the browser."""

    sent = "Letter Read"


def test_browsers_send_events_on_the_site_only_and_servers_always():
    """Servers' events pass ad blockers and start no visit; a browser sends none from elsewhere."""
    tracking = {"ad_blocker_rate": {"desktop": 1.0, "mobile": 1.0}}
    model = lived(Letter("post"), visits={"return_rate": 0.0})
    letters = model.events.filter(pl.col("event") == "Letter Sent")
    assert letters.height > 100
    assert set(letters["extra"]) == {'{"properties":{"color":"blue"}}'}
    check_rebuilt(model)
    blocked = lived(Letter("post"), visits={"return_rate": 0.0}, tracking=tracking).events
    assert (blocked["type"] == "page").sum() < (model.events["type"] == "page").sum() / 2
    assert blocked.filter(pl.col("event") == "Letter Sent")["message_id"].equals(letters["message_id"])
    with pytest.raises(ComponentError, match="not on the site cannot track 'Letter Read' from the browser"):
        lived(BadLetter("post"))


def test_names_are_given_once():
    """Two components of one name, and events with a name of the site's, are errors before the clock starts."""
    world = WorldSettings.model_validate(HALF_DAY)
    with pytest.raises(ComponentError, match="two components have the name 'chat'"):
        Model(world, components=[LiveChat("chat"), LiveChat("chat", agents=1)])

    class Requesting(Component):
        events = ("Demo Requested",)

    with pytest.raises(ComponentError, match="Requesting: 'Demo Requested' is an event of the site"):
        Model(world, components=[Requesting()])


class Evening(Diary):
    """Acts from the fourth to the sixth hour, on visitors of the pricing page."""

    def touches(self, plan: Plan) -> Bools:
        """Visitors of the page."""
        return plan.views("pricing")

    def selects(self, plan: Plan, since_ms: int, until_ms: int) -> Bools:
        """Those of the time."""
        return plan.views("pricing", since_ms, until_ms)

    def start(self) -> Process:  # type: ignore[override]  # a process
        """Open the window."""
        super().start()
        return self._open()

    def _open(self) -> Process:
        yield self.env.timeout(hours=3)
        self.open_window(120.0)


def test_who_is_woken_late_is_met_in_the_window_only():
    """Hooks are called within it, for those whom the plan names there; before it nobody is awake."""
    models = [lived(Evening("evening"), active_agents=how) for how in ("all", "interacting")]
    check_same(*models)
    check_rebuilt(models[0])
    every, few = ([(*note[:2], note[2].id, note[3]) for note in model.components["evening"].notes] for model in models)
    start, end = 3 * HOUR_MS + 1, 5 * HOUR_MS + 1
    assert every
    assert all(start <= note[0] < end for note in every)
    on_page = {note for note in every if note[1] == "on_view" and note[3] == "pricing"}
    assert on_page == {note for note in few if note[1] == "on_view" and note[3] == "pricing"}
    assert {note[2] for note in on_page} == {visitor.id for visitor in models[1].visitors} & {note[2] for note in few}
    assert len(models[1].visitors) < len(models[0].visitors) / 2
    # Until now they slept: what they did before is in their past, as if they had been awake.
    awake = {visitor.id: visitor for visitor in models[0].visitors}
    for visitor in models[1].visitors:
        assert str(visitor.trace()) == str(awake[visitor.id].trace())


def test_a_sleeper_looks_like_somebody_awake():
    """At any moment, whoever is not on the clock has the past, page, device and signals of whoever is."""
    world = WorldSettings.model_validate({**HALF_DAY, "intent": {"target_conversion": 0.3}})
    asleep = Model(world, seed=2, active_agents="interacting")
    awake = Model(world, seed=2, active_agents="all", components=[Everywhere("nothing")])
    for hours in (2.9, 7.0):
        asleep.run(hours), awake.run(hours)
        seen = [visitor for visitor in awake.visitors if visitor.visits]
        assert any(visitor.has_requested for visitor in seen)
        for visitor in seen[:: max(1, len(seen) // 40)]:
            other = asleep.visitor(visitor.id)
            assert str(other.trace()) == str(visitor.trace()).replace("<Visitor", "<SleepingVisitor")
            for name in ("signals", "device", "page", "has_requested", "country", "account", "invited_by"):
                assert getattr(other, name) == getattr(visitor, name), name
    assert not asleep.visitors


class Survey(Everywhere):
    """Asks everybody for ten minutes at the end of each visit."""

    def on_visit_end(self, visitor: Visitor) -> Process:
        """Ask."""
        yield self.env.timeout(minutes=10)


def test_who_decides_after_a_survey_is_known_to_colleagues_from_then_on():
    """Visits of colleagues that end while the survey lasts are still at risk: the request comes after it."""
    one_each = {"intent": {"target_conversion": 0.3, "conversion_unit": "account"}, "population": {"accounts": 10}}
    model = lived(Survey("survey"), **one_each)
    assert model.outcome.counts["demo_requests"] > 5
    check_rebuilt(model)


class Promising(Everywhere):
    """Names a true effect."""

    def terms(self) -> Mapping[str, Effect]:
        """An effect of 1.2."""
        return {"promise": Effect(1.2, event_signal("Promise Made"))}


class Moving(Promising):
    """Moves decisions as promised."""

    def effect(self, visitor: Visitor) -> float:
        """1.2."""
        return 1.2


class Narrow(Moving):
    """Announces less than it promises."""

    effect_range = (0.0, 1.0)


class Upside(Moving):
    """Has the bounds the wrong way round."""

    effect_range = (1.2, 0.0)


class Waiting(Everywhere):
    """Cannot decide at once."""

    effect_range = (0.0, 1.0)

    def effect(self, visitor: Visitor) -> Any:
        """Nothing yet."""


class Undecided(Everywhere):
    """Answers with nothing."""

    def before_submit(self, visitor: Visitor, page: Page) -> Any:
        """Forget to answer."""


class Listed(Everywhere):
    """Has its events as one text."""

    events = "Oops"


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (Promising, r"'wrong': terms\(\) names 'promise', but no effect\(\) moves a decision"),
        (Moving, r"'wrong': it has an effect\(\) but no effect_range"),
        (Narrow, "the true effect of 'promise' is 1.2, outside its effect_range of 0 to 1"),
        (Upside, r"'wrong': effect_range must be \(smallest, largest\), not \(1.2, 0.0\)"),
        (Waiting, r"'wrong': effect\(\) gave None, which is no number"),
        (Undecided, r"Undecided\.before_submit\(\) must return True or False, and cannot wait; it returned None"),
        (Listed, r"events are a sequence of names, such as \('Oops',\)"),
    ],
)
def test_what_contradicts_itself_is_refused(component: type[Component], message: str):
    """An effect that nobody asks for, a true effect out of range and an answer that is none would be wrong silently."""
    with pytest.raises(ComponentError, match=message):
        lived(component("wrong"), **EAGER)


def test_nobody_comes_back_into_the_past():
    """A visit begins now or later."""
    with pytest.raises(ComponentError, match=r"a visitor cannot come back at \d+ ms: it is \d+ already"):
        lived(acting(lambda c, v: v.come_back(c.now_ms - 1, "home")))


def test_properties_have_to_be_json():
    """A set cannot be sent."""
    with pytest.raises(ComponentError, match="'Chat Started': its properties must be JSON"):
        lived(acting(lambda _, v: v.track("Chat Started", topics={"prices"})))

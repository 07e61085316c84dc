"""Claims about the built-in components: queues, seats and agents are what they are called."""

from collections import defaultdict
from itertools import pairwise

import polars as pl
import pytest
from acting import Diary, lived
from small_worlds import check_rebuilt

from analytics.events.times import HOUR_MS
from simulator.agents.randomness import VisitorRandom
from simulator.components.live_chat import LiveChat
from simulator.components.nurture_email import NurtureEmail
from simulator.components.web_server import WebServer
from simulator.components.webinar import Webinar
from simulator.model import Model

ONE_BROWSER = {"population": {"second_device_rate": 0.0}, "traffic": {"visitors_per_day": 1200}}


def test_the_web_server_follows_lindley():
    """With one process each page is ready when the one before is, or when it is asked for, plus its own time."""
    server = WebServer("web", capacity=1, mean_seconds=8.0, patience_seconds=9000.0)
    model = lived(Diary("diary"), server, visits={"return_rate": 0.0})
    asked = [(at, who) for at, hook, who, _ in model.components["diary"].notes if hook == "before_view"]
    viewed = defaultdict(list)
    for visitor in model.visitors:
        viewed[visitor.id] = [time for visit in visitor.visits for time in visit.times_ms]
    services = {
        who.id: VisitorRandom(who._cohort.uniforms("component:web/service"), who._cohort.rows[who._row])
        for _, who in asked
    }
    ready_ms, n_waits = 0, 0
    for at_ms, who in asked:
        n_waits += at_ms < ready_ms
        ready_ms = max(ready_ms, at_ms) + round(1000 * services[who.id].exponential(8.0))
        if ready_ms >= model.clock.length_ms:
            break
        assert viewed[who.id].pop(0) == ready_ms
    assert n_waits > 30


def test_who_waits_too_long_leaves():
    """No page is later than the patience and its own time; with little patience fewer pages are seen."""
    patient, hasty = (
        lived(WebServer("web", capacity=1, mean_seconds=20.0, patience_seconds=seconds), **ONE_BROWSER)
        for seconds in (600.0, 1.0)
    )
    check_rebuilt(hasty)
    assert hasty.outcome.counts["page_views"] < patient.outcome.counts["page_views"]
    assert hasty.outcome.counts["visitors"] < patient.outcome.counts["visitors"]


@pytest.mark.parametrize("seats", [3, 6])
def test_a_webinar_has_no_more_guests_than_seats(seats: int):
    """Seats are given one by one until none is left, nobody registers after it has begun, and guests have a seat."""
    model = lived(Webinar("webinar", seats=seats, at_hour=9.0, attend_rate=0.5), **ONE_BROWSER)
    check_rebuilt(model)
    event = pl.col("event").cast(pl.String)
    registered = model.events.filter(event == "Webinar Registered")
    attended = model.events.filter(event == "Webinar Attended")
    assert registered["anonymous_id"].n_unique() == seats
    assert model.components["webinar"].free == 0
    assert (registered["timestamp"] < model.clock.to_utc(9 * HOUR_MS)).all()
    assert (attended["timestamp"] == model.clock.to_utc(9 * HOUR_MS)).all()
    assert set(attended["anonymous_id"]) <= set(registered["anonymous_id"])
    assert attended["anonymous_id"].is_unique().all()
    late = lived(Webinar("webinar", seats=10_000, at_hour=9.0), **ONE_BROWSER)
    times = late.events.filter(event == "Webinar Registered")["timestamp"]
    assert late.clock.to_utc(8 * HOUR_MS) < times.max() < late.clock.to_utc(9 * HOUR_MS)


def chats(model: Model) -> list[tuple[int, int]]:
    """Start and end of each chat in ms; the end of the clock for those under way."""
    found = []
    for visitor in model.visitors:
        times = [time for visit in visitor.visits for time, _ in visit.tracked]
        found += [(begin, end) for begin, end in zip(times[::2], [*times[1::2], model.clock.length_ms], strict=False)]
    return found


@pytest.mark.parametrize("agents", [1, 2])
def test_an_agent_chats_with_one_visitor_at_a_time(agents: int):
    """Never are there more chats at a time than agents, and in a busy world there are as many."""
    model = lived(LiveChat("chat", agents=agents, wants_rate=1.0), **ONE_BROWSER)
    check_rebuilt(model)
    # At one moment, a chat that ends makes room for one that begins.
    changes = sorted([(begin, 1) for begin, _ in chats(model)] + [(end, -1) for _, end in chats(model)])
    busy, most = 0, 0
    for _, change in changes:
        busy += change
        most = max(most, busy)
    assert most == agents
    assert len(chats(model)) > 20


def test_a_chat_begins_soon_or_not_at_all_and_once():
    """Who waits for an agent longer than they like goes on without one; nobody chats twice or beyond 25 minutes."""
    model = lived(LiveChat("chat", agents=1, wants_rate=1.0, patience_seconds=30.0), **ONE_BROWSER)
    pricing = model._state.live_world.page_named("pricing").index
    n_served = 0
    for visitor in model.visitors:
        views = [
            time
            for visit in visitor.visits
            for time, page in zip(visit.times_ms, visit.pages, strict=True)
            if page == pricing
        ]
        tracked = [note for visit in visitor.visits for note in visit.tracked]
        assert [event for _, event in tracked] in ([], ["Live Chat Started"], ["Live Chat Started", "Live Chat Ended"])
        if tracked:
            n_served += 1
            assert 0 <= tracked[0][0] - views[0] <= 30_000
            assert all(end - begin <= 25 * 60_000 for (begin, _), (end, _) in pairwise(tracked))
    assert 20 < n_served < sum(pricing in visit.pages for each in model.visitors for visit in each.visits)


def test_an_email_brings_a_visit_with_its_parameters():
    """After the delay, to its page, once for each address; who has requested a demo gets none."""
    mail = NurtureEmail("mail", delay_hours=2.0, click_rate=1.0, read_hours=0.2)
    model = lived(mail, intent={"target_conversion": 0.2}, clock={"hours": 20}, **ONE_BROWSER)
    check_rebuilt(model)
    event = pl.col("event").cast(pl.String)
    forms = (
        model.events.filter(event == "White Paper Downloaded").sort("timestamp").unique("anonymous_id", keep="first")
    )
    links = model.events.filter(pl.col("context_campaign_name") == "nurture")
    assert links.height > 10
    assert links["anonymous_id"].is_unique().all()
    assert set(links["context_campaign_source"]) == {"newsletter"}
    assert set(links["category"]) == {model.world.site.pages["product"].category}
    both = links.join(forms, on="anonymous_id", suffix="_form")
    assert both.height == links.height
    assert ((both["timestamp"] - both["timestamp_form"]).dt.total_milliseconds() >= 2 * HOUR_MS).all()
    asked = model.events.filter(event == "Demo Requested").join(links, on="anonymous_id", suffix="_link")
    assert (asked["timestamp"] > asked["timestamp_link"]).all()

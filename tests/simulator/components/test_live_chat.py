"""Claims about live chat."""

import polars as pl
import pytest
from pydantic import ValidationError

from simulator.components.live_chat import LiveChat
from tests.helpers.component_runs import assert_truth_is_what_was_seen, requesters, run_with, tracked


def test_no_agent_chats_with_two_visitors() -> None:
    """With two agents, at most two chats are in progress at any time; with many visitors, both agents are busy."""
    model = run_with(LiveChat("chat", agents=2, wants_rate=1.0, mean_minutes=10.0))
    steps = pl.concat(
        tracked(model, event).select("timestamp", change=pl.lit(change))
        # Whoever ends makes room for whoever starts in the same millisecond.
        for event, change in (("Live Chat Ended", -1), ("Live Chat Started", 1))
    ).sort("timestamp", maintain_order=True)
    assert steps["change"].cum_sum().max() == 2
    assert model.components["chat"].measures()["gave_up"] > 50


def test_a_chat_moves_the_decision() -> None:
    """With an effect of 50 everybody who has ended a chat requests a demo or is still on the page; with −50 nobody."""
    for effect, all_request in ((50.0, True), (-50.0, False)):
        model = run_with(LiveChat("chat", agents=50, wants_rate=1.0, effect=effect))
        over = set(tracked(model, "Live Chat Ended")["anonymous_id"])
        # Half an hour before the end: time enough to come to a decision.
        ended = [v for v in model.visitors if v.id in over and all(visit.end_ms >= 0 for visit in v.visits)]
        assert len(ended) > 50
        assert {v.has_requested for v in ended} == {all_request}


@pytest.mark.parametrize("settings", [{"mean_minutes": 500.0}, {"agents": 1, "patience_seconds": 1500.0}])
def test_no_chat_and_no_wait_tears_a_visit_in_two(settings: dict[str, float]) -> None:
    """Chats that would last for hours end after 25 minutes, and waits of 25 minutes shorten the time for reading."""
    model = run_with(LiveChat("chat", wants_rate=1.0, **settings))
    assert_truth_is_what_was_seen(model)
    both = tracked(model, "Live Chat Started").join(tracked(model, "Live Chat Ended"), on="anonymous_id", suffix="_end")
    minutes = (both["timestamp_end"] - both["timestamp"]).dt.total_milliseconds() / 60_000
    assert minutes.max() <= 25


def test_nobody_waits_for_more_than_25_minutes() -> None:
    """A longer patience is refused."""
    with pytest.raises(ValidationError, match="less than or equal to 1500"):
        LiveChat("chat", patience_seconds=1501.0)


def test_visitors_who_do_not_want_to_chat_live_as_planned() -> None:
    """If nobody wants to, nothing is different from a world without a chat."""
    with_chat, without = run_with(LiveChat("chat", wants_rate=0.0)), run_with()
    assert with_chat.events.equals(without.events)
    assert requesters(without)

"""Foreign names for events that the tracking plan knows."""

import pytest
from flat_events import make_events
from pydantic import ValidationError

from analytics.events.tracking_plan import EventName
from analytics.settings import AnalyticsSettings
from analytics.statistics.event_names import most_frequent, near_names, renamed, unknown_names

THEIRS = "Demo Request Submitted"


def test_foreign_events_are_called_as_ours():
    """Only `track` calls of that very name are renamed; all else stays as it is."""
    track = {"type": "track", "event": THEIRS}
    frame = make_events(track, track | {"event": "Signed Up"}, {"type": "screen", "event": THEIRS}, {})
    named = renamed(frame, {THEIRS: EventName.DEMO_REQUESTED})
    assert named["event"].to_list() == ["Demo Requested", "Signed Up", THEIRS, None]
    assert named.drop("event").equals(frame.drop("event"))
    assert named.schema == frame.schema
    assert renamed(frame, {}) is frame


def test_unknown_names_are_listed_by_how_common_they_are():
    """The commonest first, equals by name; ours are known."""
    names = ["b", "a", "b", "c", "Demo Requested"]
    frame = make_events(*({"type": "track", "event": name} for name in names), {"event": "page"})
    assert most_frequent(unknown_names(frame)) == [("b", 2), ("a", 1), ("c", 1)]


def test_names_are_given_ours_only():
    """A name that the tracking plan does not know cannot be what an event is called."""
    with pytest.raises(ValidationError, match="there is no event 'Demo requested'; did you mean 'Demo Requested'"):
        AnalyticsSettings(event_names={THEIRS: "Demo requested"})


@pytest.mark.parametrize(
    ("theirs", "ours"),
    {
        "Demo Request": "Demo Requested", "demo requested": "Demo Requested", "Requested Demo": "Demo Requested",
        "demo_requested": "Demo Requested", "DemoRequested": "Demo Requested", "Requested a Demo": "Demo Requested",
        "Whitepaper Download": "White Paper Downloaded", "deal_won": "Deal Won", "schedule_demo": "Demo Scheduled",
        "demorequested": "Demo Requested", "DEMORequested": "Demo Requested", "Demo Reqeusted": "Demo Requested",
        "Demo Rescheduled": None, "Demo Watched": None, "Signed Up": None, "Deal Lost": None,
    }.items(),
)  # fmt: skip
def test_names_near_ours(theirs: str, ours: str | None):
    """Order, tense, case and punctuation make no difference; another word does."""
    track = {"type": "track", "event": theirs}
    found = near_names(unknown_names(make_events(track, track, track | {"event": "Demo Requested"})))
    assert [(near.theirs, near.ours, near.n_events) for near in found] == ([(theirs, ours, 2)] if ours else [])

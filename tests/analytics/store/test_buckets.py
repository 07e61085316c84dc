"""Claims about the revisions of hours that were reported before, and their final reports."""

from datetime import datetime, timedelta

from flat_events import START, make_events
from hypothesis import HealthCheck, given, settings, strategies as st

from analytics.store.buckets import HourBucket
from analytics.store.event_store import EventStore

HOUR = timedelta(hours=1)


def test_views_carry_revision_and_finality():
    """A table of views says of each row's hour which report of it this is; hours of the window are not final."""
    store = EventStore()
    store.append(make_events({"at": 0, "category": "docs"}, {"at": 1, "category": "docs"}))
    store.views("page_group")
    store.append(make_events({"at": 0.2, "category": "pricing", "message_id": "x"}))
    rows = store.views("page_group").select("page_group", "page_views", "revision", "final").rows()
    assert rows == [("docs", 1, 1, False), ("pricing", 1, 1, False), ("docs", 1, 0, False)]


def test_an_hour_that_has_left_is_final():
    """An evicted hour is final, with the revision that its last change earned it; the window's hours never are."""
    evicted: list[HourBucket] = []
    store = EventStore(2, on_evict=evicted.append)
    store.append(make_events({"at": 0}))
    assert not store.buckets[-1].final
    store.append(make_events({"at": 0.5, "message_id": "x"}))
    store.advance_to(START + 2 * HOUR)
    assert [(each.start, each.n_events, each.revision, each.final) for each in evicted] == [(START, 2, 1, True)]


def test_final_reports_of_evicted_hours_can_be_read():
    """With `evicted` the report begins with the hours that have left last, empty ones too, and they are final."""
    store = EventStore(3)
    store.append(make_events({"at": 0}, {"at": 2}))
    store.advance_to(START + 4 * HOUR)
    report = store.hourly(evicted=True)
    assert [(hour - START) // HOUR for hour in report["hour"]] == [-1, 0, 1, 2, 3, 4]
    assert report["n_events"].to_list() == [0, 1, 0, 1, 0, 0]
    assert report["final"].to_list() == [True] * 3 + [False] * 3
    store.advance_to(START + 8 * HOUR)
    assert store.hourly(evicted=True)["n_events"].to_list() == [0] * 6


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.one_of(st.none(), st.integers(0, 12)), max_size=25))
def test_reports_of_one_revision_are_the_same(steps: list[int | None]):
    """Whenever one reads (None) or what comes in (an event in some hour): equal revisions of an hour are equal rows."""
    store = EventStore(8)
    seen: dict[tuple[datetime, int], tuple[int, ...]] = {}
    newest: dict[datetime, int] = {}
    for number, step in enumerate([*steps, None]):
        if step is not None:
            store.append(make_events({"at": step, "message_id": f"{number}"}))
            continue
        for hour, *counts, revision, _, _ in store.hourly(evicted=True).rows():
            assert seen.setdefault((hour, revision), tuple(counts)) == tuple(counts)
            assert revision >= newest.get(hour, 0)
            newest[hour] = revision

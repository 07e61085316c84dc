"""Claims about the webinar."""

from analytics.events.times import HOUR_MS
from analytics.sessions.visits import visit_table
from simulator.components.webinar import Webinar
from tests.helpers.component_runs import assert_truth_is_what_was_seen, hours, run_with, tracked


def test_seats_are_never_oversold() -> None:
    """Where more want to come than there are seats, exactly the seats are taken, each by one person."""
    n_want = len(tracked(run_with(), "Webinar Registered"))
    for seats in (1, 7, n_want + 100):
        model = run_with(Webinar("webinar", seats=seats, at_hour=1000.0))
        registered = tracked(model, "Webinar Registered")["anonymous_id"].n_unique()
        assert registered == min(seats, n_want)
        assert model.components["webinar"].measures()["seats_left"] == seats - registered


def test_the_form_closes_when_the_webinar_begins() -> None:
    """Nobody registers from then on; some of those who registered attend, at that time."""
    model = run_with(Webinar("webinar", seats=1000, at_hour=14.5, attend_rate=0.5))
    registered, attended = tracked(model, "Webinar Registered"), tracked(model, "Webinar Attended")
    assert max(hours(model, registered["timestamp"])) < 14.5
    assert set(hours(model, attended["timestamp"])) == {14.5}
    assert set(attended["anonymous_id"]) < set(registered["anonymous_id"])
    assert_truth_is_what_was_seen(model)


def test_nobody_attends_a_webinar_after_the_end() -> None:
    """One that begins after the end of the simulation is only registered for."""
    model = run_with(Webinar("webinar", at_hour=25.0, attend_rate=1.0))
    assert len(tracked(model, "Webinar Registered")) > 0
    assert len(tracked(model, "Webinar Attended")) == 0


def test_attending_moves_later_decisions() -> None:
    """With an effect of 50, everybody who has attended requests a demo at the end of the next visit."""
    model = run_with(
        Webinar("webinar", seats=1000, at_hour=10.0, attend_rate=1.0, effect=50.0),
        traffic={"visitors_per_day": 4000.0},
        visits={"return_rate": 0.9, "gap_hours": 1.0},
    )
    attended = set(tracked(model, "Webinar Attended")["anonymous_id"])
    returned = [v for v in model.visitors if v.id in attended and v.visits[-1].end_ms > 10 * HOUR_MS]
    assert len(returned) > 5
    assert all(visitor.has_requested for visitor in returned)


def test_attendance_is_a_signal_only_of_visits_decided_after_it() -> None:
    """Who attends within half an hour after a visit has it as a signal from the next visit on."""
    webinar = Webinar("webinar", seats=5000, attend_rate=1.0, at_hour=12.0)
    model = run_with(webinar, traffic={"visitors_per_day": 4000.0}, visits={"return_rate": 0.9, "gap_hours": 1.0})
    signal = webinar.terms()["webinar_attended"].seen_as.signal("attended")
    seen = visit_table(model.events, signals=(signal,), conversion_unit="visitor").filter("attended")
    ends = {(visitor.id, visit.number): visit.end_ms for visitor in model.visitors for visit in visitor.visits}
    rows = list(seen.select("anonymous_id", "visit").iter_rows())
    assert len(rows) > 5
    assert all(ends[row] >= 12 * HOUR_MS for row in rows)

"""Claims about the discount banner."""

from simulator.components.discount_banner import DiscountBanner
from tests.helpers.component_runs import assert_truth_is_what_was_seen, requesters, run_with, tracked


def test_it_is_seen_in_its_windows_only() -> None:
    """Everybody who sees it does so while it is switched on, once, and everybody who views the page then sees it."""
    model = run_with(DiscountBanner("banner", shown_below=2, minutes=20.0))
    banner, shown = model.components["banner"], tracked(model, "Discount Shown")
    assert 20 < shown.height == shown["anonymous_id"].n_unique() == banner.measures()["seen_by"]
    views = model.events.filter((model.events["type"] == "page") & (model.events["category"] == "pricing"))
    start = model.clock.start

    def in_window(table: object) -> set[str]:
        found = set()
        for person, time in table.select("anonymous_id", "timestamp").iter_rows():  # type: ignore[attr-defined]
            at_ms = (time - start).total_seconds() * 1000
            if any(since_ms <= round(at_ms) < until_ms for since_ms, until_ms in banner.windows):
                found.add(person)
        return found

    assert in_window(shown) == set(shown["anonymous_id"]) == in_window(views)
    assert_truth_is_what_was_seen(model)


def test_it_is_not_shown_to_a_busy_team() -> None:
    """While as many requests wait as it needs, it stays off: with nobody to answer, it is shown in the morning only."""
    closed = {"teams": {"default": {"weekdays": ["sunday"], "sdrs": {"headcount": 1}}}}
    model = run_with(DiscountBanner("banner", shown_below=5), sales=closed)
    fifth = tracked(model, "Demo Requested")["timestamp"][4]
    last_opened = max(since_ms for since_ms, _ in model.components["banner"].windows)
    assert 0 < last_opened <= (fifth - model.clock.start).total_seconds() * 1000 + 1


def test_who_has_seen_it_is_moved() -> None:
    """With an effect of 50, everybody who has seen it and left requests a demo."""
    model = run_with(DiscountBanner("banner", shown_below=100_000, check_minutes=1.0, effect=50.0))
    seen = set(tracked(model, "Discount Shown")["anonymous_id"])
    left = {v.id for v in model.visitors if v.id in seen and v.visits and v.visits[-1].end_ms >= 0}
    assert len(left) > 20
    assert left <= {v.id for v in model.visitors if v.has_requested}
    assert requesters(model)

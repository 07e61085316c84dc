"""Claims about what is known of pages, and what is said of the rest."""

from __future__ import annotations

from flat_events import Row, event, events_of, view

from analytics.analysis import Analysis
from analytics.settings import AnalyticsSettings
from analytics.statistics.page_coverage import PageCoverage


def coverage(*rows: Row, **settings: object) -> PageCoverage:
    """What is known of the pages of these events."""
    return Analysis(lambda: events_of(*rows), AnalyticsSettings.model_validate(settings)).pages


def views(*paths: str, **columns: object) -> list[Row]:
    """A view of each path, by a visitor each."""
    return [view(n, f"v{n}", context_page_path=path, **columns) for n, path in enumerate(paths)]


def test_pages_without_category_and_stage_are_listed_by_count() -> None:
    """A long list is cut, and says so; bots do not count."""
    rows = views("/a", "/b/", "/B", *(f"/x{n:02}" for n in range(60)))
    found = coverage(*rows, view(0, "bot", context_page_path="/c", context_user_agent="Googlebot/2.1"))
    assert found.unmapped.row(0) == ("/b", 2, 2)
    data = found.to_dict()
    assert (data["page_views"], data["with_stage"], data["n_unmapped"], len(data["unmapped"])) == (63, 0, 62, 50)
    (warning,) = found.warnings
    assert warning.startswith("no page has a category or a funnel stage, so content and the funnel are unknown: ")
    assert "the pages are /b (2), /a (1), /x00 (1)" in warning
    assert "and 52 more (funnelsim map proposes a mapping of pages for --pages)" in warning


def test_pages_of_several_hosts_are_told_apart() -> None:
    """With the host before the path."""
    rows = [view(n, context_page_url=url) for n, url in enumerate(("https://acme.io/", "https://docs.acme.io/"))]
    assert coverage(*rows).unmapped["page"].to_list() == ["acme.io/", "docs.acme.io/"]


def test_what_is_known_in_part_is_counted() -> None:
    """Of three views one has a stage; all have categories."""
    rows = [*views("/a", "/b", category="x"), *views("/c", category="x", funnel_stage="top")]
    assert coverage(*rows).warnings == (
        "2 of 3 page views (66.7%) have no funnel stage (funnelsim map proposes a mapping of pages for --pages)",
    )
    (both,) = coverage(*views("/a", "/b"), *views("/c", category="x", funnel_stage="top")).warnings
    assert both.startswith("2 of 3 page views (66.7%) have no category or funnel stage (funnelsim map")
    (only_stages,) = coverage(*views("/a", funnel_stage="top")).warnings
    assert only_stages.startswith("no page has a category, so content is unknown (")
    assert coverage(*views("/c", category="x", funnel_stage="top")).warnings == ()
    assert coverage().warnings == ()


def test_a_mapping_says_what_it_does_not_cover() -> None:
    """Pages in no rule, rules of no page, steps that nobody takes; pages of a rule without category are no question."""
    rules = {"/a": {}, "/b*": {"category": "x", "stage": "top"}, "/b/c": {"stage": "top"}, "/pricng": {"stage": "top"}}
    funnel = [{"step": "visit", "page": "*"}, {"step": "demo", "event": "Demo Requsted"}]
    found = coverage(*views("/a", "/b", "/b/c", "/d"), event(0, "Demo Requested", "v0"), pages=rules, funnel=funnel)
    assert found.warnings == (
        "2 of 4 page views (50.0%) have no category (funnelsim map proposes a mapping of pages for --pages)",
        "1 of 4 page views are in no rule of analytics.pages: /d (1)",
        "analytics.pages: no page of these events has '/b/c', '/pricng' as the first glob that matches",
        "analytics.funnel: no event takes the step 'demo'",
    )


def test_a_category_that_is_nearly_a_built_in_one_is_named() -> None:
    """Else the signal that reads it would be missing without a word; others are one's own."""
    pages = {"/trust": {"category": "securty", "stage": "top"}, "*": {"category": "docs", "stage": "top"}}
    (warning,) = coverage(*views("/trust", "/docs"), pages=pages).warnings
    assert warning.startswith("analytics.pages: category 'securty' is near 'security'")


def test_an_own_definition_replaces_a_built_in_signal() -> None:
    """In its place, under its name, in interactions too; and the notes say so."""
    own = {"pricing_page_view": {"kind": "attribute", "attribute": "page", "equals": ["/preise"]}}
    settings = AnalyticsSettings.model_validate({"signals": own, "interactions": ["region_europe:pricing_page_view"]})
    rows = [view(0, "ann", context_page_path="/preise"), view(0, "bob", category="pricing")]
    analysis = Analysis(lambda: events_of(*rows), settings)
    assert dict(analysis.visits.select("anonymous_id", "pricing_page_view").iter_rows()) == {"ann": True, "bob": False}
    assert analysis.visits.columns.count("pricing_page_view") == 1
    assert analysis.notes == ("own definitions replace built-in signals: pricing_page_view",)
    assert settings.redefined_signals == {"pricing_page_view"}


def test_charts_and_notebooks_say_that_the_funnel_is_unknown() -> None:
    """No bar of 0 and no bar of everybody: a word instead, and the way out beside the tables."""
    analysis = Analysis(lambda: events_of(*views("/a", "/b")), AnalyticsSettings())
    drawn = analysis.charts.funnel().svg
    assert drawn.count("unknown") == 3
    assert "100%" not in drawn
    assert "funnelsim map proposes a mapping of pages" in analysis._repr_html_()
    mapped = Analysis(
        lambda: events_of(*views("/a", "/b")), AnalyticsSettings.model_validate({"pages": {"/a": {"stage": "top"}}})
    )
    assert "unknown" not in mapped.charts.funnel().svg

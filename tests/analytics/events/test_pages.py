"""Claims about globs of pages, and the categories and stages that a mapping gives."""

from __future__ import annotations

import polars as pl
import pytest
from flat_events import Row, event, events_of, view

from analytics.events.enrichment import enrich
from analytics.events.pages import PageRule, address, addresses, checked_glob, matching, with_pages


def at(place: str, **columns: object) -> Row:
    """A page view with a path, or with an address alone."""
    name = "context_page_url" if "://" in place else "context_page_path"
    return view(0, **{name: place, **columns})


def found_by(glob: str, *places: str) -> list[bool]:
    """Whether a glob matches each place."""
    return events_of(*map(at, places)).select(matching([glob])).to_series().to_list()


@pytest.mark.parametrize(
    ("glob", "matches", "others"),
    [
        (
            "/pricing",
            ["/pricing", "/pricing/", "/Pricing?plan=pro", "//pricing#top"],
            ["/pricing/eu", "/de/pricing", "/"],
        ),
        ("/pricing*", ["/pricing", "/pricing/eu", "/pricing-2026"], ["/", "/old/pricing"]),
        ("/legal/*", ["/legal/dpa", "/legal/eu/privacy", "/legal", "/legal/"], ["/legalese", "/about/legal"]),
        ("/legal/**", ["/legal/dpa", "/legal/eu/privacy", "/legal"], ["/legalese"]),
        ("/*/pricing", ["/de/pricing", "/a/b/pricing/"], ["/pricing", "/de/pricing/eu"]),
        ("/**/pricing", ["/pricing", "/de/pricing", "/a/b/pricing"], ["/de/pricing/eu", "/xpricing"]),
        ("*security*", ["/security", "/en/our-security/soc2"], ["/secure"]),
        ("/", ["/", "https://acme.io", "https://acme.io/?gclid=1"], ["/x"]),
        ("*", ["/", "/x/y", "https://acme.io/z"], []),
        ("docs.acme.io/*", ["https://docs.acme.io/a/b?c", "https://DOCS.acme.io:443/"], ["https://acme.io/a", "/a"]),
        ("https://www.acme.io/jobs", ["https://acme.io/jobs/", "https://www.acme.io/Jobs"], ["https://x.acme.io/jobs"]),
        ("*.acme.io/docs/*", ["https://eu.acme.io/docs/x"], ["https://acme.io/docs/x"]),
        ("localhost:3000/a", ["http://localhost:8080/a"], ["https://acme.io/a"]),
        ("/über-uns", ["/%C3%BCber-uns", "/Über-uns/"], ["/uber-uns"]),
        ("/a.b+c(d)", ["/a.b+c(d)"], ["/axb+c(d)"]),
    ],
)
def test_globs(glob: str, matches: list[str], others: list[str]) -> None:
    """Case, queries, fragments, repeated slashes and one at the end do not count; * crosses folders."""
    assert checked_glob(glob) == glob
    assert found_by(glob, *matches, *others) == [True] * len(matches) + [False] * len(others)


@pytest.mark.parametrize(
    ("glob", "message"),
    [
        ("pricing", "did you mean '/pricing'?"),
        ("docs.acme.io", "did you mean '/docs.acme.io' or 'docs.acme.io/*'?"),
        ("", "must begin with / or"),
        ("/search?q=*", "queries and fragments do not count"),
        ("/app#/pricing", "queries and fragments do not count"),
        ("/pricing|/plans", "only * and ** are special"),
        ("^/pricing", "only * and ** are special"),
        ("/[slug]", "only * and ** are special"),
        ("/{a,b}", "only * and ** are special"),
        ("/a b", "only * and ** are special"),
    ],
)
def test_what_is_no_glob_is_refused(glob: str, message: str) -> None:
    """One message with the glob and what would do."""
    with pytest.raises(ValueError, match="is no glob of paths") as caught:
        checked_glob(glob)
    assert message in str(caught.value)


def test_the_path_counts_before_the_url() -> None:
    """Both are read; a whole address in place of the path is understood, and of the URL there is the host."""
    assert address("/pricing", "https://app.acme.io/other") == ("app.acme.io", "/pricing")
    assert address("https://acme.io/pricing", None) == ("acme.io", "/pricing")
    assert address("", "https://user:pw@acme.io/x") == ("acme.io", "/x")
    assert address(None, None) == ("", "")
    pages = addresses(events_of(at("/a"), at("https://acme.io/b"), view(0)))
    assert pages.rows() == [("", "/a"), ("acme.io", "/b"), ("", "")]


def test_the_first_rule_applies_and_says_what_it_says() -> None:
    """A mapping is a later word than the events; where it says nothing, theirs stays. Only page views have either."""
    rules = [
        PageRule("/legal/jobs", "careers"),
        PageRule("/legal/*", "security", "bottom"),
        PageRule("/x", None, "top"),
    ]
    rows = [
        at("/legal/jobs", category="legal", funnel_stage="middle"),
        at("/legal/dpa", category="legal", funnel_stage="middle"),
        at("/x", category="own"),
        at("/y", category="own", funnel_stage="top"),
        event(1, "Demo Requested", context_page_path="/legal/dpa"),
    ]
    mapped = with_pages(enrich(events_of(*rows)), rules)
    assert mapped.select("category", "funnel_stage").rows() == [
        ("careers", "middle"),
        ("security", "bottom"),
        ("own", "top"),
        ("own", "top"),
        (None, None),
    ]
    assert mapped.schema == enrich(events_of()).schema
    assert with_pages(mapped, rules).equals(mapped)


def test_many_addresses_are_mapped_row_by_row() -> None:
    """Rows keep their order among thousands of distinct queries."""
    paths = [f"/legal/{n}?q={n}" if n % 3 else "/pricing" for n in range(5000)]
    found = pl.DataFrame({"context_page_path": paths, "context_page_url": None}).select(matching(["/legal/*"]))
    assert found.to_series().to_list() == [bool(n % 3) for n in range(5000)]

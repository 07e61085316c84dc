"""Claims about map, and about mappings in analyze and stats: from a stream without categories to a funnel."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from command_line import Ended

from scenarios.config.yaml_source import read_yaml


def write(*events: tuple[str, str | None, str], host: str = "https://acme.io") -> None:
    """Write page views (of a visitor, without a name) and events to a file."""
    lines = []
    for number, (who, name, path) in enumerate(events):
        when = f"2026-03-03T{10 + number // 60:02}:{number % 60:02}:00Z"
        call = {"type": "page"} if name is None else {"type": "track", "event": name, "properties": {"plan": "pro"}}
        url = path if "://" in path else host + path
        page = {"page": {"url": url, "path": url.split("/", 3)[-1].join("/ ").strip()}}
        lines.append({**call, "messageId": f"m{number}", "anonymousId": who, "timestamp": when, "context": page})
    Path("events.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


SITE = (
    ("a", None, "/"),
    ("a", None, "/trust-center/soc2"),
    ("a", None, "/trust-center/dpa"),
    ("a", None, "/de/preise"),
    ("a", "demo_request", "/de/preise"),
    ("b", None, "/about/jobs/engineer"),
    ("b", None, "/xyz/1"),
    ("b", None, "/xyz/2"),
    ("b", None, "/docs/pricing"),
    ("b", "Signed Up", "/docs/pricing"),
)


def rules_of(text: str) -> dict[str, tuple[str, str | None]]:
    """Category and stage by glob of a proposal."""
    pages = read_yaml(text, "proposal").data["pages"] or {}
    return {glob: (page.get("category"), page.get("stage")) for glob, page in pages.items()}


def test_a_proposal_has_guesses_counts_and_the_next_command() -> None:
    """Folders become globs, languages too; what is not known is commented out; near names are renamed."""
    write(*SITE)
    text = Ended("map", "events.ndjson").out
    assert rules_of(text) == {
        "/about/jobs/*": ("careers", "top"),
        "/trust-center/*": ("security", "bottom"),
        "/docs/*": ("docs", "middle"),
        "/": ("home", "top"),
        "/**/preise": ("pricing", "bottom"),
    }
    assert '"/trust-center/*": {category: security, stage: bottom}  # 2 page views, 1 visitor\n' in text
    assert '  # "/xyz/*": {category: …, stage: …}  # 2 page views, 1 visitor\n' in text
    assert '  "demo_request": Demo Requested  # 1 event, 1 visitor\n  # "Signed Up": …  # 1 event, 1 visitor\n' in text
    assert "# 8 page views of 2 visitors on 8 pages." in text
    assert text.endswith("\n# Next: funnelsim analyze events.ndjson --pages mapping.yaml\n")


def test_a_proposal_is_a_mapping_as_it_is() -> None:
    """Unedited it fills funnel and content; the printed command runs; a file that exists is left unchanged."""
    write(*SITE)
    ended = Ended("map", "events.ndjson", "--output", "my maps/a.yaml")
    assert (ended.status, ended.err) == (0, "")
    command = shlex.split(ended.out.partition("then ")[2])
    assert command == ["funnelsim", "analyze", "events.ndjson", "--pages", "my maps/a.yaml"]
    printed = Ended(*command[1:], "--json").json
    assert [row["visitors"] for row in printed["funnel"]] == [2, 2, 1, 1]
    assert printed["totals"]["demo_requests"] == 1
    assert printed["pages"]["unmapped"] == [
        {"page": "/xyz/1", "page_views": 1, "visitors": 1},
        {"page": "/xyz/2", "page_views": 1, "visitors": 1},
    ]
    again = Ended("map", "events.ndjson", "--output", "my maps/a.yaml")
    assert (again.status, "exists already, and is left unchanged" in again.err) == (2, True)


def test_hostile_paths_and_names_make_a_valid_file() -> None:
    """Quotes, colons, line breaks, stars and brackets; long lists are cut, and say so."""
    odd = ['/a"b: c', "/x%0Ay", "/[slug]/*", "/{a}|b", "/#x", "/e" + "é" * 30]
    many = [("c", None, f"/unknown-{n}") for n in range(60)]
    names = [("c", f"no: {n}\n\"#'", "/") for n in range(50)]
    write(*(("a", None, path) for path in odd), *many, *names)
    text = Ended("map", "events.ndjson").out
    assert rules_of(text).keys() <= {"/"}
    assert "more, with fewer page views each" in text
    assert "  # and 10 more\n" in text
    # Uncommented, every line is still valid.
    whole = re.sub(r"^  # (\".*)$", lambda line: "  " + line[1].replace("…", "top"), text, flags=re.MULTILINE)
    assert len(rules_of(whole)) > 20


def test_what_the_events_say_themselves_is_no_question() -> None:
    """Pages with category and stage are left out; with categories alone, only stages are proposed."""
    page = {"type": "page", "anonymousId": "a", "context": {"page": {"path": "/pricing"}}}
    times = [{"messageId": str(n), "timestamp": f"2026-03-03T10:0{n}:00Z"} for n in range(2)]
    known = [page | times[0] | {"properties": {"category": "tariffs"}}]
    Path("e.ndjson").write_text(json.dumps(known[0]))
    assert rules_of(Ended("map", "e.ndjson").out) == {"/pricing": (None, "bottom")}
    Path("e.ndjson").write_text(json.dumps(page | times[0] | {"properties": {"category": "a", "funnel_stage": "top"}}))
    text = Ended("map", "e.ndjson").out
    assert rules_of(text) == {}
    assert "# 1 page view with a category and a stage of their own are left out here." in text


def test_subdomains_become_globs_of_hosts() -> None:
    """Where there are several hosts, a subdomain with a known word is a rule of its own."""
    write(
        ("a", None, "https://acme.io/a"), ("a", None, "https://docs.acme.io/x"), ("a", None, "https://docs.acme.io/y")
    )
    assert rules_of(Ended("map", "events.ndjson").out) == {"docs.acme.io/*": ("docs", "middle")}


def test_an_unknown_funnel_is_said_everywhere() -> None:
    """In text, JSON, tables, report and notebook: unknown and null, with the way out, never 0 % or 100 %."""
    write(*SITE)
    ended = Ended("analyze", "events.ndjson", "--out", "o")
    assert (
        "funnel: unknown, as no page has a funnel stage (funnelsim map EVENTS proposes a mapping of pages)" in ended.out
    )
    printed = Ended("analyze", "events.ndjson", "--json").json
    assert [(row["visitors"], row["share"]) for row in printed["funnel"][:3]] == [(None, None)] * 3
    assert any("no page has a category or a funnel stage" in warning for warning in printed["warnings"])
    assert Path("o/statistics/funnel.csv").read_text().splitlines()[1].startswith("top,,,")
    assert Path("o/statistics/unmapped_pages.csv").read_text().splitlines()[0] == "page,page_views,visitors"
    report = Path("o/report.html").read_text(encoding="utf-8")
    assert "No page has a category or a funnel stage, so content and the funnel are unknown" in report
    assert "The 8 pages without category and stage" in report
    assert "Visitors by stage" not in report


def test_own_steps_are_in_text_and_report() -> None:
    """With the rule that they follow; a step that nobody takes is named."""
    write(*SITE)
    steps = '[{step: visit, page: "*"}, {step: trust, page: "/trust*"}, {step: paid, event: Paid}]'
    Path("f.yaml").write_text(f"funnel: {steps}\n")
    ended = Ended("analyze", "events.ndjson", "--pages", "f.yaml", "--out", "o")
    assert "funnel: visit 2 (100.00%), trust 1 (50.00%), paid 0 (0.00%)" in ended.out
    assert "warning: analytics.funnel: no event takes the step 'paid'" in ended.out
    report = Path("o/report.html").read_text(encoding="utf-8")
    assert "A visitor reaches a step by taking it or a later one, in whatever order of time." in report
    assert "Visitors by step" in report


@pytest.mark.parametrize("dimension", ["page_group", "stage"])
def test_stats_map_pages_too(dimension: str) -> None:
    """Without a mapping they say that nothing is known; with one they have groups, stages and the funnel."""
    write(*SITE)
    Ended("ingest", "events.ndjson", "--store", "s")
    ended = Ended("stats", "--store", "s", "--by", dimension)
    assert "warning: no page has a category or a funnel stage" in ended.out
    Path("m.yaml").write_text(
        '"/trust*": {category: security, stage: bottom}\nevent_names: {demo_request: Demo Requested}\n'
    )
    mapped: dict[str, Any] = Ended("stats", "--store", "s", "--by", dimension, "--pages", "m.yaml", "--json").json
    views: dict[str, int] = {}
    for row in mapped["views"]:
        views[row[dimension]] = views.get(row[dimension], 0) + row["page_views"]
    assert views == {"(not set)": 6, "security" if dimension == "page_group" else "bottom": 2}
    assert [row["visitors"] for row in mapped["funnel"]] == [1, 1, 1, 1]
    text = Ended("stats", "--store", "s", "--pages", "m.yaml").out
    assert "funnel: top 1 (50.00%)" in text
    assert "warning: 6 of 8 page views are in no rule of analytics.pages" in text
    assert (Ended("stats", "--store", "s", "--pages", "none.yaml").status) == 2


def test_a_report_says_once_which_globs_match_nothing() -> None:
    """Beside the funnel, and not among the warnings at its top as well."""
    write(*SITE)
    Path("m.yaml").write_text('"/legel/*": {category: security, stage: bottom}\n"/pricng": {stage: bottom}\n')
    ended = Ended("analyze", "events.ndjson", "--pages", "m.yaml", "--out", "results")
    assert ended.out.count("'/legel/*', '/pricng'") == 1
    assert Path("results/report.html").read_text().count("/legel/*") == 1

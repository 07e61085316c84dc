"""Claims about a stream that funnelsim did not make: plain analytics.js events and a short mapping are enough.

The events are those of a site with paths and names of its own, whose visitors ask for demos with known log-odds; see
:mod:`notebooks.sample_site`.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

import pytest
from command_line import Ended

from analytics.events.dimensions import NOT_SET
from analytics.settings import AnalyticsSettings
from notebooks import sample_site
from notebooks.sample_site import PRICES, SAMPLE, TRUST_PAGES, ndjson
from scenarios.config.pages_file import with_mapping
from scenarios.run.events_analysis import EventsAnalysis, analyze

MAPPING = """\
pages:
  "/tour/*": {category: product, stage: middle}
  "/trust-center/*": {category: security, stage: bottom}
  "/what-it-costs": {category: pricing, stage: bottom}
  "/field-notes/*": {category: blog, stage: top}
  "/proof/*": {category: customers, stage: middle}
  "/work-with-us/*": {category: careers, stage: top}
  "/": {category: home, stage: top}
event_names:
  Walkthrough Booked: Demo Requested
funnel:
  - {step: visit, page: "*"}
  - {step: trust or prices, page: [security, pricing]}
  - {step: walkthrough, event: Walkthrough Booked}
"""
N_VISITORS = 2500


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the events and the mapping."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "events.ndjson").write_bytes(ndjson(N_VISITORS, seed=11))
    (folder / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    return folder


@cache
def analysed(folder: Path) -> EventsAnalysis:
    """The analysis with the mapping."""
    return analyze(folder / "events.ndjson", with_mapping(AnalyticsSettings(), folder / "mapping.yaml"))


def test_the_events_are_plain() -> None:
    """As the browser library sends them: no category, stage, device or country; and the mapping is short."""
    first = [json.loads(line) for line in ndjson(50, seed=11).splitlines()]
    assert {event["type"] for event in first} == {"page", "track", "identify"}
    assert {key for event in first for key in event["context"]} == {
        *("userAgent", "timezone", "locale", "library", "page", "campaign"),
    }
    assert not any({"category", "funnel_stage"} & event.get("properties", {}).keys() for event in first)
    assert len(MAPPING.splitlines()) <= 15


def test_every_dimension_is_filled(files: Path) -> None:
    """Device, region, content and channel have no view without a value; nothing has to be warned of."""
    found = analysed(files)
    assert found.warnings == ()
    for dimension, at_least in (("device", 2), ("region", 3), ("page_group", 7), ("channel", 5), ("stage", 3)):
        values = found.analysis.statistics.segments(dimension)[dimension].to_list()
        assert NOT_SET not in values
        assert len(values) >= at_least
    assert found.store.counts.accepted == found.store.counts.received


def test_the_funnel_has_the_steps_of_the_mapping(files: Path) -> None:
    """Everybody visits, and each request is a walkthrough."""
    statistics = analysed(files).analysis.statistics
    totals, funnel = statistics.totals().to_dicts(), statistics.funnel().to_dicts()
    assert [row["stage"] for row in funnel] == ["visit", "trust or prices", "walkthrough"]
    assert funnel[0]["visitors"] == totals[0]["visitors"] == N_VISITORS
    assert funnel[2]["visitors"] == totals[0]["converted"] == totals[0]["demo_requests"]
    assert funnel[2]["visitors"] < funnel[1]["visitors"] < N_VISITORS


def test_the_model_finds_the_known_effects(files: Path) -> None:
    """Each is within 3.3 standard errors (1 in 1000), and far from none; what has no effect is not significant."""
    results = analysed(files).analysis.intent
    rows = {row["signal"]: row for row in results.coefficients.to_dicts()}
    # The default product would share the effect of the trust pages with Europe, where it is the same.
    for signal, effect in (("security_page_view", TRUST_PAGES), ("pricing_page_view", PRICES)):
        row = rows[signal]
        assert row["standard_error"] < 0.25
        assert abs(row["coefficient"] - effect) < 3.3 * row["standard_error"]
    assert rows["security_page_view"]["p_adjusted"] < 0.001
    others = rows.keys() - {"intercept", "security_page_view", "pricing_page_view"}
    assert [name for name in others if rows[name]["p_adjusted"] < 0.01] == []
    unseen = ["white_paper_download", "webinar_registration", "tech_blog_referral", "utm_email", "company_enterprise"]
    assert list(results.unseen) == unseen


def test_without_the_mapping_nothing_is_claimed(files: Path) -> None:
    """No request, no content and no funnel, and a word on each; the proposal then names what the mapping needs."""
    printed = Ended("analyze", files / "events.ndjson", "--json").json
    assert [row["visitors"] for row in printed["funnel"]] == [None, None, None, 0]
    assert len(printed["warnings"]) == 2
    proposal = Ended("map", files / "events.ndjson").out
    assert '"/trust-center/*": {category: security, stage: bottom}' in proposal
    assert '# "Walkthrough Booked": Demo Requested' in proposal


def test_the_sample_of_the_notebook_is_what_its_generator_writes() -> None:
    """And small enough to be kept."""
    assert gzip.decompress(SAMPLE.read_bytes()) == ndjson(sample_site.N_VISITORS, sample_site.SEED)
    assert SAMPLE.stat().st_size < 400_000

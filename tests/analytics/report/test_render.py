"""The report says what the events say, to everybody, whatever the events hold."""

import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.report.render import ReportData, render_report, write_report
from analytics.sessions.visits import visit_table
from analytics.statistics.funnel import FunnelStatistics

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "\u202egnp.exe",
    "x" * 10_000,
    "a&amp;b",
    "]]>",
]
STAGES = {"security": "bottom", "blog": "top", "product": "middle"}


class _Page(HTMLParser):
    """What a browser would make of the page: its elements, their attributes and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._open and self._open[-1] in {"td", "th"}:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def row(self, *start: str) -> list[str]:
        """The one row of a table that starts with these cells."""
        found = [row for row in self.rows if row[: len(start)] == list(start)]
        assert len(found) == 1, f"{len(found)} rows start with {start}"
        return found[0]


def _visitors(n: int) -> list[dict[str, Any]]:
    """``n`` visitors of two regions over a day; every fifth asks, of the readers of the security page every second."""
    rows: list[dict[str, Any]] = []
    for i in range(n):
        content = ("security", "blog", "product")[i % 3]
        who = {
            "anonymous_id": f"v{i}",
            "at": 23 * i / n,
            "context_location_country": ("DE", "US")[i // 3 % 2],
            "context_device_type": ("desktop", "mobile")[i // 7 % 2],
        }
        rows.append({**who, "category": content, "funnel_stage": STAGES[content]})
        if i % 5 == 0 or (content == "security" and i % 2 == 0):
            rows.append({**who, "at": who["at"] + 0.01, "type": "track", "event": "Demo Requested"})
    return rows


@pytest.fixture(scope="module")
def statistics(make_events: Callable[..., pl.DataFrame]) -> FunnelStatistics:
    """600 visitors, counted."""
    return FunnelStatistics(make_events(*_visitors(600)))


@pytest.fixture(scope="module")
def intent(make_events: Callable[..., pl.DataFrame]) -> IntentResults:
    """The model fitted on their visits, beside a truth."""
    events = make_events(*_visitors(600))
    visits = visit_table(events, observed_until=events["timestamp"].max() + timedelta(hours=2))
    truth = {"security_page_view": 0.9, "device_mobile": 0.0}
    return IntentModel().fit(visits, truth=truth)


@pytest.fixture(scope="module")
def page(statistics: FunnelStatistics, intent: IntentResults) -> str:
    """A report with everything in it."""
    return render_report(
        ReportData(
            statistics,
            title="a day",
            description="600 visitors",
            seed=0,
            intent=intent,
            sales={
                "requests": 250,
                "held": 240,
                "no_show_rate": None,
                "response_minutes_mean": 12.34,
                "response_minutes_p90": 40.0,
                "sdr_utilisation": 0.5,
            },
            store={"received": 1110, "accepted": 1000, "duplicate": 60, "conflict": 20, "late": 10, "invalid": 20},
            invalid_by_reason={"not_json": 20},
            provenance={"digest": "c0ffee"},
        )
    )


def test_headline_is_that_of_the_statistics(page: str, statistics: FunnelStatistics) -> None:
    """Visitors, page views, demo requests and conversion with its interval are those that the statistics counted."""
    totals = statistics.totals().row(0, named=True)
    text = _Page(page).text
    assert f"Visitors {totals['visitors']:,}" in text
    assert f"Page views {totals['page_views']:,}" in text
    assert f"Demo requests {totals['demo_requests']:,}" in text
    shown = re.search(r"Conversion ([\d.]+)% \[([\d.]+)%, ([\d.]+)%\]", text)
    assert shown is not None
    expected = [100 * totals[f"conversion{end}"] for end in ("", "_low", "_high")]
    assert [float(number) for number in shown.groups()] == pytest.approx(expected, abs=0.05)
    assert "seed 0" in text, "0 is a seed"


def test_funnel_and_hours_are_those_of_the_statistics(page: str, statistics: FunnelStatistics) -> None:
    """Every stage and every hour stands in a table with the numbers that the statistics counted."""
    parsed = _Page(page)
    for row in statistics.funnel().to_dicts():
        assert parsed.row(row["stage"])[1] == f"{row['visitors']:,}"
    hours = statistics.hourly()
    assert hours.height == 23
    for row in hours.to_dicts():
        cells = parsed.row(f"{row['hour']:%Y-%m-%d %H:%M}")
        assert (cells[1], cells[3]) == (str(row["page_views"]), str(row["demo_requests"]))


def test_segments_and_pairs_are_those_of_the_statistics(page: str, statistics: FunnelStatistics) -> None:
    """Regions, and regions by content, stand in tables with visitors and conversion."""
    parsed = _Page(page)
    for row in statistics.segments(["region", "page_group"]).to_dicts():
        cells = parsed.row(row["region"], row["page_group"])
        assert cells[3] == str(row["n"])
        assert float(cells[5].split("%")[0]) == pytest.approx(100 * row["conversion"], abs=0.05)


def test_european_readers_of_security_pages_are_compared(page: str, statistics: FunnelStatistics) -> None:
    """The page says in words how European readers of the security page compare with those from elsewhere."""
    pairs = statistics.segments(["region", "page_group"])
    here = pairs.filter(region="europe", page_group="security").row(0, named=True)
    elsewhere = pairs.filter(pl.col("region") != "europe", page_group="security").row(0, named=True)
    sentence = re.search(r"Of the (\d+) European visitors .*?, ([\d.]+)% .*? of the (\d+) from .*?, ([\d.]+)%\.", page)
    assert sentence is not None
    n, share, n_others, share_of_others = (float(number) for number in sentence.groups())
    assert (n, n_others) == (here["n"], elsewhere["n"])
    assert share == pytest.approx(100 * here["conversion"], abs=0.05)
    assert share_of_others == pytest.approx(100 * elsewhere["conversion"], abs=0.05)


def test_coefficients_stand_beside_the_truth(page: str, intent: IntentResults) -> None:
    """The table of coefficients holds estimate, standard error, odds ratio and truth of each term in the model."""
    parsed = _Page(page)
    for row in intent.coefficients.filter(pl.col("signal") != "intercept").to_dicts():
        cells = parsed.row(row["signal"].replace(":", " × ").replace("_", " "))
        numbers = [float(cell.replace("\N{MINUS SIGN}", "-")) for cell in cells[1:3]]
        assert numbers == pytest.approx([row["coefficient"], row["standard_error"]], abs=0.005)
        assert float(cells[6].split(" ")[0]) == pytest.approx(row["odds_ratio"], abs=0.05)
        assert cells[8] == (
            "–"
            if row["true_coefficient"] is None
            else f"{row['true_coefficient']:{'+' if row['true_coefficient'] else ''}.2f}"
        )


def test_dropped_terms_are_named(page: str, intent: IntentResults) -> None:
    """What the data could not tell is named with its reason, not passed over."""
    text = _Page(page).text
    assert intent.dropped, "the example must have such terms"
    for term, reason in intent.dropped.items():
        assert f"Dropped: {term.replace('_', ' ').replace(':', ' × ')} ({reason})" in text
    for warning in intent.warnings:
        assert warning in text


def test_how_far_to_trust_the_model_is_shown(page: str, intent: IntentResults) -> None:
    """Quality out of fold, the joint test and the greatest inflation stand beside what to compare them with."""
    parsed = _Page(page)
    quality = intent.out_of_fold
    assert parsed.row("area under the curve, out of fold")[1:] == [
        f"{quality.auc:.3f}",
        f"{intent.auc_in_sample:.3f} in sample",
    ]
    assert parsed.row("Brier score, out of fold")[2] == f"{quality.brier_of_base_rate:.4f} for one rate for all"
    tested = intent.all_signals
    cells = parsed.row(f"χ² of all {tested.degrees_of_freedom} terms together")
    assert float(cells[1].replace(",", "")) == pytest.approx(tested.statistic, abs=0.05)
    assert float(parsed.row("greatest variance inflation")[1]) == pytest.approx(
        intent.diagnostics["vif"].max(), abs=0.05
    )


def test_store_sales_and_provenance_are_shown(page: str) -> None:
    """The store's balance, the sales desk and the digest are there when they are known."""
    parsed = _Page(page)
    balance = "1,110 received = 1,000 accepted + 60 duplicate + 20 conflict + 10 late + 20 invalid."
    assert balance in parsed.text
    assert parsed.row("demos held")[1] == "240"
    assert parsed.row("speed-to-lead: mean wait for an answer, minutes")[1] == "12.3"
    assert parsed.row("share missed of the demos whose time came")[1] == "–"
    assert parsed.row("not_json")[1] == "20"
    assert parsed.row("digest")[1] == "c0ffee"


def test_traffic_of_segments_is_behind_a_picker(page: str, statistics: FunnelStatistics) -> None:
    """Every segment that can be picked has a picture with its own busiest hour; all visitors are picked at first."""
    found = _Page(page)
    buttons = [value for tag, name, value in found.attributes if tag == "input" and name == "id"]
    assert [tag for tag, name, _ in found.attributes if tag == "input" and name == "checked"] == ["input"]
    assert re.search(r'id="pick-0" checked>', page)
    assert "</input>" not in page
    panels = [value for tag, name, value in found.attributes if tag == "div" and name == "class" and "choice-" in value]
    assert panels == [f"choice choice-{number}" for number in range(len(buttons))]
    told = [value for _, name, value in found.attributes if name == "aria-label" and "of europe in" in value]
    hourly = statistics.hourly("region").filter(region="europe").sort("page_views", descending=True)
    assert f"most page views, {hourly['page_views'][0]:,}," in told[0]


def test_calibration_is_that_of_the_model(page: str, intent: IntentResults) -> None:
    """What was foretold and what happened stands in words beside the picture."""
    row = intent.out_of_fold.calibration.row(-1, named=True)
    assert f"{100 * row['predicted']:.1f}% foretold, {100 * row['share']:.1f}% asked" in page


def test_page_fetches_and_runs_nothing(page: str) -> None:
    """No script, no handler, no address outside the page: it can be opened anywhere and tells nobody."""
    parsed = _Page(page)
    assert not {"script", "iframe", "object", "embed", "img", "image", "use", "base"} & set(parsed.tags)
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    addresses = {value for _, name, value in parsed.attributes if name in {"src", "href", "xlink:href", "action"}}
    assert addresses == {"data:,"}
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page


def test_every_figure_has_words_for_those_who_cannot_see_it(page: str) -> None:
    """Each drawing is hidden from screen readers and stands in an image with a description."""
    parsed = _Page(page)
    described = [value for tag, name, value in parsed.attributes if (tag, name) == ("div", "aria-label")]
    images = [value for _, name, value in parsed.attributes if name == "role" and value == "img"]
    charts = [value for tag, name, value in parsed.attributes if (tag, name, value) == ("svg", "class", "chart")]
    assert len(images) == len(charts) == 12
    assert all(described)


def test_identifiers_are_unique(page: str) -> None:
    """No identifier occurs twice, so that no drawing borrows from another."""
    identifiers = [value for _, name, value in _Page(page).attributes if name == "id"]
    assert len(set(identifiers)) == len(identifiers)


def test_page_is_small(page: str) -> None:
    """The page fits an e-mail: under 3 MB."""
    assert len(page.encode()) < 3_000_000


def test_same_data_same_bytes(statistics: FunnelStatistics, intent: IntentResults, tmp_path: Path) -> None:
    """Two reports on the same data are the same, byte for byte."""
    data = ReportData(statistics, title="twice", intent=intent)
    for name in ("one", "two"):
        write_report(tmp_path / name, data)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_hostile_values_are_text(make_events: Callable[..., pl.DataFrame]) -> None:
    """Markup, quotes, direction marks and 10 kB in UTM values, contents and titles come out as harmless text."""
    rows = [
        {"anonymous_id": f"h{i}", "context_campaign_source": value, "category": value, "context_device_type": value}
        for i, value in enumerate(HOSTILE)
    ]
    statistics = FunnelStatistics(make_events(*rows))
    hostile = HOSTILE[0]
    page = render_report(
        ReportData(
            statistics,
            title=hostile,
            description=HOSTILE[1],
            extra_segments=("utm_source", "device:utm_source"),
            model_error=hostile,
            invalid_by_reason={hostile: 1},
            store={"received": 1, "invalid": 1},
            sales={hostile: 1.0},
            provenance={hostile: hostile},
        )
    )
    parsed = _Page(page)
    assert not {"script", "img"} & set(parsed.tags)
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    assert parsed.text.count(hostile) >= 6
    assert "\u202e" not in page
    assert "x" * 2_000 not in page
    svgs = re.findall(r"<svg class=\"chart\".*?</svg>", page, flags=re.DOTALL)
    assert any("&lt;script&gt;" in svg for svg in svgs), "drawings show it too"


def test_report_without_events(make_events: Callable[..., pl.DataFrame]) -> None:
    """No events at all: the page says so and invents no number."""
    page = render_report(ReportData(FunnelStatistics(make_events()), title="nothing", model_error="no visits"))
    text = _Page(page).text
    assert "There are no events" in text
    assert "Visitors 0" in text
    assert "Conversion –" in text
    assert "<svg" not in page


def test_report_without_model_says_why(statistics: FunnelStatistics) -> None:
    """Where the model could not be fitted the page gives the reason; what is not known is not mentioned."""
    page = render_report(ReportData(statistics, title="foreign", model_error="too few requests"))
    text = _Page(page).text
    assert "There is no intent model: too few requests." in text
    assert "Sales desk" not in text
    assert "Data quality" not in text
    assert "seed" not in text


def test_report_of_one_region_without_stages(make_events: Callable[..., pl.DataFrame]) -> None:
    """One visitor, one region, no funnel stage, one hour: enough for a report."""
    events = make_events({"context_location_country": "NO", "category": "security"})
    text = _Page(render_report(ReportData(FunnelStatistics(events), title="one"))).text
    assert "1 hour, from 3 March 2026, 00:00 to 3 March 2026, 01:00 (UTC)" in text
    assert "No page view names a funnel stage" in text
    assert "Geography × content" in text


def test_model_that_kept_no_signal_is_reported(statistics: FunnelStatistics, intent: IntentResults) -> None:
    """A model of an intercept alone is said to tell nothing; no empty plot is drawn."""
    fields = {name: getattr(intent, name) for name in intent.__dataclass_fields__}
    alone = IntentResults(**{**fields, "coefficients": intent.coefficients.head(1)})
    text = _Page(render_report(ReportData(statistics, title="none", intent=alone))).text
    assert "No signal could be told from the data." in text

"""Claims about charts: they draw the numbers that they are given, and can be shown and saved."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pages import Page, assert_self_contained

from analytics.charts.chart import Chart, chart_of
from analytics.charts.model import coefficient_chart
from analytics.charts.segments import SMALL_N, heat_map, segment_chart, segment_rows
from analytics.charts.style import label, to_svg
from analytics.charts.traffic import funnel_chart, hourly_chart, traffic_by
from analytics.events.tracking_plan import UTC_MS
from analytics.intent.coefficients import COEFFICIENT_SCHEMA


def _texts(svg: str) -> list[str]:
    return re.findall(r"<(?:text|tspan)[^>]*>([^<]+)</", svg)


def _hours(n: int) -> pl.DataFrame:
    start = datetime(2026, 3, 3, tzinfo=UTC)
    hours = pl.Series("hour", [start + timedelta(hours=i) for i in range(n)], dtype=UTC_MS)
    return pl.DataFrame({"hour": hours, "page_views": range(n), "demo_requests": [1] * n})


def _traffic(n: int) -> tuple[str, int | None, pl.DataFrame]:
    hourly = _hours(n)
    return traffic_by(hourly, hourly.with_columns(pl.col("page_views", "demo_requests").rolling_mean(3)))


def _segments(**sizes: int) -> pl.DataFrame:
    n = list(sizes.values())
    rates = {"conversion": [0.1] * len(n), "conversion_low": [0.05] * len(n), "conversion_high": [0.2] * len(n)}
    return pl.DataFrame({"region": list(sizes), "n": n, **rates})


def _coefficients(**adjusted: float) -> pl.DataFrame:
    rows = [
        {"signal": name, "coefficient": 0.5, "ci_low": 0.1, "ci_high": 0.9, "p_adjusted": p, "true_coefficient": None}
        for name, p in adjusted.items()
    ]
    return pl.DataFrame(rows, schema=COEFFICIENT_SCHEMA)


def test_day_is_drawn_by_the_hour_in_utc() -> None:
    """24 hours are 24 bars a panel, and the axis is in UTC whatever the reader's time zone."""
    hourly = _hours(24).with_columns(demo_requests=pl.lit(4))
    svg = to_svg(hourly_chart(traffic_by(hourly, hourly)[2]), "t")
    assert len(re.findall(r'<path[^>]*opacity="0.35"', svg)) == 48
    assert [text for text in _texts(svg) if ":" in text][:3] == ["00:00", "03:00", "06:00"]
    assert {"Page views", "Demo requests"} <= set(_texts(svg))


@pytest.mark.parametrize(
    ("n_hours", "grain", "n_rows"), [(24, "hour", 24), (30 * 24, "day", 30), (730 * 24, "month", 25)]
)
def test_long_periods_are_drawn_coarser(n_hours: int, grain: str, n_rows: int) -> None:
    """Over two weeks traffic is summed by the day, over a year by the month, and no count is lost."""
    drawn_grain, _, traffic = _traffic(n_hours)
    assert (drawn_grain, traffic.height) == (grain, n_rows)
    assert traffic["page_views"].sum() == n_hours * (n_hours - 1) // 2
    assert (traffic["start"][1:] == traffic["end"][:-1]).all()


def test_hours_without_requests_have_an_axis_from_zero() -> None:
    """Where nothing was counted the axis still has the ticks 0 and 1."""
    quiet = _hours(24).with_columns(demo_requests=pl.lit(0))
    texts = _texts(to_svg(hourly_chart(traffic_by(quiet, quiet)[2]), "t"))
    assert [text for text in texts if text in {"0", "1"}] == ["0", "0", "1"], "one axis of page views, one of requests"


def test_funnel_names_shares_and_steps() -> None:
    """Each stage is drawn with its visitors, their share of all, and the share of the previous stage."""
    stages = {"stage": ["top", "middle"], "visitors": [2000, 500], "share": [1.0, 0.25], "step_rate": [None, 0.25]}
    texts = _texts(to_svg(funnel_chart(pl.DataFrame(stages)), "f"))
    assert {"500 visitors · 25% of all", "25% of the previous stage"} <= set(texts)


def test_segments_with_few_visitors_are_left_to_the_table() -> None:
    """A rate of three visitors would stretch the axis: it is counted, not drawn; if all are small, all are drawn."""
    drawn, n_left = segment_rows(_segments(europe=900, asia_pacific=500, latin_america=3))
    assert (drawn["region"].to_list(), n_left) == (["europe", "asia_pacific"], 1)
    drawn, n_left = segment_rows(_segments(europe=2, asia_pacific=1))
    assert (drawn.height, n_left) == (2, 0)


def test_segments_whose_short_names_are_equal_keep_apart() -> None:
    """Two long names that begin alike stay two rows of the chart."""
    table = _segments(**dict.fromkeys(["x" * 60 + "1", "x" * 60 + "2"], 500))
    texts = [text for text in _texts(to_svg(segment_chart(table), "s")) if text.startswith("xx")]
    assert len(set(texts)) == 2


def test_small_cells_are_muted() -> None:
    """A cell of the heat map below the limit has its numbers but no colour."""
    pairs = _segments(europe=SMALL_N, asia_pacific=SMALL_N - 1).with_columns(page_group=pl.lit("security"))
    svg = to_svg(heat_map(pairs.select("region", "page_group", pl.exclude("region", "page_group"))), "h")
    assert {f"n {SMALL_N}", f"n {SMALL_N - 1}"} <= set(_texts(svg))
    coloured = re.findall(r'<path[^>]*fill="rgb[^"]*"', svg)
    assert len(coloured) == 1


def test_outlined_pair_is_never_left_out() -> None:
    """European visitors × security page is drawn even where twenty contents are commoner."""
    sizes = {f"content {i}": 1000 - i for i in range(20)} | {"security": 200}
    pairs = _segments(**sizes).rename({"region": "page_group"}).select(pl.lit("europe").alias("region"), pl.all())
    texts = _texts(to_svg(heat_map(pairs, ("europe", "security")), "h"))
    assert "security" in texts
    assert "content 18" not in texts


def test_significance_shows_in_the_shape() -> None:
    """A significant coefficient is a filled dot, another one a hollow ring."""
    groups = {"signals": _coefficients(security_page_view=0.01, pricing_page_view=0.6)}
    svg = to_svg(coefficient_chart(groups, {}), "c")
    dots = re.findall(r'<path[^>]*d="M[^>]*A[^>]*>', svg)
    assert ['fill="#0072B2"' in dot for dot in dots] == [True, False], "without a fill of its own it is hollow"


def test_the_forest_plot_for_phones_is_narrow_and_has_the_same_dots() -> None:
    """It is no wider than 360 pixels, with names that are cut, and no estimate is missing."""
    terms = {"security_page_view": 0.01, "a_very_long_name_of_a_signal_of_ones_own": 0.6}
    groups = {"signals": _coefficients(**terms)}
    wide, narrow = (to_svg(coefficient_chart(groups, {}, narrow=is_narrow), "c") for is_narrow in (False, True))
    widths = [float(width) for svg in (wide, narrow) for width in re.findall(r'<svg[^>]* width="([\d.]+)"', svg)]
    assert widths[1] <= 360 < widths[0]
    fills = [re.findall(r'<path[^>]*d="M[^>]*A[^>]*fill="([^"]*)"', svg) for svg in (wide, narrow)]
    assert fills[0] == fills[1]
    assert {"security_page_view", "a_very_long_name_of_a…"} <= set(_texts(narrow))


def test_absurd_coefficients_stay_on_the_page() -> None:
    """A coefficient of 40 is drawn at the edge instead of squeezing all others into a line."""
    table = _coefficients(company_email=0.5).with_columns(coefficient=pl.lit(40.0), ci_high=pl.lit(float("inf")))
    numbers = [t for t in _texts(to_svg(coefficient_chart({"signals": table}, {}), "c")) if re.match(r"\d", t)]
    assert max(float(number) for number in numbers) <= 5


@pytest.mark.parametrize("value", ["a\u202eb", "a\x00b", "a\nb", "a\u200bb"])
def test_labels_hold_nothing_invisible(value: str) -> None:
    """Invisible characters, and those that reverse the text, are replaced."""
    assert label(value) == "a\ufffdb"


def test_drawing_adapts_to_the_page() -> None:
    """A drawing takes the colour of the page, scales with it, and refers to nothing outside of it."""
    svg = to_svg(segment_chart(_segments(europe=500), 0.1), "s")
    assert "currentColor" in svg
    assert "viewBox" in svg
    assert "http" not in svg
    assert "<script" not in svg


def test_empty_drawing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vega returns an empty drawing when it fails, which is an error here."""
    monkeypatch.setattr("vl_convert.vegalite_to_svg", lambda *_, **__: "<svg></svg>")
    with pytest.raises(RuntimeError, match="is empty"):
        to_svg(segment_chart(_segments(europe=500)), "s")


@pytest.fixture(scope="module")
def chart() -> Chart:
    """A chart whose title looks like markup."""
    return chart_of(segment_chart(_segments(europe=500)), "s", 'Conversion <by> "region"')


def test_a_notebook_shows_a_chart_with_its_title(chart: Chart) -> None:
    """It is an image with a label for screen readers, escaped; its text form leaves out the drawing."""
    label = 'aria-label="Conversion &lt;by&gt; &#34;region&#34;"'
    assert chart._repr_html_().startswith(f'<div role="img" {label} style="max-width:720px"><svg ')
    assert repr(chart) == "Chart(title='Conversion <by> \"region\"', width_px=720)"


def test_a_chart_is_saved_in_the_format_of_the_suffix(chart: Chart, tmp_path: Path) -> None:
    """SVG has a namespace, HTML is a page of its own; another suffix is an error that names the four."""
    for name in ("c.svg", "c.PNG", "c.pdf", "c.html"):
        chart.save(tmp_path / name)
    assert (tmp_path / "c.svg").read_text(encoding="utf-8").count('xmlns="http://www.w3.org/2000/svg"') == 1
    assert (tmp_path / "c.PNG").read_bytes().startswith(b"\x89PNG")
    page = Page((tmp_path / "c.html").read_text(encoding="utf-8"))
    assert_self_contained(page)
    assert 'caption: Conversion <by> "region"' in page.outline
    for wrong in ("c.pdfx", "c.jpg", "c"):
        with pytest.raises(ValueError, match=f"{wrong}: a chart is saved as .svg, .png, .pdf or .html"):
            chart.save(tmp_path / wrong)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_pdf_is_whole_and_the_same_each_time(chart: Chart, tmp_path: Path) -> None:
    """It has a font for its texts, objects begin where its end says, and saved again it has the same bytes."""
    for name in ("a.pdf", "b.PDF"):
        chart.save(tmp_path / name)
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-1.")
    assert pdf.endswith(b"%%EOF")
    assert b"/FontFile" in pdf
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", pdf)]
    assert len(places) > 5
    assert all(pdf[place:].startswith(b"%d 0 obj" % number) for number, place in enumerate(places, start=1))
    assert (tmp_path / "b.PDF").read_bytes() == pdf

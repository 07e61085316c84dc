"""Style and rendering of all charts: colours, labels, and the drawing of a chart as SVG.

Text and lines take the colour of the page around them (``currentColor``), so that a chart suits light and dark screens
and paper. Marks with a meaning have a colour of Okabe and Ito's palette, which colour-blind readers can distinguish,
and a shape or a position besides. Importing this module imports Altair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import altair as alt
import vl_convert

from analytics.html.escaping import as_line, as_text

AnyChart: TypeAlias = alt.TopLevelMixin
"""A whole chart of Altair, of any kind: it can be saved, and drawn by :func:`to_svg`."""

BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
GREY: Final = "#888888"
INK: Final = "currentColor"
PALE_BLUE: Final = "#DCEAF4"
"""The least of a scale of colours whose most is blue."""

_FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first is bundled with vl-convert, which measures with it; the others have the same widths."""

_CONFIG: Final = {
    "font": _FONT,
    "background": "transparent",
    # Screen readers get the title of the chart instead of hundreds of marks.
    "aria": False,
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "tickColor": GREY,
        "domainColor": GREY,
        "gridColor": GREY,
        "gridOpacity": 0.25,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 260,
        "labelFlush": False,
        "labelPadding": 5,
    },
    "title": {"color": INK, "fontSize": 13, "anchor": "start", "frame": "group"},
}

Rows = list[dict[str, Any]]
"""The data of a chart, row by row."""


def label(value: object, *, longest: int = 36) -> str:
    """Shorten a value from outside to what fits beside an axis, and replace invisible characters.

    Args:
        value: A name of a page, campaign or factor, of any length.
        longest: Characters that fit.

    >>> label("/resources/white-papers/zero-trust", longest=16)
    '/resources/whit…'
    """
    text = as_line(str(value))  # before the cut, which would leave the half of an address
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def to_svg(chart: AnyChart, name: str) -> str:
    """Draw a chart as an ``svg`` element for a page.

    Args:
        chart: What to draw.
        name: Prefix of the identifiers within, so that several charts can share a page.

    Returns:
        The element, scaling with its width; hidden from screen readers, for which the element around it has a label.

    Raises:
        RuntimeError: The drawing came out empty.
    """
    spec = _shown(chart.to_dict(validate=False))  # Altair has validated each part already
    # In the specification, because each ``configure_…`` of Altair copies the whole chart.
    spec["config"] = {**spec["config"], **_CONFIG}
    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0])
    if "<text" not in svg:  # Vega prints its errors on stderr only, and returns an empty drawing
        raise RuntimeError(f"the chart {name!r} is empty; please report this as a bug")
    return _embedded(svg, name)


def _shown(part: Any) -> Any:  # noqa: ANN401 - any part of a specification
    """Texts of a specification as people are shown them; those beside an axis have passed :func:`label` before."""
    if isinstance(part, dict):
        return {key: _shown(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_shown(value) for value in part]
    return as_text(part) if isinstance(part, str) else part


def _embedded(svg: str, name: str) -> str:
    """Fit a stand-alone drawing into a page: no namespaces, a fluid width, identifiers of its own."""
    head, body = svg.split(">", maxsplit=1)
    box = re.search(r'width="([\d.]+)" height="([\d.]+)"', head)
    width, height = box.groups() if box else ("600", "400")
    # Identifiers are global to a page: charts with equal ones would clip each other.
    body = re.sub(r'(<[^<>]*\s)id="', rf'\1id="{name}-', body)
    body = body.replace('="url(#', f'="url(#{name}-')
    shape = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg class="chart" aria-hidden="true" {shape}>{body}'


def layered(*charts: alt.Chart, **properties: object) -> alt.LayerChart:
    """Put charts on top of each other.

    Args:
        charts: The layers, the lowest first.
        properties: Properties of the whole, such as ``width`` in pixels.
    """
    return alt.LayerChart(layer=list(charts)).properties(**properties)


_DAY_MS: Final = 86_400_000
_MOST_TICKS: Final = 9
_HOURS_APART: Final = (1 / 12, 1 / 4, 1 / 2, 1, 2, 3, 6, 12, 24, 48, 96, 7 * 24, 14 * 24)
_MONTHS_APART: Final = (1, 2, 3, 6, 12, 24, 60)


def time_axis(first_ms: int, last_ms: int) -> alt.Axis:
    """An axis of time in UTC for every reader, with ticks at round moments and dates on a span of any length.

    Args:
        first_ms: The beginning, in epoch milliseconds.
        last_ms: The end.
    """
    apart = next((hours for hours in _HOURS_APART if last_ms - first_ms <= _MOST_TICKS * hours * _DAY_MS / 24), None)
    if apart is None:
        values, labels = _months(first_ms, last_ms), ("%b", "%Y", "utcmonth(datum.value) == 0")
    else:
        step = round(apart * _DAY_MS / 24)
        # Of days, from the first midnight on: weeks since 1970 begin on Thursdays.
        origin = -(-first_ms // _DAY_MS) * _DAY_MS if apart > 24 else -(-first_ms // step) * step  # noqa: PLR2004
        # A span of a few minutes may have no round moment.
        values = list(range(origin, last_ms + 1, step)) or [first_ms]
        of_hours = ("%H:%M", "%-d %b", "utchours(datum.value) == 0 && utcminutes(datum.value) == 0")
        labels = of_hours if apart < 24 else ("%-d %b", "%Y", "false")  # noqa: PLR2004
    above, below, when = labels
    # What is above changes with each tick, what is below now and then.
    short = f"utcFormat(datum.value, '{above}')"
    long = f"[{short}, utcFormat(datum.value, '{below}')]"
    is_first = f"toNumber(datum.value) == {values[0]}"
    return alt.Axis(values=values, labelExpr=f"{is_first} || {when} ? {long} : {short}", labelOverlap=False)


def _months(first_ms: int, last_ms: int) -> list[int]:
    """Beginnings of months, few enough for an axis."""
    first, last = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (first_ms, last_ms))
    months = range(12 * first.year + first.month - 1, 12 * last.year + last.month)
    apart = next((n for n in _MONTHS_APART if len(months) <= _MOST_TICKS * n), _MONTHS_APART[-1])
    # Every second, third, … month of the year, not of the data.
    beginnings = (datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC) for number in months if number % apart == 0)
    return [ms for begin in beginnings if (ms := round(begin.timestamp() * 1000)) >= first_ms]


def inline(rows: Rows) -> alt.InlineData:
    """Put rows into a chart, so that it needs no other file.

    Args:
        rows: The data; only values that JSON has.
    """
    # A tuple, because Altair copies lists row by row whenever it puts a chart into another.
    return alt.InlineData(values=tuple(rows))


def zero_line(opacity: float = 0.8) -> alt.Chart:
    """A vertical line at 0 of a horizontal axis: no effect, no change.

    Args:
        opacity: Between 0 and 1.
    """
    line: alt.Chart = alt.Chart(inline([{"x": 0}])).mark_rule(color=INK, opacity=opacity).encode(x=alt.X("x:Q"))
    return line


def distinct(names: Iterable[str]) -> list[str]:
    """Number the names that shortening has made equal, so that no two share a place on an axis.

    Args:
        names: Names in the order of the axis.

    >>> distinct(["docs", "blog", "docs"])
    ['docs', 'blog', 'docs #2']
    """
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return result

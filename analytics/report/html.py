"""The parts of a page: elements that escape their contents, numbers as people read them, charts, style."""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from analytics.charts.style import to_svg

if TYPE_CHECKING:
    from analytics.charts.style import AnyChart

__all__ = [
    "MOST_CHOICES",
    "Html",
    "count",
    "decimal",
    "drawing",
    "element",
    "figure",
    "join",
    "moment",
    "number_table",
    "numbers",
    "p_value",
    "page",
    "percent",
    "radio_button",
    "rate",
    "times",
]

_LONGEST_TEXT: Final = 1000

_TENTH: Final = 0.1

_SURE: Final = 0.001

_HUGE: Final = 1000

_NOTHING: Final = "–"


class Html(str):
    """Text that is already HTML; any other text is escaped when it comes into an element."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str) -> Html:
    """Make an element.

    Args:
        tag: Its name.
        children: What stands in it; text that is not :class:`Html` is escaped, and cut when very long.
        attributes: Its attributes; ``class_`` is ``class`` and ``aria_label`` is ``aria-label``.
    """
    return Html(f"<{tag}{_named(attributes)}>{join(children)}</{tag}>")


def radio_button(group: str, identifier: str, *, pressed: bool) -> Html:
    """Make one of several buttons of which one is pressed at a time.

    Args:
        group: Name that they share.
        identifier: By which the style knows it.
        pressed: Whether it is the one.
    """
    return Html(f"<input{_named({'type': 'radio', 'name': group, 'id': identifier})}{' checked' if pressed else ''}>")


def _named(attributes: Mapping[str, str]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(_shown(value))}"' for name, value in attributes.items()
    )


def join(parts: Iterable[str]) -> Html:
    """Put parts one after another, escaping those that are mere text."""
    return Html("".join(part if isinstance(part, Html) else html.escape(_shown(part)) for part in parts))


def _shown(text: str) -> str:
    """Make text visible as it is: what has no glyph, or would turn the direction of reading, is replaced."""
    cut = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}… ({len(text):,} characters)"
    return "".join("�" if unicodedata.category(c)[0] == "C" and c != "\n" else c for c in cut)


def count(value: float | None) -> str:
    """Write a count: ``20,072``."""
    return _NOTHING if value is None else f"{value:,.0f}"


def decimal(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Write a number with so many decimals, with a sign if asked for, and a true minus."""
    if value is None or not math.isfinite(value):
        return _NOTHING
    rounded = round(value, digits) + 0.0  # a minus before nothing but zeros would mean nothing
    return f"{rounded:{'+' if sign and rounded else ''},.{digits}f}".replace("-", "\N{MINUS SIGN}")


def percent(value: float | None) -> str:
    """Write a rate in percent: ``1.14%``, ``80.6%``."""
    if value is None or not math.isfinite(value):
        return _NOTHING
    return f"{100 * value:.{2 if abs(value) < _TENTH else 1}f}%"


def rate(value: float | None, low: float | None, high: float | None) -> str:
    """Write a rate with its interval: ``1.14% [1.00, 1.30]``."""
    if value is None or low is None or high is None:
        return _NOTHING
    digits = 2 if abs(value) < _TENTH else 1
    return f"{percent(value)} [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"


def times(value: float, low: float, high: float) -> str:
    """Write a factor with its interval: ``2.5 [1.8, 3.6]``, below 2 to the second decimal: ``1.35 [0.85, 2.14]``."""
    digits = 1 if value >= 2 else 2  # noqa: PLR2004 - below, a tenth is too coarse
    shown = [f">{_HUGE}" if x >= _HUGE else f"{x:.{digits}f}" for x in (value, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def p_value(value: float | None) -> str:
    """Write a probability of error: ``0.028``, ``<0.001``."""
    if value is None or not math.isfinite(value):
        return _NOTHING
    return "<0.001" if value < _SURE else f"{value:.3f}"


def moment(time: datetime) -> str:
    """Write a moment: ``3 March 2026, 14:00``."""
    return f"{time.day} {time:%B %Y, %H:%M}"


def numbers(table: Html) -> Html:
    """Fold a table away under what it is the numbers of."""
    return element("details", element("summary", "The numbers"), table)


def number_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    caption: str,
    *,
    n_texts: int = 1,
    n_notes: int = 0,
    classes: str = "",
) -> Html:
    """Make a table that scrolls by itself where the page is narrow.

    Args:
        heads: Headings of the columns.
        rows: Cells of the rows; the first names the row.
        caption: What the table shows.
        n_texts: How many columns from the left hold text.
        n_notes: How many columns from the right do; those between hold numbers and are set to the right.
        classes: Classes of the table element.
    """
    is_text = [index < n_texts or index >= len(heads) - n_notes for index in range(len(heads))]
    styles = ["text" if text else "number" for text in is_text]
    head = join(element("th", text, scope="col", class_=style) for text, style in zip(heads, styles, strict=True))
    body = join(element("tr", _row(cells, styles)) for cells in rows)
    table = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", head)),
        element("tbody", body),
        class_=classes,
    )
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _row(cells: Sequence[str], styles: Sequence[str]) -> Html:
    first = element("th", cells[0], scope="row", class_=styles[0])
    rest = (element("td", text, class_=style) for text, style in zip(cells[1:], styles[1:], strict=True))
    return join([first, *rest])


def page(title: str, body: Html) -> str:
    """Make the whole page: one file that fetches nothing and runs nothing, which it also tells the browser."""
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="color-scheme" content="light dark">'),
            Html('<link rel="icon" href="data:,">'),
            element("title", title),
            Html(f"<style>{_STYLE.replace('%PICKED%', _PICKED)}</style>"),
        ]
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'


_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

MOST_CHOICES: Final = 16
"""Choices that a picker may offer: the style knows them by number."""

_PICKED: Final = ", ".join(f".picker:has(#pick-{n}:checked) .choice-{n}" for n in range(MOST_CHOICES))

_STYLE: Final = """
:root { --paper: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --panel: #f6f8fa; --blue: #0072b2;
  --warn: #d55e00; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e6e9ec; --soft: #a3adb8; --line: #363d46; --panel: #1c2229; --blue: #56b4e9;
    --warn: #e69f00; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; }
p { margin: .4rem 0; max-width: 46rem; }
.soft, figcaption, caption { color: var(--soft); font-size: .9rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem; margin: 1.2rem 0; }
.facts div { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.facts dt { color: var(--soft); font-size: .85rem; }
.facts dd { margin: 0; font-size: 1.5rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums; }
.facts dd.note { font-size: .85rem; font-weight: 400; color: var(--soft); }
dl.facts { padding: 0; }
figure { margin: 1rem 0; }
figcaption { margin-top: .3rem; max-width: 46rem; }
svg.chart { display: block; max-width: 100%; height: auto; }
.middle svg.chart { width: 42rem; }
.scroll { overflow-x: auto; margin: .8rem 0; }
.scroll:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(27rem, 100%), 1fr)); gap: 0 1.5rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .3rem; max-width: min(46rem, calc(100vw - 2rem)); }
td, th { overflow-wrap: break-word; min-width: 4.5rem; }
th, td { padding: .28rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; text-align: left;
  font-weight: 400; }
thead th { font-weight: 600; vertical-align: bottom; }
tbody th { min-width: 9rem; }
.number { text-align: right; white-space: nowrap; overflow-wrap: normal; }
.reading th { min-width: 17rem; } .reading td, .reading th + th { min-width: 9rem; }
.notice { border-left: 4px solid var(--warn); background: var(--panel); padding: .6rem .9rem; margin: .8rem 0;
  max-width: 46rem; }
.notice ul { margin: .2rem 0; padding-left: 1.2rem; }
@supports selector(:has(*)) { .choice { display: none; } %PICKED% { display: block; } }
fieldset { border: 0; margin: .2rem 0 .6rem; padding: 0; }
fieldset div { display: flex; flex-wrap: wrap; gap: .3rem; align-items: center; margin: .25rem 0; }
fieldset div > .soft { min-width: 5.5rem; }
fieldset label { position: relative; cursor: pointer; }
fieldset input { position: absolute; opacity: 0; }
fieldset label span { display: inline-block; padding: .1rem .6rem; border: 1px solid var(--line); border-radius: 1rem;
  font-size: .85rem; background: var(--panel); }
fieldset input:checked + span { border-color: var(--blue); color: var(--blue); font-weight: 600; }
fieldset input:focus-visible + span { outline: 2px solid var(--blue); outline-offset: 2px; }
details { margin: .4rem 0; }
summary { cursor: pointer; color: var(--blue); font-size: .9rem; }
.key { display: inline-block; margin-right: 1.2rem; white-space: nowrap; }
.key svg { vertical-align: -.1em; margin-right: .3em; }
.mono td { font-family: ui-monospace, Consolas, "Liberation Mono", monospace; font-size: .85em; }
@media (max-width: 42rem) { .wide svg.chart { max-width: 44rem; width: auto; } .middle svg.chart { max-width: none;
  width: 29rem; } }
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --panel: #f4f4f4; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  figure, tr, .facts div { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; } fieldset, summary { display: none; }
  .wide svg.chart, .middle svg.chart { max-width: 100%; }
}
"""


def drawing(chart: AnyChart, name: str, alt_text: str, size: str = "") -> Html:
    """Draw a chart that has words beside it.

    Args:
        chart: The chart.
        name: Name of the drawing, unique on the page.
        alt_text: What it shows, in numbers where possible.
        size: ``wide`` or ``middle`` for a chart that scrolls on a phone rather than shrink.
    """
    image = element("div", Html(to_svg(chart, name)), role="img", aria_label=alt_text)
    if not size:
        return image
    return element(
        "div", image, class_=f"scroll {size}", tabindex="0", role="region", aria_label=f"chart {name}, scrollable"
    )


def figure(chart: AnyChart, name: str, caption: str, alt_text: str, size: str = "") -> Html:
    """Put a drawing into a figure with its caption; the arguments are those of :func:`drawing`.

    Args:
        chart: The chart.
        name: Name of the drawing.
        caption: How to read it.
        alt_text: What it shows.
        size: How wide it is.
    """
    return element("figure", drawing(chart, name, alt_text, size), element("figcaption", caption))

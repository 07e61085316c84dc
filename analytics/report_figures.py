"""Charts on a page: a still drawing, words for those who cannot see it, and a caption that says how to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.charts.style import to_svg
from analytics.report_html import Html, element

if TYPE_CHECKING:
    import altair as alt

__all__ = ["drawing", "figure"]


def drawing(chart: alt.TopLevelMixin, name: str, alt_text: str, size: str = "") -> Html:
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


def figure(chart: alt.TopLevelMixin, name: str, caption: str, alt_text: str, size: str = "") -> Html:
    """Put a drawing into a figure with its caption; the arguments are those of :func:`drawing`.

    Args:
        chart: The chart.
        name: Name of the drawing.
        caption: How to read it.
        alt_text: What it shows.
        size: How wide it is.
    """
    return element("figure", drawing(chart, name, alt_text, size), element("figcaption", caption))

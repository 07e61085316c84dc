"""The charts of the report as pictures of their own, for notebooks and files. Importing this imports Altair."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analytics.charts.model import coefficient_chart
from analytics.charts.segments import heat_map, segment_chart
from analytics.charts.style import to_svg
from analytics.charts.traffic import funnel_chart, hourly_chart, traffic_by
from analytics.events.dimensions import dimensions_of

if TYPE_CHECKING:
    import altair as alt

    from scenarios.analysis import Analysis

__all__ = ["Picture", "Pictures"]

_WIDTH_PX: Final = 720


@dataclass(frozen=True)
class Picture:
    """A still drawing: a notebook shows it without a network.

    Args:
        svg: The drawing, an ``svg`` element whose text and lines take the colour of the page around it.
        shows: What it shows, for those who cannot see it.
        width_px: How wide it is shown at most.
    """

    svg: str = field(repr=False)
    shows: str
    width_px: int = _WIDTH_PX

    def _repr_html_(self) -> str:
        label = html.escape(self.shows)
        return f'<div role="img" aria-label="{label}" style="max-width:{self.width_px}px">{self.svg}</div>'

    def save(self, path: str | Path) -> None:
        """Write the drawing to an SVG file."""
        text = self.svg if "xmlns=" in self.svg else self.svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"')
        Path(path).write_text(text, encoding="utf-8")


class Pictures:
    """What can be drawn of an analysis.

    Args:
        analysis: The events and what they say.
    """

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def hourly(self) -> Picture:
        """Page views and demo requests by UTC hour, with their moving averages."""
        hours = self._analysis.settings.moving_average_hours
        moving = self._analysis.statistics.moving_average(hours)
        return _picture(
            hourly_chart(traffic_by(self._analysis.hourly(), moving)[2]),
            "hourly",
            "Page views and demo requests by hour",
        )

    def funnel(self) -> Picture:
        """How many visitors come how far."""
        return _picture(
            funnel_chart(self._analysis.statistics.funnel()), "funnel", "Visitors at each step of the funnel"
        )

    def segments(self, dimension: str) -> Picture:
        """Conversion by the values of a dimension, such as ``region``, with Wilson intervals."""
        return _picture(
            segment_chart(self._analysis.segments(*dimensions_of([dimension]))),
            f"by-{dimension}",
            f"Conversion by {dimension}",
        )

    def heat_map(self, down: str = "region", across: str = "content") -> Picture:
        """Conversion by two dimensions."""
        pairs = self._analysis.segments(*dimensions_of([down, across]))
        return _picture(heat_map(pairs), f"{down}-{across}", f"Conversion by {down} and {across}")

    def coefficients(self) -> Picture:
        """Estimates and intervals of the intent model, with the truth as a diamond where it is known.

        Raises:
            AnalyticsError: The model cannot be fitted to these visits; the message says why.
        """
        return _picture(
            coefficient_chart({"all signals": self._analysis.intent.coefficients}, {}),
            "coefficients",
            "Coefficients of the intent model",
        )


def _picture(chart: alt.TopLevelMixin, name: str, shows: str) -> Picture:
    return Picture(to_svg(chart, name), shows)

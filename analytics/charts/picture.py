"""The charts of the report as pictures of their own, for notebooks and files. Importing this imports Altair."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from analytics.charts.style import AnyChart, to_svg

__all__ = ["Picture", "picture_of"]

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


def picture_of(chart: AnyChart, name: str, shows: str) -> Picture:
    """Render a chart under a name, with words for those who cannot see it."""
    return Picture(to_svg(chart, name), shows)

"""A chart as a drawing of its own, for notebooks and files. Importing this module imports Altair."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import vl_convert

from analytics.charts.style import AnyChart, to_svg
from analytics.html.rendering import render

_WIDTH_PX: Final = 720
_PNG_SCALE: Final = 2.0
"""Pixels of a PNG file for each of the drawing, for screens with a high density."""


@dataclass(frozen=True)
class Chart:
    """A drawing that a notebook, a page or a file shows without a network.

    Args:
        svg: An ``svg`` element whose text and lines take the colour of the page around it.
        title: What it shows, for screen readers.
        width_px: Greatest width in a notebook.
    """

    svg: str = field(repr=False)
    title: str
    width_px: int = _WIDTH_PX

    def _repr_html_(self) -> str:
        return render("chart.html.j2", chart=self)

    def save(self, path: str | Path) -> None:
        """Write the drawing to a file: SVG, PNG, PDF or a page of HTML, by the suffix of its name.

        Args:
            path: The file, ending in ``.svg``, ``.png``, ``.pdf`` or ``.html``; one of that name is replaced.

        Raises:
            ValueError: The suffix is none of these.
        """
        path = Path(path)
        match path.suffix.lower():
            case ".svg":
                path.write_text(self._file_svg, encoding="utf-8")
            case ".png":
                # A PNG file has no page around it whose paper it could take.
                white = self._file_svg.replace(">", '><rect width="100%" height="100%" fill="#fff"/>', 1)
                path.write_bytes(vl_convert.svg_to_png(white, scale=_PNG_SCALE))
            case ".pdf":
                path.write_bytes(_in_order(vl_convert.svg_to_pdf(self._file_svg)))
            case ".html":
                path.write_text(render("chart_page.html.j2", chart=self), encoding="utf-8")
            case suffix:
                raise ValueError(f"{path}: a chart is saved as .svg, .png, .pdf or .html, not as {suffix!r}")

    @property
    def _file_svg(self) -> str:
        # A page needs no namespace; a file of its own is not drawn without one.
        namespace = "" if "xmlns=" in self.svg else 'xmlns="http://www.w3.org/2000/svg" '
        return self.svg.replace("<svg ", f"<svg {namespace}", 1)


def _in_order(pdf: bytes) -> bytes:
    """Sort resources of a PDF by name: svg2pdf lists them in hash order, and equal charts should make equal bytes."""
    # No object moves, so that the offsets at the end of the file stay right.
    return re.sub(rb"(?:\n */\w+ \d+ 0 R){2,}", lambda found: b"\n".join(sorted(found[0].split(b"\n"))), pdf)


def chart_of(chart: AnyChart, name: str, title: str) -> Chart:
    """Draw a chart of Altair.

    Args:
        chart: What to draw.
        name: Prefix of the identifiers within, unique on a page.
        title: What it shows, in numbers where possible, for screen readers.

    Returns:
        The drawing, which no longer depends on Altair or its data.

    Raises:
        RuntimeError: The drawing came out empty.
    """
    return Chart(to_svg(chart, name), title)

"""What objects show in a notebook: a line, tables of Polars, and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from analytics.html.frames import shown_frame
from analytics.html.rendering import render


def notebook_html(
    headline: str = "",
    *,
    name: str = "",
    description: str = "",
    frames: Sequence[pl.DataFrame] = (),
    counts: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    preformatted: str = "",
    most_rows: int = 30,
) -> str:
    """Show an object in a notebook. Texts are escaped.

    Args:
        headline: What it is, in a line.
        name: Its name, in bold, before the headline.
        description: A paragraph about it.
        frames: Tables, with up to ``most_rows`` rows each.
        counts: A table of formatted values, by name.
        notes: Remarks, as a list.
        preformatted: A text to be shown as it stands, such as a file.
        most_rows: How many rows of a table are shown.
    """
    with pl.Config(tbl_rows=most_rows, tbl_cols=-1, tbl_hide_column_data_types=True):
        tables = [shown_frame(frame)._repr_html_() for frame in frames]
    return render(
        "notebook.html.j2",
        headline=headline,
        name=name,
        description=description,
        tables=tables,
        counts=counts or {},
        notes=notes,
        preformatted=preformatted,
    )

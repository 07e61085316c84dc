"""A progress bar of plain text, for notebooks and scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from analytics.html.escaping import as_line

_WIDTH: Final = 30


def text_bar(description: str) -> Callable[[float], None]:
    """Make a progress bar of characters on standard error.

    Rich cannot update a bar in a notebook without ipywidgets. This bar shows no time, so that a notebook that is run
    again stores the same output.

    Args:
        description: What is in progress.

    Returns:
        A function that draws the share that is done, from 0 to 1; at 1 it ends the line.

    >>> text_bar("Simulating")(1.0)
    """
    drawn = -1

    def show(share: float) -> None:
        nonlocal drawn
        filled = round(_WIDTH * min(max(share, 0.0), 1.0))
        if filled == drawn:
            return  # a notebook stores every line that is written
        drawn = filled
        bar = "█" * filled + "░" * (_WIDTH - filled)
        sys.stderr.write(f"\r{as_line(description)} {bar} {share:4.0%}" + ("\n" if share >= 1 else ""))
        sys.stderr.flush()

    return show

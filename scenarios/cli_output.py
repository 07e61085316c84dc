"""What a command of the command line has to say."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from scenarios.text_table import Page, TextTable

__all__ = ["Output", "as_json", "say"]


@dataclass(frozen=True)
class Output:
    """What a command has to say.

    Args:
        text: For standard output.
        is_summary: Whether it only tells of what was done, and can be left unsaid.
        status: Exit status that goes with it.
    """

    text: str
    is_summary: bool = False
    status: int = 0


def as_json(data: object) -> str:
    """Write results as one JSON object."""
    from scenarios.files.plain_data import to_json  # noqa: PLC0415 - Polars is not needed to ask for help

    return to_json(data)


def say(text: str) -> None:
    """Write to standard output; tables are drawn where that is a terminal."""
    if isinstance(text, Page) and sys.stdout.isatty() and any(isinstance(part, TextTable) for part in text.parts):
        # Imported here: Rich takes longer to load than most commands take to answer.
        from scenarios.terminal_page import show_page  # noqa: PLC0415

        show_page(text)
    else:
        sys.stdout.write(text + "\n")
    sys.stdout.flush()

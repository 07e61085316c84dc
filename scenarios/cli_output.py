"""What a command of the command line has to say."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Output", "as_json"]


@dataclass(frozen=True)
class Output:
    """What a command has to say.

    Args:
        text: For standard output.
        is_summary: Whether it only tells of what was done, and can be left unsaid.
    """

    text: str
    is_summary: bool = False


def as_json(data: object) -> str:
    """Write results as one JSON object."""
    from scenarios.results import to_json  # noqa: PLC0415 - Polars is not needed to ask for help

    return to_json(data)

"""What is shown on a terminal while something takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

__all__ = ["QUIET", "ProgressBar", "is_quiet", "progress_bar", "text_bar"]

_BAR_WIDTH: Final = 30

QUIET: Final = ContextVar("quiet", default=False)
"""Whether the user wants to see results and errors only."""


def is_quiet() -> bool:
    """Whether the user wants to see results and errors only."""
    return QUIET.get()


@dataclass(frozen=True)
class ProgressBar:
    """What may be told to a progress bar; when there is nobody to see it, nothing comes of it.

    Args:
        share: Told the share that is done, from 0 to 1; None when there is nobody to see it.
        announce: Told what is going on from now on, where no share can be named.
    """

    share: Callable[[float], None] | None = None
    announce: Callable[[str], None] = lambda _: None


@contextmanager
def progress_bar(what: str) -> Iterator[ProgressBar]:
    """Show a progress bar on standard error, if that is a terminal and nobody has asked for quiet.

    Args:
        what: What is going on.
    """
    if is_quiet() or not sys.stderr.isatty():
        yield ProgressBar()
        return
    # Imported here: nobody who redirects the output should wait for it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)

        def announce(now: str) -> None:
            for known in bar.task_ids:
                bar.remove_task(known)
            bar.add_task(now, total=None)  # a bar without an end, as nobody knows how far it is

        yield ProgressBar(lambda share: bar.update(task, completed=share), announce)


def text_bar(what: str) -> Callable[[float], None]:
    """Make a bar of plain characters on standard error, which a notebook shows as a terminal does.

    It shows no time, so that a notebook that is run again shows the same.

    Args:
        what: What is going on.

    Returns:
        To be told the share that is done, from 0 to 1; at 1 the line ends.
    """
    drawn = -1

    def show(share: float) -> None:
        nonlocal drawn
        filled = round(_BAR_WIDTH * min(max(share, 0.0), 1.0))
        if filled == drawn:
            return  # a notebook keeps every line that it is told
        drawn = filled
        bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
        print(f"\r{what} {bar} {share:4.0%}", end="\n" if share >= 1 else "", file=sys.stderr, flush=True)  # noqa: T201

    return show

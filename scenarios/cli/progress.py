"""The progress bar of a command, drawn by Rich on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from analytics.html.escaping import as_line
from scenarios.cli.output import is_quiet


class ProgressBar:
    """A progress bar, and how many of the tasks are done.

    Args:
        progress: Draws the bar.
        description: What is in progress.
    """

    def __init__(self, progress: Progress, description: str) -> None:
        self._progress = progress
        self._task = progress.add_task(escape(as_line(description)), total=1.0)
        self.done, self.total = 0, 0

    def share(self, share: float) -> None:
        """Show the share that is done.

        Args:
            share: From 0 to 1.
        """
        self._progress.update(self._task, completed=share)

    def count(self, done: int, total: int) -> None:
        """Show how many tasks are done, of how many.

        Args:
            done: Finished tasks, also those of an earlier call that is being resumed.
            total: Tasks known to be needed; 0 counts as all done.
        """
        self.done, self.total = done, total
        self.share(done / total if total else 1.0)

    def announce(self, step: str) -> None:
        """Show a step whose duration is unknown, in place of the share that is done.

        Args:
            step: What begins now, such as ``Writing the report``.
        """
        # A new task: Rich cannot take the total from one that has it.
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(escape(as_line(step)), total=None)


@contextmanager
def progress_bar(description: str) -> Iterator[ProgressBar]:
    """Show a progress bar while a block runs, if standard error is a terminal and ``--quiet`` was not given.

    Args:
        description: What is in progress.

    Yields:
        The bar, which counts also where it is not shown.

    >>> with progress_bar("Simulating") as bar:
    ...     bar.count(3, 4)
    >>> bar.done, bar.total
    (3, 4)
    """
    hidden = is_quiet() or not sys.stderr.isatty()
    # A disabled bar takes all calls and draws nothing, so that no caller needs to know whether there is one.
    with Progress(console=Console(stderr=True), transient=True, disable=hidden) as progress:
        yield ProgressBar(progress, description)

"""What is shown on a terminal while something takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float], None] | None]:
    """Show a progress bar on standard error, if that is a terminal.

    Args:
        what: What is going on.

    Yields:
        A function to be told the share that is done, from 0 to 1; None when there is nobody to see it.
    """
    if not sys.stderr.isatty():
        yield None
        return
    # Imported here: nobody who redirects the output should wait for it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)

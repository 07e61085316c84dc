"""Claims about what Rich draws: tables and the progress bar."""

from __future__ import annotations

import io
import re
import sys
import time

import pytest

from scenarios.cli.output import QUIET
from scenarios.cli.progress import progress_bar
from scenarios.cli.text.tables import Page, alert, table

PAGE = Page(
    ["[bold]a[/] <b> :smile:", "", table([("[red]x", "1,000")], ("name", "n")), table([("y", "2")]), alert("  warning")]
)
PLAIN = "[bold]a[/] <b> :smile:\n\n  name        n\n  [red]x  1,000\n  y  2\n  warning"


class Terminal(io.StringIO):
    """A terminal that keeps what it was shown."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int = 60) -> Terminal:
    """A terminal in place of both streams; pytest would replace those that a fixture had set."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return shown


def test_a_pipe_gets_plain_text() -> None:
    """Columns are aligned; there is neither colour nor wrapping, and user text is never markup."""
    assert str(PAGE) == PLAIN
    long = "word " * 100 + "end"
    assert str(Page([long, table([(long, "1")])])) == f"{long}\n  {long}  1"


def test_a_terminal_gets_the_same_text_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers and warnings stand out; with NO_COLOR there is no colour; without the codes the text is the same."""
    terminal(monkeypatch)
    assert "\x1b[1;33m  warning" in str(PAGE)
    assert re.sub(r"\x1b\[[\d;]*m", "", str(PAGE)) == PLAIN
    monkeypatch.setenv("NO_COLOR", "1")
    assert "33m" not in str(PAGE)


def test_a_narrow_terminal_cuts_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table wider than the terminal folds its cells; every character is still there, and no ellipsis."""
    terminal(monkeypatch, columns=20)
    cell = "".join(chr(ord("a") + n) for n in range(26))
    shown = str(Page([table([(cell, "12,345")])]))
    assert max(map(len, shown.splitlines())) <= 20
    assert sorted(c for c in shown if c.isalpha()) == list(cell)


def test_a_terminal_shows_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar first shows the share that is done, and then each step by name, as text and not as markup."""
    drawn = terminal(monkeypatch)
    with progress_bar("Simulating [b]") as bar:
        bar.count(1, 2)
        time.sleep(0.15)  # Rich draws ten times a second
        bar.announce("Analysing")
        time.sleep(0.15)
    shown = drawn.getvalue()
    assert 0 <= shown.find("Simulating [b]") < shown.find("50%") < shown.find("Analysing")
    assert (bar.done, bar.total) == (1, 2)


def test_nothing_else_shows_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --quiet, and where standard error is no terminal, nothing is drawn."""
    shown = terminal(monkeypatch)
    token = QUIET.set(True)
    try:
        with progress_bar("Simulating") as bar:
            bar.share(1.0)
    finally:
        QUIET.reset(token)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar("Simulating") as bar:
        bar.announce("Analysing")
    assert (shown.getvalue(), sys.stderr.getvalue()) == ("", "")

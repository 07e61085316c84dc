"""Commands, called in this process or as a process of their own."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from typing import Any, Final

import pytest

from scenarios.cli.app import main

COMMAND: Final = [sys.executable, "-m", "funnelsim"]
"""The command as a process of its own, for claims about signals, pipes and imports."""


class _Stream(TextIOWrapper):
    def __init__(self, *, is_terminal: bool) -> None:
        self.written = BytesIO()
        self._is_terminal = is_terminal
        super().__init__(self.written, encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return self._is_terminal


class Ended:
    """How a command ended in this process: its exit status, and what it wrote to both streams.

    Args:
        arguments: Words after ``funnelsim``.
        on_terminal: Whether both streams claim to be terminals.
    """

    def __init__(self, *arguments: object, on_terminal: bool = False) -> None:
        out, err = _Stream(is_terminal=on_terminal), _Stream(is_terminal=on_terminal)
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        self.status = caught.value.code
        self.raw = out.written.getvalue()
        self.out, self.err = self.raw.decode(), err.written.getvalue().decode()

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as data."""
        data: dict[str, Any] = json.loads(self.out)
        return data

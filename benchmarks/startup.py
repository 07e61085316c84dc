"""Start-up time of ``funnelsim --help``, plain into a pipe and drawn by Rich on a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from benchmarks.measuring import Comparison, Subject

_HELP: Final = ("-c", "from scenarios.cli.app import main; main()", "--help")
"""What the installed script ``funnelsim`` does."""


def _start(*arguments: str) -> Subject:
    def once() -> int:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return 1

    return once


def _start_on_terminal(*arguments: str) -> Subject:
    def once() -> int:
        reader, terminal = os.openpty()
        with subprocess.Popen([sys.executable, *arguments], stdout=terminal):
            os.close(terminal)
            with suppress(OSError):  # how Linux reports the end of a terminal
                while os.read(reader, 65_536):
                    pass
        os.close(reader)
        return 1

    return once


def _prepare() -> Mapping[str, Subject]:
    return {
        "python -c pass": _start("-c", "pass"),
        "funnelsim --help | cat": _start(*_HELP),
        "funnelsim --help": _start_on_terminal(*_HELP),
    }


COMPARISON: Final = Comparison("start-up", "Start-up", "starts", _prepare)

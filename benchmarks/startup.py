"""How long ``funnelsim --help`` takes, against an interpreter that does nothing, in starts a second."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from benchmarks.measuring import Comparison, Subject

__all__ = ["COMPARISON"]


def _start(*arguments: str) -> Subject:
    def once() -> int:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return 1

    return once


def _prepare() -> Mapping[str, Subject]:
    return {"python -c pass": _start("-c", "pass"), "funnelsim --help": _start("-m", "funnelsim", "--help")}


COMPARISON: Final = Comparison("start-up", "Start-up", "starts", _prepare)

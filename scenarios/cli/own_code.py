"""Where an unexpected error came from, if the user's own code caused it."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from traceback import extract_tb
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_PACKAGES: Final = ("analytics", "funnelsim", "scenarios", "simulator")
_NOT_OWN: Final = (
    *(_ROOT / name for name in _PACKAGES),
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)


def place_in_own_code(error: BaseException) -> str:
    """Return where an error passed through the user's own code last, such as ``my_chat.py:12, in on_view``.

    Args:
        error: An error that was raised.

    Returns:
        The place; empty if all code is that of funnelsim, of installed packages and of Python.
    """
    # SimPy raises the error of a process again, as a copy of its cause.
    frames = [frame for each in (error, error.__cause__) for frame in (extract_tb(each.__traceback__) if each else [])]
    # A script like .venv/bin/funnelsim has no suffix, and code that is made at run time has no file.
    own = [
        frame
        for frame in frames
        if frame.filename.endswith(".py") and not any(Path(frame.filename).is_relative_to(path) for path in _NOT_OWN)
    ]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}, in {own[-1].name}" if own else ""

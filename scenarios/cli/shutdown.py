"""Signals that request an end: they end a command as an exception does, so that it cleans up."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Final, NoReturn

_SIGNALLED: Final = 128
"""The exit status of a process that a signal has ended is this plus the number of the signal."""

_AGAIN_S: Final = 0.05
"""Seconds after which a signal that could not be acted on is sent once more."""

_CAN_WAKE: Final = hasattr(signal, "pthread_kill")
"""Whether this system can send a signal to a single thread (Windows cannot)."""

_IMPORTS: Final = "<frozen importlib."
"""Beginning of the file name of every frame of Python's import system."""


@contextmanager
def graceful_shutdown() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP raise ``SystemExit``, as Ctrl-C raises ``KeyboardInterrupt``, and lose none of them.

    A signal during an import waits until the import is over: modules written in C may swallow any exception while they
    are imported. An exception that Python cannot raise, as in a callback, is repeated.

    Yields:
        The signals that have raised an exception, which a library may have made another one of; see :func:`end_by`.
    """
    requests = list[int]()

    def end(request: int, frame: FrameType | None) -> None:
        if _imports(frame):
            _repeat(request)
        else:
            requests.append(request)
            end_by(request)

    names = ("SIGTERM", "SIGHUP", "SIGINT")
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names if hasattr(signal, name)}
    for request, handler in before.items():
        # A process started by nohup or behind an ampersand must go on ignoring the signal.
        if handler is not signal.SIG_IGN:
            signal.signal(request, end)
    hook, sys.unraisablehook = sys.unraisablehook, _repeat_lost
    try:
        yield requests
    finally:
        sys.unraisablehook = hook
        for request, handler in before.items():
            signal.signal(request, handler)


def end_by(request: int) -> NoReturn:
    """Raise the exception that a signal asks for.

    Args:
        request: Number of the signal.
    """
    if request == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(_SIGNALLED + request)


def _imports(frame: FrameType | None) -> bool:
    """Whether an import is under way in this frame or above it."""
    while frame is not None and not frame.f_code.co_filename.startswith(_IMPORTS):
        frame = frame.f_back
    return frame is not None


def _repeat_lost(lost: sys.UnraisableHookArgs) -> None:
    """Repeat the signal whose exception Python has dropped; pass other dropped exceptions on to Python.

    Args:
        lost: The exception, and where it was raised: in a callback or a finaliser, which cannot raise.
    """
    error = lost.exc_value
    if isinstance(error, KeyboardInterrupt):
        _repeat(signal.SIGINT)
    elif isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > _SIGNALLED:
        _repeat(error.code - _SIGNALLED)
    else:
        sys.__unraisablehook__(lost)


def _repeat(request: int) -> None:
    """Send a signal to this process once more, a moment later.

    Args:
        request: Number of the signal.
    """
    # To the main thread, which alone handles signals, and which this wakes if it waits (except on Windows).
    send = partial(signal.pthread_kill, threading.main_thread().ident or 0) if _CAN_WAKE else signal.raise_signal
    again = threading.Timer(_AGAIN_S, send, [request])
    again.daemon = True
    again.start()

"""Claims about requests to end a command."""

from __future__ import annotations

import importlib
import signal
import sys
import time
import weakref
from pathlib import Path

import pytest

from scenarios.cli.shutdown import graceful_shutdown


class _Thing:
    """An object to which a weak reference can point."""


@pytest.mark.parametrize(("sent", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_request_that_python_could_not_raise_is_repeated(sent: signal.Signals, raised: type[BaseException]) -> None:
    """An exception in the callback of a weak reference is lost; the command ends all the same, and soon."""
    things, began = [_Thing()], time.monotonic()
    reference = weakref.ref(things[0], lambda _: signal.raise_signal(sent))

    def command() -> None:
        with graceful_shutdown():
            things.clear()
            time.sleep(10)

    with pytest.raises(raised) as caught:
        command()
    assert reference() is None
    assert time.monotonic() - began < 5
    if raised is SystemExit:
        assert caught.value.args == (128 + sent,)


def test_other_lost_errors_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """An error in a callback is printed and ends nothing; afterwards the hook is as before."""
    before = sys.unraisablehook
    thing = _Thing()
    reference = weakref.ref(thing, lambda _: 1 / 0)
    with graceful_shutdown():
        del thing
    assert reference() is None
    assert sys.unraisablehook is before
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_request_waits_for_an_import_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that swallows every exception while it is imported is imported completely, and then the command ends."""
    swallows = "try: signal.raise_signal(signal.SIGTERM)\nexcept BaseException: pass\nelse: whole = True\n"
    (tmp_path / "swallows.py").write_text(f"import signal\n{swallows}")
    monkeypatch.syspath_prepend(tmp_path)

    def command() -> None:
        with graceful_shutdown():
            assert importlib.import_module("swallows").whole
            time.sleep(10)

    with pytest.raises(SystemExit) as caught:
        command()
    assert caught.value.code == 128 + signal.SIGTERM


def test_an_ignored_signal_stays_ignored() -> None:
    """A Ctrl-C that was ignored before, as behind an ampersand, is still ignored, and handlers are restored."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with graceful_shutdown():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)

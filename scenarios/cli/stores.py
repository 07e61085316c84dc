"""Commands about event stores on disk: ingest and stats."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scenarios.cli.output import Output, as_json
from scenarios.errors import InputError

if TYPE_CHECKING:
    from analytics.durable.settings import Fsync

__all__ = ["ingest", "register", "stats"]

_WATCH_S: Final = 2.0
_CLEAR: Final = "\x1b[2J\x1b[H"

_Store = Annotated[Path, typer.Option("--store", metavar="DIR", help="Folder of the store.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(ingest)
    app.command()(stats)


def ingest(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="NDJSON ('-' is stdin), gzipped or not, Parquet, or kafka://HOST:PORT/TOPIC."
        ),
    ],
    store: _Store,
    fsync: Annotated[
        str,
        typer.Option(metavar="POLICY", help="When events go to the disk: always, never, or within so many seconds."),
    ] = "always",
    batch: Annotated[int, typer.Option(min=1, help="Events to take in at once, at most.")] = 10_000,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more at the end, until interrupted.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Events come as they happen: those that do not say so arrive when read.")
    ] = False,
    json: _Json = False,
) -> Output:
    """Take events in to a store on disk, or go on where that was left."""
    from analytics.durable.settings import StoreSettings  # noqa: PLC0415
    from analytics.ingestion import ingest as take_in  # noqa: PLC0415
    from scenarios.cli.store_text import ingest_text  # noqa: PLC0415

    settings = StoreSettings(fsync=_policy(fsync))
    with _input_errors(), _stopping() as stop:
        done = take_in(sources, store, settings, n_events=batch, follow=follow, live=live, stop=stop)
    return Output(as_json(done.to_dict()) if json else ingest_text(done, store), is_summary=not json)


def stats(
    store: _Store,
    by: Annotated[
        list[str] | None, typer.Option(metavar="DIMENSION", help="Cut page views by this; may be repeated.")
    ] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Say it again every two seconds, until interrupted.")] = False,
    json: _Json = False,
) -> Output:
    """Say what a store holds, also while events are taken in to it."""
    from scenarios.cli.store_text import stats_data, stats_text  # noqa: PLC0415

    def said(*, at_once: bool) -> str:
        data = stats_data(store, by or [])
        if not json:
            return stats_text(data)
        return as_json(data) if at_once else " ".join(as_json(data).split("\n"))

    with _input_errors(), _stopping() as stop:
        while watch and not stop.is_set() and _shown(said(at_once=False), clear=not json):
            stop.wait(_WATCH_S)
        return Output(said(at_once=not watch))


def _policy(text: str) -> Fsync:
    """Read when events are to go to the disk."""
    if text == "always":
        return "always"
    if text == "never":
        return "never"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:  # noqa: PLR2004 - an hour
        raise InputError(f"--fsync: must be always, never, or seconds, more than 0 and at most 3600 (got {text!r})")
    return seconds


def _shown(text: str, *, clear: bool) -> bool:
    """Show the state of things; False when nobody reads on."""
    try:
        sys.stdout.write((_CLEAR if clear and sys.stdout.isatty() else "") + text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return False
    return True


@contextmanager
def _input_errors() -> Iterator[None]:
    """Tell of what was wrong with what was given; that the disk is full is not of that kind."""
    from analytics.errors import AnalyticsError, StoreWriteError  # noqa: PLC0415 - as below

    try:
        yield
    except StoreWriteError:
        raise
    except AnalyticsError as error:
        raise InputError(str(error)) from error


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Give an event that is set when the user or the system asks for an end, instead of ending at once."""
    stop = threading.Event()
    requests = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {request: signal.signal(request, lambda *_: stop.set()) for request in requests}
    try:
        yield stop
    finally:
        for request, handler in before.items():
            signal.signal(request, handler)

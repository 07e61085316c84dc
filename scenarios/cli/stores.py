"""Commands about event stores on disk: ingest and stats."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from analytics.durable.settings import Fsync, StoreSettings
from analytics.errors import AnalyticsError, StoreWriteError
from analytics.ingestion import ingest as ingest_events
from analytics.io.reading import EventFormat
from scenarios.cli.options import (
    AnalysisConfig,
    AnalysisOverrides,
    InputFormat,
    JsonOutput,
    PagesFile,
    Stitch,
    StoreFolder,
    TableType,
)
from scenarios.cli.output import Output, say
from scenarios.cli.runs import chosen_settings
from scenarios.cli.text.runs import invalid_events
from scenarios.cli.text.stores import ingest_text, stats_data, stats_text
from scenarios.errors import InputError
from scenarios.files.plain_data import shown_json

_WATCH_S: Final = 2.0
"""Seconds between two states of ``--watch``."""

_CLEAR: Final = "\x1b[2J\x1b[H"
"""Erases the screen of a terminal and goes to its top left corner."""

_LONGEST_FSYNC_S: Final = 3600
"""Most seconds of events that a power failure may take; more is a mistake."""


def ingest(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Files, folders or patterns such as 'logs/*.ndjson'; '-' is standard input; or kafka://HOST:PORT/TOPIC.",
        ),
    ],
    store: StoreFolder,
    fsync: Annotated[str, typer.Option(metavar="POLICY", help="When to flush: always, never, or seconds.")] = "always",
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Events in one batch, at most.")] = 50_000,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more until interrupted.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Take the time of reading as arrival time of events without receivedAt.")
    ] = False,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Sort history by hour first, whatever its order; needs room on the disk.")
    ] = False,
    config: AnalysisConfig = None,
    set_: AnalysisOverrides = None,
    format_: InputFormat = None,
    type_: TableType = None,
    json: JsonOutput = False,
) -> Output:
    """Add events to a store on disk, or resume that."""
    privacy = chosen_settings(config, set_ or (), None, stitch=None)[0].privacy
    settings, form = StoreSettings(fsync=_policy(fsync), privacy=privacy), EventFormat(format_, type_)
    if backfill and (follow or live):
        now = "--follow" if follow else "--live"
        raise InputError(f"--backfill: is for history, and {now} for what comes now; backfill first, then run without")
    with input_errors(), stop_requested() as stop:
        done = ingest_events(
            sources, store, settings, n_events=batch, follow=follow, live=live, backfill=backfill, form=form, stop=stop
        )
    if json:
        return Output(shown_json(done.to_dict()))
    warnings = (*done.warnings, *invalid_events(done.counts, done.invalid_by_reason))
    return Output(ingest_text(done, store), is_summary=True, warnings=warnings)


def stats(
    store: StoreFolder,
    by: Annotated[
        list[str] | None, typer.Option(metavar="DIMENSION", help="Group page views by this; may be repeated.")
    ] = None,
    config: AnalysisConfig = None,
    set_: AnalysisOverrides = None,
    *,
    pages: PagesFile = None,
    stitch: Stitch = None,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat every two seconds, until interrupted.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with status 1 where the store is not healthy.")] = False,
    max_lag: Annotated[
        float | None,
        typer.Option("--max-lag", min=0, metavar="SECONDS", help="Stream time further behind is not healthy."),
    ] = None,
    json: JsonOutput = False,
) -> Output:
    """Print what a store contains, also while it grows."""
    settings, _ = chosen_settings(config, set_ or (), pages, stitch=stitch)
    lag = None if max_lag is None else timedelta(seconds=max_lag)

    def state() -> tuple[object, bool]:
        now = None if lag is None else datetime.now(UTC)
        data = stats_data(store, by or [], settings, now=now, max_lag=lag)
        # One line for each state, so that a reader of the stream knows where it ends.
        text = shown_json(data, indent=None if watch else 2) if json else stats_text(data)
        return text, bool(data["health"]["problems"])

    with input_errors(), stop_requested() as stop:
        while watch and not stop.is_set() and _shown(state()[0], clear=not json):
            stop.wait(_WATCH_S)
        # Once more after the request to end, so that the last state is never an old one.
        text, is_degraded = state()
        return Output(text, status=int((check or lag is not None) and is_degraded))


# Typer has no options that are a number or a word.
def _policy(text: str) -> Fsync:
    """Read when to flush to the disk.

    Args:
        text: ``always``, ``never``, or a number of seconds.

    Raises:
        InputError: It is none of these.

    >>> _policy("never"), _policy("5")
    ('never', 5.0)
    """
    if text == "always":
        return "always"
    if text == "never":
        return "never"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_FSYNC_S:
        raise InputError(f"--fsync: must be always, never, or seconds, more than 0 and at most 3600 (got {text!r})")
    return seconds


def _shown(state: object, *, clear: bool) -> bool:
    """Show the state; False if the reader has closed the pipe.

    Args:
        state: A text or a page.
        clear: Whether it takes the place of the last state, where there is a terminal.
    """
    try:
        say(state, before=_CLEAR if clear and sys.stdout.isatty() else "")
    except BrokenPipeError:
        return False
    return True


@contextmanager
def input_errors() -> Iterator[None]:
    """Report an error in the input as such; a full disk is none.

    Raises:
        InputError: The block raised an error about the events, the source or the folder of the store.
        StoreWriteError: The store cannot be written, which the user's input did not cause.
    """
    try:
        yield
    except StoreWriteError:  # is an AnalyticsError too
        raise
    except AnalyticsError as error:
        raise InputError(str(error)) from error


@contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """Provide an event that is set when the user or the system requests an end, instead of ending at once.

    Yields:
        The event. The handlers of signals are as before when the block is left.
    """
    # An event, not an exception: a batch is stored whole, and the checkpoint after it is written.
    stop = threading.Event()
    requests = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {request: signal.signal(request, lambda *_: stop.set()) for request in requests}
    try:
        yield stop
    finally:
        for request, handler in before.items():
            signal.signal(request, handler)

"""Commands that pass on the events of a run: replay and export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from analytics.html.escaping import Rendered, as_lines
from scenarios.cli.options import JsonOutput, RunFolder
from scenarios.cli.output import Output, notify, silence_stdout
from scenarios.cli.progress import progress_bar
from scenarios.errors import InputError
from scenarios.files.plain_data import shown_json
from scenarios.replays.export import ExportForm, export as export_tables
from scenarios.replays.recorded_run import ReplayOrder
from scenarios.replays.sending import ReplayResult, replay as send


def replay(
    run: RunFolder,
    *,
    to: Annotated[
        str, typer.Option(metavar="TARGET", help="stdout, file:PATH, http(s)://HOST or kafka:BROKERS/TOPIC.")
    ],
    speed: Annotated[
        str, typer.Option(metavar="N", help="Recorded seconds per second; max is as fast as possible.")
    ] = "60",
    order: Annotated[ReplayOrder, typer.Option(help="Order by time of arrival, or by event time.")] = "arrival",
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="First time to replay.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Time to stop before.")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the position in this file, and resume from it.")
    ] = None,
    write_key: Annotated[
        str, typer.Option(envvar="FUNNELSIM_WRITE_KEY", metavar="KEY", help="Segment's write key, for HTTP.")
    ] = "",
    max_retries: Annotated[int, typer.Option(min=0, metavar="N", help="Retries before giving up, for HTTP.")] = 10,
    json: JsonOutput = False,
) -> Output | None:
    """Send the events of a run to a pipeline, at a chosen pace."""
    # Two streams in one could not be told apart by a reader.
    if json and to == "stdout":
        raise InputError("--json: standard output receives the events; give another --to")
    with _ends_handled(resume), progress_bar(f"Replaying {run.name}") as bar:
        result = send(
            run,
            to=to,
            speed=_speed(speed),
            order=order,
            since=_time("--from", since),
            until=_time("--until", until),
            resume=resume,
            write_key=write_key,
            max_retries=max_retries,
            progress=bar.share,
            announce=notify,
        )
        if to != "stdout":  # a summary among the events would be no event
            return Output(shown_json(result.to_dict()) if json else _replay_text(result), is_summary=not json)
    return None


def export(
    run: RunFolder,
    *,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the tables.")],
    form: Annotated[
        ExportForm, typer.Option("--format", help="Segment warehouse tables for dbt, plain CSV, or Parquet.")
    ] = "segment-warehouse",
    json: JsonOutput = False,
) -> Output:
    """Write the events of a run as Segment warehouse tables."""
    tables = export_tables(run, to=to, form=form)
    if json:
        return Output(shown_json({"folder": str(to), "tables": tables}))
    lines = [f"{name}: {n:,}" for name, n in tables.items()]
    return Output(as_lines([*lines, "", f"tables: {to}"]), is_summary=True)


# Typer has no options that are a number or a word.
def _speed(text: str) -> float | Literal["max"]:
    """Read a speed.

    Args:
        text: Recorded seconds per second, or ``max``.

    Raises:
        InputError: It is neither.

    >>> _speed("60"), _speed("max")
    (60.0, 'max')
    """
    if text == "max":
        return "max"
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--speed: must be a number greater than 0, or max (got {text!r})") from None


def _time(option: str, text: str | None) -> datetime | None:
    """Read a time; one without a zone is in UTC.

    Args:
        option: The option, for the message.
        text: The time in ISO 8601; None where the option is not given.

    Raises:
        InputError: It is no time.

    >>> _time("--from", "2026-03-03T09:00").isoformat()
    '2026-03-03T09:00:00+00:00'
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: must be a time such as 2026-03-03T09:00:00Z (got {text!r})") from None
    # As everywhere in funnelsim, a time without a zone is UTC and not that of this machine.
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@contextmanager
def _ends_handled(resume: Path | None) -> Iterator[None]:
    """Explain how to resume an interrupted replay; end one whose reader has closed the pipe (``| head``) as done.

    Args:
        resume: The file with the position, if it is saved.
    """
    try:
        yield
    except BrokenPipeError:
        silence_stdout()
    except KeyboardInterrupt:
        if resume is not None:
            notify(f"the position is saved in {resume}; run the same command to resume", even_if_quiet=True)
        raise


def _replay_text(result: ReplayResult) -> Rendered:
    """Summarise a replay: lines sent, the recorded time they cover, delays and retries.

    Args:
        result: What was sent, and what was not.
    """
    pace = "as fast as possible" if result.speed is None else f"at {result.speed:g} times the recorded pace"
    lines = [f"{result.sent:,} lines sent to {result.to} in {result.seconds:.1f} s, {pace}"]
    if result.resumed_at:
        lines.append(f"  resumed after {result.resumed_at:,} lines that were acknowledged before")
    if result.first and result.last:
        first, last = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (result.first, result.last))
        behind = "" if result.speed is None else f", at most {result.behind_seconds:.2f} s behind schedule"
        lines.append(f"  recorded from {first} to {last}{behind}")
    lines.append(f"  batches: {result.batches:,}, retries: {result.retries:,}")
    lines += [f"  not sent ({reason.replace('_', ' ')}): {n:,}" for reason, n in result.not_sent.items()]
    return as_lines(lines)

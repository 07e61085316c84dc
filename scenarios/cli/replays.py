"""The commands of the command line that bring a run's events to others: replay and export."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scenarios.cli.output import Output, as_json
from scenarios.errors import InputError

if TYPE_CHECKING:
    from scenarios.replays.sending import ReplayResult

__all__ = ["ExportFormat", "ReplayOrderChoice", "export", "register", "replay"]

_Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/baseline-seed7.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


class ReplayOrderChoice(StrEnum):
    """By which time events take their turn."""

    ARRIVAL = "arrival"
    EVENT_TIME = "event-time"


class ExportFormat(StrEnum):
    """Form of the tables of an export."""

    SEGMENT_WAREHOUSE = "segment-warehouse"
    CSV = "csv"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(replay)
    app.command()(export)


def replay(
    run: _Run,
    *,
    to: Annotated[str, typer.Option(metavar="WHERE", help="stdout, file:PATH, http(s)://HOST or kafka:BROKERS/TOPIC.")],
    speed: Annotated[
        str, typer.Option(metavar="N", help="Recorded seconds to a second; max is as fast as possible.")
    ] = "60",
    order: Annotated[
        ReplayOrderChoice, typer.Option(help="By the time of arrival, or by the time at which things happened.")
    ] = ReplayOrderChoice.ARRIVAL,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="First moment to replay.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Moment to stop before.")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep in this file how far it has come, and go on from there.")
    ] = None,
    write_key: Annotated[
        str, typer.Option(envvar="FUNNELSIM_WRITE_KEY", metavar="KEY", help="Segment's write key, for HTTP.")
    ] = "",
    max_retries: Annotated[int, typer.Option(min=0, help="Tries in a row before giving up, for HTTP.")] = 10,
    json: _Json = False,
) -> Output | None:
    """Send a run's events to a pipeline, at the pace in which they once came or faster."""
    from scenarios.replays.sending import replay as send  # noqa: PLC0415
    from scenarios.run.progress import progress_bar  # noqa: PLC0415

    if json and to == "stdout":
        raise InputError("--json: standard output is where the events go; give another --to")
    with _readers_may_leave(), progress_bar(f"Replaying {run.name}") as bar, _telling_how_to_go_on(resume):
        result = send(
            run,
            to=to,
            speed=_speed(speed),
            order=order.value,
            since=_moment("--from", since),
            until=_moment("--until", until),
            resume=resume,
            write_key=write_key,
            max_retries=max_retries,
            progress=bar.share,
            announce=_complaining(),
        )
        if to != "stdout":
            return Output(as_json(result.to_dict()) if json else _replay_text(result), is_summary=not json)
    return None


def export(
    run: _Run,
    *,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the tables.")],
    form: Annotated[
        ExportFormat, typer.Option("--format", help="Tables as Segment's warehouses have them, in CSV or Parquet.")
    ] = ExportFormat.SEGMENT_WAREHOUSE,
    json: _Json = False,
) -> Output:
    """Write a run's events as the tables of a Segment warehouse, which dbt's Segment package reads."""
    from scenarios.replays.export import export as write  # noqa: PLC0415

    tables = write(run, to=to, form=form.value)
    if json:
        return Output(as_json({"folder": str(to), "tables": tables}))
    lines = [f"{name}: {n:,}" for name, n in tables.items()]
    return Output("\n".join([*lines, "", f"tables: {to}"]), is_summary=True)


def _speed(text: str) -> float | Literal["max"]:
    if text == "max":
        return "max"
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--speed: must be a number greater than 0, or max (got {text!r})") from None


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: must be a time such as 2026-03-03T09:00:00Z (got {text!r})") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _complaining() -> Callable[[str], None]:
    from scenarios.run.progress import is_quiet  # noqa: PLC0415

    def complain(message: str) -> None:
        if not is_quiet():
            sys.stderr.write(f"funnelsim: {message}\n")

    return complain


@contextmanager
def _telling_how_to_go_on(resume: Path | None) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if resume is not None:
            sys.stderr.write(f"funnelsim: {resume} keeps how far it has come; the same command goes on from there\n")
        raise


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """Let a reader who has read enough (``| head``) end a replay, which is no failure."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _replay_text(result: ReplayResult) -> str:
    """Say how a replay went."""
    pace = "as fast as possible" if result.speed is None else f"at {result.speed:g} times the speed"
    lines = [f"{result.sent:,} lines sent to {result.to} in {result.seconds:.1f} s, {pace}"]
    if result.resumed_at:
        lines.append(f"  after {result.resumed_at:,} that had been acknowledged before")
    if result.first and result.last:
        first, last = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (result.first, result.last))
        behind = "" if result.speed is None else f", at most {result.behind_seconds:.2f} s behind their turn"
        lines.append(f"  recorded from {first} to {last}{behind}")
    lines.append(f"  batches: {result.batches:,}, sent again: {result.retries:,}")
    lines += [f"  not sent, because {reason.replace('_', ' ')}: {n:,}" for reason, n in result.not_sent.items()]
    return "\n".join(lines)

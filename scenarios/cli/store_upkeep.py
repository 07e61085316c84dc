"""Commands that mend a store: reprocess, rewind and forget."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final, cast

import typer

from analytics.durable.side_file import LeftBehind
from analytics.durable.upkeep.forgetting import forget as forget_person
from analytics.durable.upkeep.reprocessing import reprocess as reprocess_letters
from analytics.durable.upkeep.rewinding import rewind as rewind_store
from analytics.io.reading import EventFormat
from scenarios.cli.options import InputFormat, JsonOutput, StoreFolder, TableType
from scenarios.cli.output import Output
from scenarios.cli.stores import input_errors, stop_requested
from scenarios.cli.text.stores import counts_text, forgotten_text, rewound_text
from scenarios.errors import InputError
from scenarios.files.plain_data import shown_json

_KINDS: Final = ("dead-letters", "late")


def reprocess(
    store: StoreFolder,
    from_: Annotated[str, typer.Option("--from", metavar="KIND", help="What to take in: dead-letters or late.")],
    format_: InputFormat = None,
    type_: TableType = None,
    *,
    json: JsonOutput = False,
) -> Output:
    """Take dead letters or late events of a store in again."""
    if from_ not in _KINDS:
        raise InputError(f"--from: must be dead-letters or late (got {from_!r})")
    with input_errors(), stop_requested() as stop:
        done = reprocess_letters(store, cast("LeftBehind", from_), form=EventFormat(format_, type_), stop=stop)
    if json:
        return Output(shown_json(done.to_dict()))
    return Output(counts_text(done.counts, store, was_stopped=done.was_stopped), is_summary=True)


def forget(
    store: StoreFolder,
    person: Annotated[
        str, typer.Option("--person", metavar="ID", help="A user id, a browser's anonymousId or a mail address.")
    ],
    *,
    json: JsonOutput = False,
) -> Output:
    """Remove a person from a store, and prove it."""
    with input_errors():
        done = forget_person(store, person)
    if json:
        return Output(shown_json(asdict(done) | {"identifiers": len(done.identifiers), "n_events": done.n_events}))
    return Output(forgotten_text(done, store), is_summary=True)


def rewind(
    store: StoreFolder,
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="Latest believable time, as 2026-03-03T10:00Z.")],
    *,
    json: JsonOutput = False,
) -> Output:
    """Set stream time back after a wrong clock has moved it."""
    try:
        moment = datetime.fromisoformat(to)
    except ValueError:
        raise InputError(f"--to: must be a time such as 2026-03-03T10:00Z (got {to!r})") from None
    with input_errors():
        done = rewind_store(store, moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if json:
        facts = {"stream_time": done.stream_time, "removed": done.n_removed, "hours_back": done.n_hours}
        return Output(shown_json(facts))
    return Output(rewound_text(done, store), is_summary=True)

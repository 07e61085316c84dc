"""Commands that mend a store: reprocess, rewind and forget."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final, cast

import typer

from analytics.durable.settings import StoreSettings
from analytics.durable.side_file import LeftBehind
from analytics.durable.upkeep.forgetting import forget as forget_person
from analytics.durable.upkeep.reprocessing import reprocess as reprocess_letters
from analytics.durable.upkeep.rewinding import rewind as rewind_store
from analytics.events.dead_letters import DeadLetterReason
from analytics.io.reading import EventFormat
from scenarios.cli.options import AnalysisConfig, InputFormat, JsonOutput, StoreFolder, TableType
from scenarios.cli.output import Output
from scenarios.cli.runs import chosen_settings
from scenarios.cli.stores import input_errors, stop_requested
from scenarios.cli.text.stores import forgotten_text, reprocessed_text, rewound_text
from scenarios.errors import InputError, did_you_mean
from scenarios.files.plain_data import shown_json

_KINDS: Final = ("dead-letters", "late")


def reprocess(
    store: StoreFolder,
    from_: Annotated[str, typer.Option("--from", metavar="KIND", help="What to take in: dead-letters or late.")],
    reason: Annotated[
        list[str] | None, typer.Option(metavar="REASON", help="Only dead letters of this reason; may be repeated.")
    ] = None,
    format_: InputFormat = None,
    type_: TableType = None,
    *,
    config: AnalysisConfig = None,
    json: JsonOutput = False,
) -> Output:
    """Take dead letters or late events of a store in again."""
    if from_ not in _KINDS:
        raise InputError(f"--from: must be dead-letters or late (got {from_!r})")
    kind, form, reasons = (
        cast("LeftBehind", from_),
        EventFormat(format_, type_),
        [_reason(each) for each in reason or ()],
    )
    with input_errors(), stop_requested() as stop:
        done = reprocess_letters(store, kind, _settings(config), reasons=reasons, form=form, stop=stop)
    if json:
        return Output(shown_json(done.to_dict()))
    return Output(reprocessed_text(done, store), is_summary=True)


def forget(
    store: StoreFolder,
    person: Annotated[
        str, typer.Option("--person", metavar="ID", help="A user id, a browser's anonymousId or a mail address.")
    ],
    config: AnalysisConfig = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    json: JsonOutput = False,
) -> Output:
    """Remove a person from a store, and prove it.

    Exit status 1 says that nothing of the person was found.
    """
    with input_errors():
        done = forget_person(store, person, _settings(config), dry_run=dry_run)
    status = 0 if done.is_found else 1
    if json:
        facts = asdict(done) | {"identifiers": len(done.identifiers), "n_events": done.n_events, "dry_run": dry_run}
        return Output(shown_json(facts), status=status)
    return Output(forgotten_text(done, store, dry_run=dry_run), is_summary=done.is_found, status=status)


def rewind(
    store: StoreFolder,
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="Latest believable time, as 2026-03-03T10:00Z.")],
    config: AnalysisConfig = None,
    *,
    json: JsonOutput = False,
) -> Output:
    """Set stream time back after a wrong clock has moved it."""
    try:
        # A date alone would be its midnight, and make dead letters of all its events.
        moment = datetime.fromisoformat(to if len(to) > len("2026-03-03") else "")
    except ValueError:
        raise InputError(f"--to: must be a date with a time, such as 2026-03-03T10:00Z (got {to!r})") from None
    with input_errors():
        done = rewind_store(store, moment if moment.tzinfo else moment.replace(tzinfo=UTC), _settings(config))
    if json:
        facts = {"stream_time": done.stream_time, "removed": done.n_removed, "hours_back": done.n_hours}
        return Output(shown_json(facts))
    return Output(rewound_text(done, store), is_summary=True)


def _settings(config: str | None) -> StoreSettings:
    """Settings of a store whose key of privacy is in a file."""
    return StoreSettings(privacy=chosen_settings(config, (), None, stitch=None)[0].privacy)


def _reason(name: str) -> DeadLetterReason:
    """Read a reason.

    Raises:
        InputError: There is none of this name.
    """
    try:
        return DeadLetterReason(name)
    except ValueError:
        known = [str(each) for each in DeadLetterReason]
        raise InputError(f"--reason: there is no reason {name!r}{did_you_mean(name, known)}") from None

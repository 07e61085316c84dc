"""Salvaging what is whole of a damaged store."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, compress
from pathlib import Path
from typing import Final

import polars as pl

from analytics.durable.archive import unreadable
from analytics.durable.checked_lines import read_checked
from analytics.durable.checkpoint import (
    CHECKPOINT_FILE,
    Checkpoint,
    Part,
    read_checkpoint,
    read_settings,
    write_checkpoint,
)
from analytics.durable.dead_letter_lines import read_letter
from analytics.durable.files import StoreLock, make_folder, put_file, remove_file, size_of, writing
from analytics.durable.journal_file import (
    FILE_HEADER,
    Record,
    packed,
    records_in,
    scanned_segment,
    segments,
)
from analytics.durable.opening import open_store
from analytics.durable.records import RecordKind, batch_payload, read_batch, read_table
from analytics.durable.recovery import StorePaths
from analytics.durable.side_file import as_it_is, found_state, without_again
from analytics.durable.upkeep.verification import damages_of_journal, number_of, parts_of, shortened_files
from analytics.durable.window_files import read_part
from analytics.errors import StoreCorruptError
from analytics.store.buckets import HourReports
from analytics.store.counts import Counts, StoreCounters
from analytics.store.deliveries import event_hours
from analytics.store.hour import NO_TIMED_EVENTS

# A store that has no checkpoint any more counts by these.
_WINDOW_HOURS: Final = 24
_SKEW_SECONDS: Final = 60.0


def recover_store(folder: Path) -> tuple[str, ...]:
    """Let a damaged store open again, with all that is whole of it; what is damaged is kept in the folder ``damaged``.

    Batches behind a damaged one are taken in, and what was cut off a journal before. Where the checkpoint is lost, the
    counts begin anew with the events of the window and of the journal, and sources are read again from their beginning:
    what is in the window counts as duplicate then.

    Args:
        folder: Folder of the store.

    Returns:
        What was done, a sentence each; nothing for a sound store.

    Raises:
        StoreError: There is no store, another process writes to it, or it cannot be written to.
    """
    paths, done = StorePaths(folder), list[str]()
    number_of(folder)
    lock = StoreLock(folder)
    try:
        with writing(folder):
            make_folder(paths.damaged)
            checkpoint = _mended_checkpoint(paths, done)
            if paths.settings.exists() and read_settings(folder) is None:
                _keep_aside(paths, paths.settings)
                done.append(f"{paths.settings.name} was damaged, and is written again from the checkpoint")
            _mend_journal(paths, checkpoint.number, done)
            _mend_archive(paths, done)
            _mend_lines(paths, checkpoint, done)
    finally:
        with suppress(OSError):  # something is kept in it
            paths.damaged.rmdir()
        lock.release()
    with open_store(folder) as store:
        for path in sorted(paths.damaged.glob("*.journal")):
            n = 0
            for record in records_in(path.read_bytes()):
                if record.kind == RecordKind.BATCH:
                    batch = read_batch(record.payload)
                    n += store.append_flattened(batch.events, arrived_at=batch.arrived_at, again=True).received
            done.append(f"{n:,} events were taken in of what had been cut off the journal ({path.name})")
            store.checkpoint()
            _keep_aside(paths, path)
    return tuple(done)


def _mended_checkpoint(paths: StorePaths, done: list[str]) -> Checkpoint:
    """The checkpoint, without the files of the window that are damaged, or a new one."""
    try:
        checkpoint = read_checkpoint(paths.folder)
    except StoreCorruptError:
        checkpoint = None
        _keep_aside(paths, paths.folder / CHECKPOINT_FILE)
    if checkpoint is None:
        mended = _new_checkpoint(paths)
        n = sum(part.n_events for part in mended.parts)
        unknown = f"; the window has {_WINDOW_HOURS} hours, and settings of privacy must be given again"
        done.append(
            f"the checkpoint is lost: counts and offsets begin anew, with {n:,} events of the window, before those of "
            "the journal; of the hours in the archive nothing is counted any more"
            f"{'' if read_settings(paths.folder) else unknown}"
        )
    else:
        mended = _with_whole_parts(checkpoint, paths, done)
    if mended != checkpoint:
        write_checkpoint(paths.folder, mended)
    # Only now: before, the checkpoint needed them.
    for part in set(parts_of(checkpoint)) - set(parts_of(mended)):
        _keep_aside(paths, paths.window / part.name)
    return mended


def _with_whole_parts(checkpoint: Checkpoint, paths: StorePaths, done: list[str]) -> Checkpoint:
    bad = [part for part in parts_of(checkpoint) if not _is_whole(paths, part)]
    for part in bad:
        if part == checkpoint.redeliveries:
            done.append("what was delivered more than once is forgotten; it may count as a conflict again")
        else:
            done.append(f"{part.n_events:,} events of the window are lost ({part.name}); the counts include them still")
    redeliveries = None if checkpoint.redeliveries in bad else checkpoint.redeliveries
    parts = tuple(part for part in checkpoint.parts if part not in bad)
    return checkpoint.model_copy(update={"parts": parts, "redeliveries": redeliveries})


def _is_whole(paths: StorePaths, part: Part) -> bool:
    try:
        read_part(paths.window, part)
    except StoreCorruptError:
        return False
    return True


def _new_checkpoint(paths: StorePaths) -> Checkpoint:
    """A checkpoint of what files of the window can be read, from before the first record of the journal."""
    parts, tables = list[Part](), list[pl.DataFrame]()
    for path in sorted(paths.window.glob("*.arrow")):
        data = path.read_bytes()
        try:
            table = read_table(data).select(NO_TIMED_EVENTS.columns)
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
            _keep_aside(paths, path)
            continue
        hour = int(event_hours(table).max())
        parts.append(Part(name=path.name, n_events=table.height, last_hour=hour, crc32=zlib.crc32(data)))
        tables.append(table.select("type", "event_time"))
    events = pl.concat([NO_TIMED_EVENTS.select("type", "event_time"), *tables])
    counters = StoreCounters(Counts(received=events.height, accepted=events.height))
    counters.accepted_by_type.update(dict(events["type"].cast(pl.String).value_counts().iter_rows()))
    stream_ms = events.select(pl.col("event_time").max().dt.epoch("ms")).item()
    reports = HourReports().to_dict()
    unknown = {"window_hours": _WINDOW_HOURS, "skew_seconds": _SKEW_SECONDS, "privacy": {}}
    return Checkpoint(
        number=_number_before_journal(paths),
        **(read_settings(paths.folder) or unknown),
        summary={"stream_ms": stream_ms, "tallies": counters.to_dict(), "reports": reports},
        offsets={},
        parts=tuple(parts),
        dead_letters=found_state(paths.dead_letters),
        late=found_state(paths.late),
    )


def _number_before_journal(paths: StorePaths) -> int:
    """Number of the checkpoint that is lost: that before the first record, and never one of a file of the window."""
    first = min((record.number for record in _records(paths)), default=0)
    named = [int(path.name[:20]) for path in paths.window.glob("[0-9]*.arrow")]
    begun = [int(path.stem) - 1 for path in segments(paths.journal)]
    return first - 1 if first else max((0, *named, *begun))


def _records(paths: StorePaths) -> Iterator[Record]:
    """All whole records of the journal, also those behind damage."""
    for path in segments(paths.journal):
        try:
            segment = scanned_segment(path)
        except StoreCorruptError:
            yield from records_in(path.read_bytes())
        else:
            yield from (*segment.records, *records_in(segment.doubtful))


def _mend_journal(paths: StorePaths, number: int, done: list[str]) -> None:
    """Write the whole records of a damaged journal one after the other, and keep the damaged files."""
    damages = list(damages_of_journal(paths, number))
    if not damages:
        return
    records = [record for record in _records(paths) if record.number > number]
    # Sources are read again from before the first record that is missing: what is there already is a duplicate.
    found = (each if each.number == number + k else _without_position(each) for k, each in enumerate(records, 1))
    renumbered = (packed(replace(each, number=number + k, n_synced=0)) for k, each in enumerate(found, 1))
    # Until all is done the copies count as not yet in the store: one that dies takes them in when it is run again.
    old, new = segments(paths.journal), paths.journal / f"{number + 1:020}.journal"
    copies = [paths.damaged / path.name for path in old]
    for path, copy in zip(old, copies, strict=True):
        put_file(copy, path.read_bytes())
    for path in old:
        if path != new:
            remove_file(path)
    put_file(new, FILE_HEADER + b"".join(renumbered))
    for copy in copies:
        _keep_aside(paths, copy)
    n_missing = max((record.number for record in records), default=number) - number - len(records)
    done.append(
        f"the journal was damaged ({len(damages):,} places): {len(records):,} whole batches were kept, and at least "
        f"{max(n_missing, 0):,} lost; the next ingest of a source begins before what is lost of it, and counts as "
        "duplicate what is there already"
    )


def _without_position(record: Record) -> Record:
    """A record that does not say how far its source was read."""
    if record.kind != RecordKind.BATCH:
        return record
    return replace(record, payload=batch_payload(replace(read_batch(record.payload), position=None)))


def _mend_archive(paths: StorePaths, done: list[str]) -> None:
    """Take damaged hours out of the archive; where entries of it are damaged, those that can be read stay."""
    damages = list(paths.archive.damages())
    has_lost_entries = any(damage.path == paths.archive.sums for damage in damages)
    for damage in damages:
        if damage.path == paths.archive.sums:
            continue
        if has_lost_entries and not unreadable(damage.path):
            paths.archive.record(damage.path)
            done.append(f"{damage.path}: its checksum is lost; the hour is kept as it is")
        elif has_lost_entries and not damage.path.exists():
            paths.archive.record(damage.path)
            done.append(f"{damage.path}: was removed, or is lost: its entry is damaged")
        else:
            aside = _keep_aside(paths, damage.path)
            paths.archive.remove([damage.path])
            done.append(f"{damage}; kept as {aside}. The hour is lost, unless a copy of the file is put back")


def _mend_lines(paths: StorePaths, checkpoint: Checkpoint, done: list[str]) -> None:
    """Move damaged lines of the files of letters, and of the archive's checksums, to files of their own."""
    ends, n_moved = {paths.dead_letters: checkpoint.dead_letters.end, paths.late: checkpoint.late.end}, 0
    done += [f"{damage}; what is missing of it is lost" for damage in shortened_files(paths, checkpoint)]
    for path in (*paths.letter_files(), paths.archive.sums):
        read = read_checked if path == paths.archive.sums else read_letter
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        is_bad = [not line.isspace() and read(line) is None for line in lines]
        n_moved += sum(is_bad)
        if any(is_bad):
            put_file(aside := _free_name(paths, path.name), b"".join(compress(lines, is_bad)))
            put_file(path, b"".join(line for line, bad in zip(lines, is_bad, strict=True) if not bad))
            done.append(f"{path}: damaged lines were moved to {aside} ({sum(is_bad):,})")
        if path in ends:
            ends[path] -= _n_bytes_before(ends[path], lines, is_bad)
    mended = checkpoint.model_copy(
        update={
            "dead_letters": as_it_is(checkpoint.dead_letters, paths.dead_letters, ends[paths.dead_letters]),
            "late": as_it_is(checkpoint.late, paths.late, ends[paths.late]),
            "archive_sums_end": min(checkpoint.archive_sums_end, size_of(paths.archive.sums)),
            "offsets": without_again(checkpoint.offsets) if n_moved else checkpoint.offsets,
        }
    )
    if mended != checkpoint:
        write_checkpoint(paths.folder, mended)


def _n_bytes_before(end: int, lines: Sequence[bytes], chosen: Sequence[bool]) -> int:
    """Bytes of the chosen lines that begin before a position."""
    begins = accumulate(map(len, lines), initial=0)
    return sum(len(line) for line, begin in compress(zip(lines, begins, strict=False), chosen) if begin < end)


def _keep_aside(paths: StorePaths, path: Path) -> Path:
    aside = _free_name(paths, path.name)
    with suppress(FileNotFoundError):  # it is what is missing
        os.replace(path, aside)  # noqa: PTH105 - see analytics.durable.files
    return aside


def _free_name(paths: StorePaths, name: str) -> Path:
    """A name for what is kept, of which nothing more can be had."""
    number = 1
    while (path := paths.damaged / f"{name}.{number}.used").exists():
        number += 1
    return path

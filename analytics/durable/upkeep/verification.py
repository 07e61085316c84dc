"""Checking a store against the checksums of its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from analytics.durable.checkpoint import (
    CHECKPOINT_FILE,
    Checkpoint,
    Part,
    read_checkpoint,
    read_settings,
)
from analytics.durable.dead_letter_lines import read_letter
from analytics.durable.files import reading, size_of
from analytics.durable.journal_file import (
    records_after,
    scanned_segment,
    segments,
)
from analytics.durable.recovery import StorePaths
from analytics.durable.window_files import read_part
from analytics.errors import Damage, StoreCorruptError, StoreFormatError

# Of a store that is written to meanwhile: damage is there at every look.
_MOST_LOOKS: Final = 4


def verify_store(folder: Path) -> tuple[Damage, ...]:
    """Check every file of a store that has a checksum; nothing is changed, and a process may write to it meanwhile.

    Args:
        folder: Folder of the store.

    Returns:
        What is not as it was written; nothing of a sound store.

    Raises:
        StoreFormatError: There is no store, or a newer version has written it.

    >>> import tempfile
    >>> from analytics import open_store
    >>> with tempfile.TemporaryDirectory() as place:
    ...     open_store(place).close()
    ...     verify_store(Path(place))
    ()
    """
    paths = StorePaths(folder)
    before, found = number_of(folder), tuple(_damages(paths))
    for _ in range(_MOST_LOOKS):
        # A checkpoint meanwhile removes files, and a process may have been writing a file of the archive anew.
        if not found and before == number_of(folder):
            break
        before, again = number_of(folder), set(_damages(paths))
        found = tuple(damage for damage in found if damage in again)
    return found


def number_of(folder: Path) -> int | None:
    """Number of the last checkpoint of a store; None where that is lost.

    Raises:
        StoreFormatError: There is no store.
    """
    try:
        checkpoint = read_checkpoint(folder)
    except StoreCorruptError:
        return None
    if checkpoint is None and not (folder / "journal").is_dir():
        raise StoreFormatError(f"{folder}: is not the folder of a store: there is no {CHECKPOINT_FILE} in it")
    return None if checkpoint is None else checkpoint.number


def _damages(paths: StorePaths) -> Iterator[Damage]:
    try:
        checkpoint = read_checkpoint(paths.folder)
    except StoreCorruptError as error:
        checkpoint = None
        yield error.damage
    else:
        if checkpoint is None:
            yield Damage(paths.folder / CHECKPOINT_FILE, "is missing")
    if paths.settings.exists() and read_settings(paths.folder) is None:
        yield Damage(paths.settings, "is not what was written")
    for part in parts_of(checkpoint):
        try:
            read_part(paths.window, part)
        except StoreCorruptError as error:
            yield error.damage
    yield from damages_of_journal(paths, None if checkpoint is None else checkpoint.number)
    if checkpoint is not None:
        yield from shortened_files(paths, checkpoint)
    yield from paths.archive.damages()
    for file in paths.letter_files():
        yield from _damaged_lines(file)
    if paths.forgetting.exists():
        yield Damage(paths.forgetting, "is of a forget that did not come to its end; run it again")
    kept = sorted(paths.damaged.glob("*.journal"))
    yield from (Damage(path, "was cut off the journal, and is not in the store") for path in kept)


def shortened_files(paths: StorePaths, checkpoint: Checkpoint) -> Iterator[Damage]:
    """Files of lines that are missing, or shorter than they were."""
    ends = {paths.dead_letters: checkpoint.dead_letters.end, paths.late: checkpoint.late.end}
    ends[paths.archive.sums] = checkpoint.archive_sums_end
    for state, path in ((checkpoint.dead_letters, paths.dead_letters), (checkpoint.late, paths.late)):
        ends |= {path.with_name(file.name): file.n_bytes for file in state.older}
    for path, end in ends.items():
        if size_of(path) < end:
            yield Damage(path, f"has {size_of(path):,} bytes of {end:,}" if path.exists() else "is missing")
        elif end and _byte_at(path, end - 1) != b"\n":
            yield Damage(path, f"does not end a line at byte {end:,}, as it did")


def _byte_at(path: Path, position: int) -> bytes:
    with reading(path), path.open("rb") as file:
        file.seek(position)
        return file.read(1)


def damages_of_journal(paths: StorePaths, number: int | None) -> Iterator[Damage]:
    """Damages of the journal of a store, whose checkpoint has this number if it has one."""
    found = []
    for path in segments(paths.journal):
        try:
            segment = scanned_segment(path)
        except StoreCorruptError as error:
            yield error.damage
            continue
        found.append(replace(segment, doubtful=b""))
        if segment.doubtful:
            yield Damage(path, f"is damaged at byte {segment.end:,}: a record there is not what was written")
    if number and not segments(paths.journal):
        yield Damage(paths.journal, "has no segment, so that what came after the checkpoint is missing")
    try:
        if number is not None:
            list(records_after(found, number))
    except StoreCorruptError as error:
        yield error.damage


def _damaged_lines(path: Path) -> Iterator[Damage]:
    with reading(path), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            # A process may be in the midst of the last line.
            if line.endswith(b"\n") and not line.isspace() and read_letter(line) is None:
                yield Damage(path, f"line {number:,} is not what was written")


def parts_of(checkpoint: Checkpoint | None) -> tuple[Part, ...]:
    """The files that a checkpoint names."""
    if checkpoint is None:
        return ()
    return tuple(part for part in (*checkpoint.parts, checkpoint.redeliveries) if part is not None)

"""Checkpoints: the state of a store at one moment, so that only later records of the journal must be replayed.

A checkpoint is ``checkpoint.json``, which names the *parts*: files in ``window/`` with the accepted events of the
window, as Arrow streams. Each checkpoint adds a part with the events since the last one. Small parts are joined as
their number grows, and a part is removed when the last of its hours has left the window. So the parts stay few, and an
event is written only a few times.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from analytics.durable.checked_lines import checked_line, read_checked
from analytics.durable.files import put_file, reading
from analytics.durable.journal_file import FORMAT, refuse_newer
from analytics.durable.side_file import SideFileState
from analytics.errors import StoreCorruptError, StoreError

CHECKPOINT_FILE: Final = "checkpoint.json"
"""Name of the file in the store's folder."""

SETTINGS_FILE: Final = "store.json"
"""Name of the file that has the settings once more."""

# Unknown fields are refused: the next checkpoint would lose them silently.
_FROZEN: Final = ConfigDict(frozen=True, extra="forbid")


class Part(BaseModel):
    """A file with accepted events of the window, or with redeliveries.

    Args:
        name: Name of the file.
        n_events: Rows of its table.
        last_hour: The latest hour of its rows, in epoch milliseconds.
        crc32: Checksum of the file.
    """

    model_config = _FROZEN

    name: str
    n_events: int
    last_hour: int
    crc32: int


class Checkpoint(BaseModel):
    """The state of a store at one moment, but for the events, which are in the parts.

    Args:
        number: Number of the last record of the journal whose effect it includes.
        window_hours: Hours in the window.
        skew_seconds: How far ahead of its arrival an event may claim to have happened.
        summary: Stream time, counts and revisions; see :attr:`analytics.EventStore.summary`.
        offsets: How far each source had been read.
        parts: Files with the accepted events of the window.
        redeliveries: File with the redeliveries, if there are any; under its old name ``repeats`` in the file.
        dead_letters: The files of dead letters.
        late: The files of late events.
        archive_sums_end: Length of the file with the checksums of the archive, in bytes.
        forgotten_in_archive: Events that had been forgotten in the archive; the counts have them too.
        privacy: What becomes of personal data; see :attr:`analytics.durable.privacy.Privacy.record`.
    """

    model_config = _FROZEN

    number: int
    window_hours: int
    skew_seconds: float
    summary: dict[str, Any]
    offsets: dict[str, Mapping[str, int]]
    parts: tuple[Part, ...] = ()
    redeliveries: Part | None = Field(default=None, alias="repeats")
    dead_letters: SideFileState = SideFileState()
    late: SideFileState = SideFileState()
    archive_sums_end: int = 0
    forgotten_in_archive: int = 0
    privacy: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _of_format_1(cls, data: object) -> object:
        """The fields of format 1 under their present names."""
        if isinstance(data, dict) and "dead_letters_end" in data:
            data = dict(data)
            data["dead_letters"] = {"end": data.pop("dead_letters_end"), "tail": data.pop("dead_letters_tail")}
        return data


def keep_settings(folder: Path, checkpoint: Checkpoint, privacy: Mapping[str, Any]) -> None:
    """Keep the settings of a store beside its checkpoint: a store that loses the one must not write in clear.

    Args:
        folder: Folder of the store.
        checkpoint: Its checkpoint.
        privacy: What becomes of personal data now.

    Raises:
        OSError: They cannot be written.
    """
    settings = {"window_hours": checkpoint.window_hours, "skew_seconds": checkpoint.skew_seconds, "privacy": privacy}
    if read_settings(folder) != settings:
        put_file(folder / SETTINGS_FILE, checked_line(settings))


def read_settings(folder: Path) -> dict[str, Any] | None:
    """The settings of a store as :func:`keep_settings` has written them; None where they are missing or damaged."""
    path = folder / SETTINGS_FILE
    if not path.exists():
        return None
    with reading(path):
        found = read_checked(path.read_bytes())
    return found if found is not None and set(found) == {"window_hours", "skew_seconds", "privacy"} else None


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the last checkpoint, in one step.

    Raises:
        OSError: It cannot be written; the last one is as before.
    """
    content = checkpoint.model_dump_json(by_alias=True)
    # The version is outside the content, so that an older funnelsim can read it without understanding the rest.
    head = {"format": FORMAT, "head": _head(FORMAT, content)}
    text = json.dumps(head | {"crc32": zlib.crc32(content.encode()), "content": content})
    put_file(folder / CHECKPOINT_FILE, text.encode())


def _head(number: object, content: str) -> int:
    """Checksum of the version with the content: a damaged version is not that of a newer funnelsim."""
    return zlib.crc32(f"{number} {content}".encode())


def refuse_another(folder: Path, checkpoint: Checkpoint) -> None:
    """Refuse to go on where the checkpoint of a store is not the one that its writer knows as the last.

    Raises:
        StoreError: It is another one.
    """
    found = read_checkpoint(folder)
    if found is None or found.number != checkpoint.number:
        raise StoreError(
            f"{folder}: another process has written to this store; this one writes nothing more. What it acknowledged "
            "since its last checkpoint is lost to the store: read the sources again"
        )


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the checkpoint of a store; None where there is none.

    Raises:
        StoreFormatError: A newer version has written it.
        StoreCorruptError: It is not what was written.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    with reading(path):
        data = path.read_bytes()
    try:
        written = json.loads(data)
        content = written["content"]
        # Checkpoints of earlier versions have no such checksum.
        if written.get("head", _head(written["format"], content)) != _head(written["format"], content):
            raise StoreCorruptError(path, "is not what was written: its checksum differs")
        refuse_newer(path, int(written["format"]))
        if zlib.crc32(content.encode()) != written["crc32"]:
            raise StoreCorruptError(path, "is not what was written: its checksum differs")
        return Checkpoint.model_validate_json(content)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise StoreCorruptError(path, "is not what was written") from error

"""The folder of a study: its results, and the journal by which a stopped study is resumed."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

import polars as pl

from scenarios.errors import OutputError
from scenarios.files.atomic_folder import MANIFEST
from scenarios.studies.replication import Failure, Replicated

STUDY_FILE: Final = "study.yaml"
_JOURNAL: Final = "journal.ndjson"
_SHOWN: Final = 40
"""Lines of a difference that a message shows at most."""


class StudyFolder:
    """The folder of a study.

    Its journal has a line for each finished replication, written as soon as that is known. A line that was being
    written when the process was killed is skipped, and its replication is run again.

    Args:
        path: The folder.
        journal: The journal, open for reading and appending.
    """

    def __init__(self, path: Path, journal: IO[bytes]) -> None:
        self.path = path
        self._journal = journal

    def known(self) -> list[Replicated]:
        """Replications in the journal, in the order in which they finished."""
        self._journal.seek(0)
        whole = self._journal.read()
        # After a kill the last line may be incomplete; the next line must not continue it.
        end = whole.rfind(b"\n") + 1
        self._journal.truncate(end)
        self._journal.seek(0, os.SEEK_END)
        return [entry for line in whole[:end].splitlines() if (entry := _entry(line)) is not None]

    def add(self, replicated: Replicated) -> None:
        """Write a finished replication to the journal; from then on a kill of this process does not lose it.

        Args:
            replicated: The result.
        """
        self._journal.write(json.dumps(asdict(replicated), allow_nan=False).encode() + b"\n")
        # Handed to the system after each line: a kill of the process then loses none. Only a power failure could.
        self._journal.flush()

    def write(self, frames: Mapping[str, pl.DataFrame], failures: list[dict[str, Any]]) -> str:
        """Write the results of the study; each file appears whole, or stays as it was.

        Args:
            frames: Tables by name of their file, whose ending is ``.csv`` or ``.parquet``.
            failures: One entry for each line of ``failures.ndjson``.

        Returns:
            Sha256 of ``replications.parquet``.
        """
        digest = ""
        for name, frame in frames.items():
            content = BytesIO()
            if name.endswith(".parquet"):
                frame.write_parquet(content)
                digest = hashlib.sha256(content.getvalue()).hexdigest()
            else:
                frame.write_csv(content)
            _write_whole(self.path / name, content.getvalue())
        lines = "".join(json.dumps(failure, ensure_ascii=False) + "\n" for failure in failures)
        _write_whole(self.path / "failures.ndjson", lines.encode())
        return digest

    def write_report(self, page: str) -> None:
        """Write the report.

        Args:
            page: HTML.
        """
        _write_whole(self.path / "report.html", page.encode())

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, the last of the files.

        Args:
            manifest: Plain data.
        """
        _write_whole(self.path / MANIFEST, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())


@contextmanager
def study_folder(path: Path, text: str) -> Iterator[StudyFolder]:
    """Open the folder of a study, a new one or one in which the same study has begun.

    Args:
        path: The folder.
        text: The study as a file that names no other.

    Raises:
        OutputError: The folder holds another study, or something else, or cannot be written, or is in use.
    """
    try:
        _claim(path, text)
        journal = (path / _JOURNAL).open("a+b")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    with journal:
        _lock(journal, path)
        yield StudyFolder(path, journal)


def _claim(path: Path, text: str) -> None:
    file = path / STUDY_FILE
    if not file.is_file():
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputError(f"{path}: holds something that is not a study; it is left as it is. Give another --out")
        path.mkdir(parents=True, exist_ok=True)
        # The first file of all: with it, the folder belongs to this study.
        _write_whole(file, text.encode())
        return
    there = file.read_text(encoding="utf-8")
    if there != text:
        raise OutputError(
            f"{path}: holds another study, or this one before it was changed:\n{_difference(there, text)}\n"
            "It is left as it is. Give another --out, or undo the change to resume it"
        )


def _difference(there: str, given: str) -> str:
    lines = difflib.unified_diff(
        there.splitlines(), given.splitlines(), "the study in the folder", "the study given", n=1, lineterm=""
    )
    shown = [line if len(line) <= 200 else f"{line[:199]}…" for line in lines]  # noqa: PLR2004 - some lines of a terminal
    return "\n".join([*shown[:_SHOWN], *(["…"] if len(shown) > _SHOWN else [])])


def _lock(journal: IO[bytes], path: Path) -> None:
    """Lock the folder against a second process; the lock ends with this process, however it ends."""
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise OutputError(f"{path}: another process is running this study in this folder") from None


def _entry(line: bytes) -> Replicated | None:
    """Read a line of the journal; None where it is not complete."""
    try:
        entry = json.loads(line)
        failures = tuple(
            Failure(each["stage"], each["message"], tuple(each["responses"])) for each in entry["failures"]
        )
        return Replicated(entry["key"], entry["number"], tuple(entry["values"]), failures)
    except (ValueError, TypeError, KeyError):
        return None


def _write_whole(path: Path, content: bytes) -> None:
    working = path.with_name(f".{path.name}.partial")
    working.write_bytes(content)
    # One step on the file system: a reader sees the old file or the new one.
    working.replace(path)

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

from analytics.durable.checked_lines import checked_line, without_crc
from analytics.html.escaping import as_json
from analytics.html.frames import write_csv
from scenarios.errors import InputError, OutputError
from scenarios.files.atomic_folder import MANIFEST
from scenarios.files.checksums import CHECKSUMS, Checksums, checksum_lines
from scenarios.files.folder_exchange import replace_file
from scenarios.studies.replication import Failure, Replicated

STUDY_FILE: Final = "study.yaml"
JOURNAL: Final = "journal.ndjson"
_SHOWN: Final = 40
"""Lines of a difference that a message shows at most."""


class StudyFolder:
    """The folder of a study.

    Its journal has a line for each finished replication, written as soon as that is known, with a checksum of its own.
    A last line that was being written when the process was killed is cut off, and its replication is run again.

    Args:
        path: The folder.
        journal: The journal, open for reading and appending.
    """

    def __init__(self, path: Path, journal: IO[bytes]) -> None:
        self.path = path
        self._journal = journal
        self._written: dict[str, str] = {}

    def known(self) -> list[Replicated]:
        """Replications in the journal, in the order in which they finished.

        Raises:
            OutputError: A line is damaged.
        """
        self._journal.seek(0)
        whole = self._journal.read()
        # After a kill the last line may be incomplete; the next line must not continue it.
        end = whole.rfind(b"\n") + 1
        entries, damaged = read_journal(whole[:end])
        if damaged:
            number, (_, what) = next(iter(damaged.items()))
            raise OutputError(
                f"{self.path / JOURNAL}: line {number:,} is damaged: {what}. `funnelsim recover {self.path}` moves "
                "damaged lines aside, and the study then makes these replications again"
            )
        self._journal.truncate(end)
        self._journal.seek(0, os.SEEK_END)
        return entries

    def add(self, replicated: Replicated) -> None:
        """Write a finished replication to the journal; from then on a kill of this process does not lose it.

        Args:
            replicated: The result.
        """
        # Through JSON and back, as it will be read: a tuple is a list there.
        entry = json.loads(json.dumps(asdict(replicated), allow_nan=False))
        self._journal.write(checked_line(entry))
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
        # While results are written, checksums of earlier ones would be wrong.
        _write_checksums(self.path)
        digest = ""
        for name, frame in frames.items():
            content = BytesIO()
            if name.endswith(".parquet"):
                frame.write_parquet(content)
                digest = hashlib.sha256(content.getvalue()).hexdigest()
            else:
                write_csv(frame, content)
            self._write(name, content.getvalue())
        lines = "".join(as_json(json.dumps(failure, ensure_ascii=False)) + "\n" for failure in failures)
        self._write("failures.ndjson", lines.encode())
        return digest

    def write_report(self, page: str) -> None:
        """Write the report.

        Args:
            page: HTML.
        """
        self._write("report.html", page.encode())

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, the last of the results, and the checksums of all.

        Args:
            manifest: Plain data.
        """
        self._write(MANIFEST, (as_json(json.dumps(manifest, indent=2, ensure_ascii=False)) + "\n").encode())
        _write_checksums(self.path, self._written)

    def _write(self, name: str, content: bytes) -> None:
        replace_file(self.path / name, content)
        self._written[name] = hashlib.sha256(content).hexdigest()


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
        journal = (path / JOURNAL).open("a+b")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    with journal:
        lock_journal(journal, path)
        yield StudyFolder(path, journal)


def _write_checksums(path: Path, results: Mapping[str, str] | None = None) -> None:
    """Write the checksums of a study's folder: of the study, and of the results that are complete.

    Args:
        path: The folder, with the study.
        results: Checksum of each result by the name of its file; None while there are none.
    """
    study = hashlib.sha256((path / STUDY_FILE).read_bytes()).hexdigest()
    replace_file(path / CHECKSUMS, checksum_lines({STUDY_FILE: study, **(results or {})}))


def lock_journal(journal: IO[bytes], path: Path) -> None:
    """Lock a study's folder against a second process; the lock ends with this process, however it ends.

    Args:
        journal: Its journal, open.
        path: The folder, for the message.

    Raises:
        OutputError: Another process has locked it.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise OutputError(f"{path}: another process is running this study in this folder") from None


def read_journal(lines: bytes) -> tuple[list[Replicated], dict[int, tuple[bytes, str]]]:
    """Read whole lines of a journal.

    Args:
        lines: Lines, each with its newline.

    Returns:
        The replications, and of each damaged line by its number, from 1: its bytes, and what is wrong with it.
    """
    entries, damaged = [], {}
    for number, line in enumerate(lines.split(b"\n")[:-1], 1):
        try:
            entries.append(_entry(line))
        except (ValueError, TypeError, KeyError) as error:
            is_own = type(error) is ValueError and not isinstance(error, UnicodeError)
            damaged[number] = line, str(error) if is_own else "it is no entry"
    return entries, damaged


def _entry(line: bytes) -> Replicated:
    """Read a line of the journal.

    Raises:
        ValueError: It is not what was written; KeyError and TypeError likewise.
    """
    entry = without_crc(json.loads(line))
    failures = tuple(Failure(each["stage"], each["message"], tuple(each["responses"])) for each in entry["failures"])
    if entry.keys() != {"key", "number", "values", "failures"}:
        raise ValueError("it has other keys")
    return Replicated(entry["key"], entry["number"], tuple(entry["values"]), failures)


def _claim(path: Path, text: str) -> None:
    """Make the folder that of a study, or check that it is.

    Raises:
        OutputError: It is that of another study, or of something else.
    """
    file, given = path / STUDY_FILE, text.encode()
    there, recorded = file.read_bytes() if file.is_file() else None, _recorded(path)
    is_same = recorded == hashlib.sha256(given).hexdigest()
    if there == given or is_same:
        if there != given:
            replace_file(file, given)  # it was damaged since, and this is what it was
        if not is_same:  # of an earlier version, or damaged: the study itself is there
            _write_checksums(path)
    elif there is None:
        if path.exists() and (not path.is_dir() or not _is_fresh(path)):
            raise OutputError(f"{path}: holds something that is not a study; it is left as it is. Give another --out")
        path.mkdir(parents=True, exist_ok=True)
        # The first file of all: with it, the folder belongs to this study.
        replace_file(file, given)
        _write_checksums(path)
    elif recorded is not None and recorded != hashlib.sha256(there).hexdigest():
        raise OutputError(f"{file}: is not what was written; give the file of this study, which puts it back")
    else:
        raise OutputError(
            f"{path}: holds another study, or this one before it was changed:",
            *_difference(there.decode(errors="replace"), text),
            "It is left as it is. Give another --out, or undo the change to resume it",
        )


def _recorded(path: Path) -> str | None:
    """The checksum of a folder's study as it was recorded; None where there is none, or it is damaged."""
    try:
        checksums = Checksums.read(path)
    except InputError:
        return None
    return None if checksums is None else checksums.known.get(STUDY_FILE)


def _is_fresh(path: Path) -> bool:
    """Whether a folder holds nothing but what a first write that failed, or was killed, has left there."""
    return all(entry.name.startswith((f".{STUDY_FILE}.", f".{CHECKSUMS}.")) for entry in path.iterdir())


def _difference(there: str, given: str) -> list[str]:
    lines = difflib.unified_diff(
        there.splitlines(), given.splitlines(), "the study in the folder", "the study given", n=1, lineterm=""
    )
    shown = [line if len(line) <= 200 else f"{line[:199]}…" for line in lines]  # noqa: PLR2004 - some lines of a terminal
    return [*shown[:_SHOWN], *(["…"] if len(shown) > _SHOWN else [])]

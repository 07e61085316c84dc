"""Checks of what runs, studies, stores and replays keep on the disk, and what can be salvaged where it is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

from analytics.durable.upkeep.salvaging import recover_store
from analytics.durable.upkeep.verification import verify_store
from analytics.errors import Damage, StoreError, StoreLockedError, StoreWriteError
from scenarios.errors import InputError, OutputError
from scenarios.files.atomic_folder import MANIFEST
from scenarios.files.checksums import CHECKSUMS, Checksums, checksum_lines, sha256_of
from scenarios.files.folder_exchange import replace_file, sweep
from scenarios.replays.state import looks_like_state, read_state
from scenarios.studies.folder import JOURNAL, STUDY_FILE, lock_journal, read_journal

_DAMAGED_LINES: Final = "journal.damaged.ndjson"
"""File to which damaged lines of a study's journal are moved."""


@dataclass(frozen=True)
class Verification:
    """The result of a check.

    Args:
        path: The folder, or the file of a replay's state.
        kind: What it is: ``run``, ``analysis``, ``export``, ``study``, ``store``, ``replay``, or ``folder`` where
            that cannot be known any more.
        checked: What was checked, one text each.
        damages: What is not as it was written; empty if all is.
    """

    path: Path
    kind: str
    checked: tuple[str, ...]
    damages: tuple[Damage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        damages = [{"path": str(damage.path), "what": damage.what} for damage in self.damages]
        return {"path": str(self.path), "kind": self.kind, "checked": list(self.checked), "damages": damages}


@dataclass(frozen=True)
class Recovery:
    """What was salvaged.

    Args:
        path: The folder, or the file of a replay's state.
        done: What was done, one text each.
        left: The check after it: damage that cannot be mended here.
    """

    path: Path
    done: tuple[str, ...]
    left: tuple[Damage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        left = [{"path": str(damage.path), "what": damage.what} for damage in self.left]
        return {"path": str(self.path), "done": list(self.done), "damages": left}


def verify(path: str | Path) -> Verification:
    """Check whether a folder, or the state of a replay, is what was written. Nothing is changed.

    Args:
        path: Folder of a run, an analysis, an export, a study or a store, or file of a replay's state.

    Raises:
        InputError: It is none of these.

    >>> import tempfile
    >>> from scenarios import Scenario, run_to_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = run_to_folder(Scenario.load("baseline", {"clock.hours": 1}), f"{folder}/run", analyse=False)
    ...     _ = Path(folder, "run/truth.json").write_text("{}")
    ...     [damage.path.name for damage in verify(f"{folder}/run").damages]
    ['truth.json']
    """
    path = Path(path)
    try:
        kind = _kind(path)
        checked, damages = _VERIFY.get(kind, _verify_folder)(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    return Verification(path, kind, tuple(checked), tuple(damages))


def recover(path: str | Path) -> Recovery:
    """Salvage what can be of a damaged folder or state. Nothing is deleted that cannot be made again.

    An exchange of folders that a killed process has left half done is finished, and its leftovers are removed. Damaged
    lines of a study's journal are moved to a file beside it, so that the study makes these replications again; damaged
    results of a study are removed, which it writes anew from its journal. A damaged state of a replay is moved aside.
    A store opens again with all that is whole of it; see :func:`analytics.durable.upkeep.recover_store`.

    Args:
        path: As for :func:`verify`; of a folder, perhaps one that a killed process was about to replace.

    Raises:
        InputError: It is none of these.
        OutputError: Another process works there, or it cannot be written.
    """
    path = Path(path)
    try:
        done = sweep(path.absolute())
        kind = _kind(path)
        done += _RECOVER[kind](path) if kind in _RECOVER else []
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    left = verify(path).damages if path.exists() else ()  # a state that was moved aside is no longer there
    return Recovery(path, tuple(done), left)


_Checked = tuple[list[str], list[Damage]]


def _kind(path: Path) -> str:
    """Find out what is at a path.

    Raises:
        InputError: It is nothing that is checked here.
    """
    if path.is_file() and looks_like_state(path):
        return "replay"
    if (path / "checkpoint.json").exists() or (path / "journal").is_dir():
        return "store"
    if (path / STUDY_FILE).exists() or (path / JOURNAL).exists():
        return "study"
    manifest = _manifest(path)
    if manifest is not None and manifest.get("kind") in _FOLDERS:
        return str(manifest["kind"])
    if (path / CHECKSUMS).exists():
        return "folder"
    kinds = "the folder of a run, an analysis, an export, a study or a store, or the file of --resume"
    raise InputError(f"{path}: " + (f"is not {kinds}" if path.exists() else f"there is no such folder; give {kinds}"))


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return manifest if isinstance(manifest, dict) else None


def _verify_folder(path: Path) -> _Checked:
    """Check the files of a folder that appeared whole."""
    try:
        checksums = Checksums.read(path)
    except InputError as error:
        return [], [Damage(path / CHECKSUMS, _what(error, path / CHECKSUMS))]
    if checksums is None:
        if "checksums" in (_manifest(path) or {}):
            return [], [Damage(path / CHECKSUMS, "is missing")]
        return ["nothing: it was written by an earlier version, without checksums"], []
    return [f"files: {len(checksums.known):,}"], list(checksums.damages())


def _verify_study(path: Path) -> _Checked:
    checked, damages = _verify_folder(path)
    if MANIFEST not in _known(path):
        checked.append("results: not complete; the same command writes them")
    try:
        whole = (path / JOURNAL).read_bytes()
    except OSError as error:
        return checked, [*damages, Damage(path / JOURNAL, f"cannot be read: {error.strerror or error}")]
    end = whole.rfind(b"\n") + 1
    entries, damaged = read_journal(whole[:end])
    checked.append(f"replications in the journal: {len(entries):,}")
    if end < len(whole):
        checked.append("its last line is not complete: that replication will be made again")
    damages += [Damage(path / JOURNAL, f"line {number:,} is damaged: {what}") for number, (_, what) in damaged.items()]
    return checked, damages


def _known(path: Path) -> Mapping[str, str]:
    """The checksums of a folder; none where their file is damaged or missing."""
    try:
        checksums = Checksums.read(path)
    except InputError:
        return {}
    return {} if checksums is None else checksums.known


def _verify_state(path: Path) -> _Checked:
    try:
        state = read_state(path)
    except InputError as error:
        return [], [Damage(path, _what(error, path))]
    checked = [f"lines acknowledged: {state.acknowledged:,}"]
    if state.n_bytes is None:
        return checked, []
    file = Path(state.to.removeprefix("file:"))
    try:
        with file.open("rb") as sent:
            n_lines = sum(block.count(b"\n") for block in _blocks(sent.read, state.n_bytes))
            length = file.stat().st_size
    except OSError as error:
        return checked, [Damage(file, f"cannot be read: {error.strerror or error}")]
    if length < state.n_bytes or n_lines != state.acknowledged:
        what = f"is not what was sent: {state.acknowledged:,} lines in {state.n_bytes:,} bytes have been acknowledged"
        return checked, [Damage(file, what)]
    return [*checked, f"bytes of {file}: {state.n_bytes:,}"], []


def _blocks(read: Callable[[int], bytes], n_bytes: int) -> Iterator[bytes]:
    """Yield the first bytes of a file, a megabyte at a time."""
    while n_bytes > 0 and (block := read(min(n_bytes, 1 << 20))):
        n_bytes -= len(block)
        yield block


def _what(error: InputError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ").partition(";")[0]


def _verify_store(path: Path) -> _Checked:
    with _store_errors():
        damages = verify_store(path)
    return ["checkpoint, journal, window, archive, dead letters and late events"], list(damages)


def _recover_store(path: Path) -> list[str]:
    with _store_errors():
        return list(recover_store(path))


@contextmanager
def _store_errors() -> Iterator[None]:
    """Turn an error of a store into one of this package."""
    try:
        yield
    except (StoreLockedError, StoreWriteError) as error:
        raise OutputError(str(error)) from None
    except StoreError as error:
        raise InputError(str(error)) from None


def _recover_study(path: Path) -> list[str]:
    done = []
    with (path / JOURNAL).open("a+b") as journal:
        lock_journal(journal, path)
        for left in filter(Path.is_file, path.glob(".*.partial")):
            left.unlink()
            done.append(f"{left}: removed; a process that was killed has left it")
        journal.seek(0)
        done += _recover_journal(path, journal.read())
        done += _recover_results(path)
    return done


def _recover_journal(path: Path, whole: bytes) -> list[str]:
    """Move damaged lines of a journal to a file beside it."""
    *lines, _ = whole.split(b"\n")
    _, damaged = read_journal(b"".join(line + b"\n" for line in lines))
    if not damaged:
        return []
    aside = path / _DAMAGED_LINES
    # First to the one file and then from the other: a crash between the two leaves them in both.
    earlier = aside.read_bytes() if aside.exists() else b""
    replace_file(aside, earlier + b"".join(line + b"\n" for line, _ in damaged.values()))
    good = (line for number, line in enumerate(lines, 1) if number not in damaged)
    replace_file(path / JOURNAL, b"".join(line + b"\n" for line in good))
    n = f"{len(damaged):,} damaged line" + ("s" if len(damaged) > 1 else "")
    return [f"{path / JOURNAL}: {n} moved to {aside.name}; the study makes these replications again"]


def _recover_results(path: Path) -> list[str]:
    """Remove damaged results, which the study writes anew from its journal; the study itself is left."""
    _, damages = _verify_folder(path)
    if not damages:
        return []
    study, done = path / STUDY_FILE, []
    # As it was recorded: by it, the file that was given puts a damaged study back.
    recorded = _known(path).get(STUDY_FILE) or (sha256_of(study) if study.is_file() else "")
    for damage in damages:
        if damage.path != study and damage.path.is_file():
            damage.path.unlink()
            done.append(f"{damage.path}: removed; the same command writes it again")
    # A folder with a manifest is complete, which this one no longer is.
    (path / MANIFEST).unlink(missing_ok=True)
    if recorded:
        replace_file(path / CHECKSUMS, checksum_lines({STUDY_FILE: recorded}))
    return done


def _recover_state(path: Path) -> list[str]:
    try:
        read_state(path)
    except InputError:
        endings = chain([".damaged"], (f".damaged.{number}" for number in count(2)))
        aside = next(name for ending in endings if not (name := path.with_name(path.name + ending)).exists())
        path.replace(aside)
        return [f"{path}: moved to {aside.name}; the replay begins anew, so that events may arrive a second time"]
    return []


_FOLDERS: Final = ("run", "analysis", "export")
_VERIFY: Final[dict[str, Callable[[Path], _Checked]]] = {
    "study": _verify_study,
    "replay": _verify_state,
    "store": _verify_store,
}
"""Checks of each kind of folder that is not checked by its checksums alone."""
_RECOVER: Final[dict[str, Callable[[Path], list[str]]]] = {
    "study": _recover_study,
    "replay": _recover_state,
    "store": _recover_store,
}
"""What is salvaged of each kind of folder, besides an exchange that was left half done."""

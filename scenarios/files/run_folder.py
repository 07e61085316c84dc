"""A run folder that is read back: its manifest and its event file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from analytics.io.ndjson import decode
from scenarios.errors import InputError, did_you_mean
from scenarios.files.atomic_folder import MANIFEST
from scenarios.files.checksums import CHECKSUMS, Checksums


class RunFolder:
    """A folder that ``funnelsim run`` or ``Run.save`` has written.

    Args:
        path: The folder.

    Attributes:
        path: The folder.
        manifest: What was run, with which versions, and what came out.

    Raises:
        InputError: The folder is not that of a run, or its manifest is not what the run wrote.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._checksums = Checksums.read(self.path)
        if self._checksums is not None:
            self._checksums.check(MANIFEST)
        self.manifest: dict[str, Any] = _read_manifest(self.path)
        # Folders of earlier versions have no checksums, and their manifests name none.
        if self._checksums is None and self.manifest.get("checksums"):
            raise InputError(f"{self.path / CHECKSUMS}: is missing; put it back from a copy, or make the folder anew")

    def file(self, name: str) -> Path:
        """Return a file that the run has written; its content is compared with its checksum.

        Args:
            name: Its path within the folder.

        Raises:
            InputError: It is missing, or not what was written.
        """
        if not self.has(name):
            raise InputError(f"{self.path / name}: is missing")
        return self.path / name if self._checksums is None else self._checksums.check(name)

    def has(self, name: str) -> bool:
        """Whether the run has written a file, or there is one.

        Args:
            name: Its path within the folder.
        """
        return (self._checksums is not None and name in self._checksums.known) or (self.path / name).is_file()

    def files(self, folder: str, suffix: str) -> list[Path]:
        """Return the files of a folder within, as :meth:`file` does, by name.

        Args:
            folder: Such as ``statistics``.
            suffix: Such as ``.csv``.

        Raises:
            InputError: One is missing, or not what was written.
        """
        names = {path.relative_to(self.path).as_posix() for path in (self.path / folder).glob(f"*{suffix}")}
        if self._checksums is not None:
            known = (name for name in self._checksums.known if name.startswith(f"{folder}/"))
            names |= {name for name in known if name.endswith(suffix)}
        return [self.file(name) for name in sorted(names)]

    @property
    def events_file(self) -> Path:
        """The file of events, NDJSON or Parquet.

        Raises:
            InputError: The events were not kept, or their file is missing or not what was written.
        """
        # NDJSON first: it holds the broken lines too.
        for name in ("events.ndjson", "events.parquet"):
            if self.has(name):
                return self.file(name)
        raise InputError(f"{self.path}: holds no events; run it with --events parquet or ndjson")


def check_event_file(path: Path) -> None:
    """Compare an event file with its checksum if it is in a run folder; any other file is left alone.

    Args:
        path: A file of events, from any source.

    Raises:
        InputError: It is not what the run wrote.
    """
    if path.name not in {"events.ndjson", "events.parquet"} or not (path.parent / CHECKSUMS).is_file():
        return
    try:
        _read_manifest(path.parent)
    except InputError:  # another program's checksums are not ours to judge
        return
    RunFolder(path.parent).file(path.name)


def read_events(file: Path) -> pl.DataFrame:
    """Read the flat events of an event file, Parquet or NDJSON, in the order of the file; broken lines are left out.

    Args:
        file: A file whose name ends in ``.parquet`` or ``.ndjson``.

    Returns:
        Columns as in :data:`analytics.events.tracking_plan.EVENT_SCHEMA`.

    Raises:
        InputError: It is damaged.
    """
    try:
        return pl.read_parquet(file) if file.suffix == ".parquet" else decode(file).frame
    # Polars panics, which is no Exception, at some damage.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{file}: is damaged ({type(error).__name__}: {reason})") from None


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    # A manifest that is not JSON is as foreign as a missing one.
    except (OSError, ValueError):
        manifest = None
    # Analyses, exports and studies have manifests too.
    if not isinstance(manifest, dict) or manifest.get("kind") != "run":
        raise InputError(f"{folder}: is not a run folder, as `funnelsim run` leaves it{_guess(folder)}")
    # Folders of earlier versions have the old name.
    return {"active_agents": manifest.get("wake"), **manifest}


def _guess(folder: Path) -> str:
    """Guess which run was meant: one beside, or one of that scenario in the folder where runs are left."""
    found = [path.parent for place in (folder.parent, Path("runs")) for path in sorted(place.glob(f"*/{MANIFEST}"))]
    known = [path for path in found if path != folder]
    of_scenario = [path for path in known if path.name.startswith(f"{folder.name}-seed")]
    if of_scenario:
        return f"; did you mean '{of_scenario[0]}'?"
    return did_you_mean(str(folder), [str(path) for path in known])

"""A run folder that is read back: its manifest and its event file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from analytics.io.ndjson import decode
from scenarios.errors import InputError, did_you_mean
from scenarios.files.atomic_folder import MANIFEST


class RunFolder:
    """A folder that ``funnelsim run`` or ``Run.save`` has written.

    Args:
        path: The folder.

    Attributes:
        path: The folder.
        manifest: What was run, with which versions, and what came out.

    Raises:
        InputError: The folder is not that of a run.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest: dict[str, Any] = _read_manifest(self.path)

    @property
    def events_file(self) -> Path:
        """The file of events, NDJSON or Parquet.

        Raises:
            InputError: The events were not kept.
        """
        # NDJSON first: it holds the broken lines too.
        for name in ("events.ndjson", "events.parquet"):
            if (self.path / name).is_file():
                return self.path / name
        raise InputError(f"{self.path}: holds no events; run it with --events parquet or ndjson")


def read_events(file: Path) -> pl.DataFrame:
    """Read the flat events of an event file, Parquet or NDJSON, in the order of the file; broken lines are left out.

    Args:
        file: A file whose name ends in ``.parquet`` or ``.ndjson``.

    Returns:
        Columns as in :data:`analytics.events.tracking_plan.EVENT_SCHEMA`.
    """
    return pl.read_parquet(file) if file.suffix == ".parquet" else decode(file).frame


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

"""Doctor: what funnelsim finds on this machine, and what is missing."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from scenarios.files.versions import available_bytes

__all__ = ["Diagnosis", "diagnose"]

_DEVELOPERS: Final = "dev"
_REQUIREMENT: Final = re.compile(r"^([A-Za-z0-9._-]+)[^;]*(?:;.*extra\s*==\s*['\"]([^'\"]+)['\"])?")


@dataclass(frozen=True)
class Diagnosis:
    """What there is.

    Args:
        versions: Versions of Python, of funnelsim and of the libraries that it needs; ``missing`` where there is none.
        extras: Of each extra, the version that is installed, or None.
        cores: Cores that this process may use.
        memory_bytes: Memory that is free; None where the system does not say.
        temp_folder: Folder for temporary files.
        temp_writable: Whether it can be written to.
        missing: Libraries that funnelsim cannot do without and that are not there.
    """

    versions: dict[str, str]
    extras: dict[str, str | None]
    cores: int
    memory_bytes: int | None
    temp_folder: str
    temp_writable: bool
    missing: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Whether funnelsim can work here."""
        return self.temp_writable and not self.missing

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {**vars(self), "is_well": self.is_well}


def diagnose() -> Diagnosis:
    """Look at this machine."""
    needed: list[str] = ["funnelsim"]
    extras: dict[str, str | None] = {}
    for requirement in metadata.requires("funnelsim") or ():
        found = _REQUIREMENT.match(requirement)
        if found is None:
            continue
        library, extra = found.groups()
        if extra is None:
            needed.append(library)
        elif extra != _DEVELOPERS:
            extras[extra] = extras.get(extra) or _version(library)
    folder = tempfile.gettempdir()
    return Diagnosis(
        versions={"python": platform.python_version(), **{name: _version(name) or "missing" for name in needed}},
        extras=extras,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=available_bytes(),
        temp_folder=folder,
        temp_writable=_is_writable(folder),
        missing=tuple(library for library in needed if _version(library) is None),
    )


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _is_writable(folder: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=Path(folder)) as file:
            file.write(b"x")
    except OSError:
        return False
    return True

"""The command doctor: what is installed, what this machine has, and what is missing."""

from __future__ import annotations

import json as json_module
import os
import platform
import re
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from analytics.html.escaping import Rendered, as_json, as_lines
from scenarios import files
from scenarios.cli.options import JsonOutput
from scenarios.cli.output import Output

# Nothing here may need a library that could be missing, such as Rich, Polars or psutil, before it is known to be there.


def doctor(*, json: JsonOutput = False) -> Output:
    """Check the installation, and report what is missing."""
    found = diagnose()
    text = as_json(json_module.dumps(found.to_dict(), indent=2)) if json else _text(found)
    return Output(text, status=0 if found.is_well else 1)


@dataclass(frozen=True)
class Diagnosis:
    """What is installed and available.

    Args:
        versions: Versions of Python, funnelsim and the libraries that it requires; ``missing`` for a missing one.
        extras: The installed version of each extra, or None.
        cores: Cores that this process may use.
        memory_bytes: Free memory; None where the system does not report it.
        temp_folder: Folder for temporary files.
        temp_writable: Whether it can be written to.
        missing: Required libraries that are missing.
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
        """Whether funnelsim can work here: nothing is missing, and temporary files can be written."""
        return self.temp_writable and not self.missing

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data, for JSON."""
        return {**vars(self), "is_well": self.is_well}


_DEVELOPERS: Final = "dev"

# "ray>=2.50; extra == 'ray'": the name, and the extra if it belongs to one.
_REQUIREMENT: Final = re.compile(r"^([A-Za-z0-9._-]+)[^;]*(?:;.*extra\s*==\s*['\"]([^'\"]+)['\"])?")


def diagnose() -> Diagnosis:
    """Examine the installation and this machine.

    Returns:
        What was found. Extras for developers are left out.

    >>> diagnose().missing
    ()
    """
    # From the metadata of the installed package: a list of its own here would grow old.
    required: list[str] = ["funnelsim"]
    extras: dict[str, str | None] = {}
    for requirement in metadata.requires("funnelsim") or ():
        found = _REQUIREMENT.match(requirement)
        if found is None:
            continue
        library, extra = found.groups()
        if extra is None:
            required.append(library)
        elif extra != _DEVELOPERS:
            extras[extra] = extras.get(extra) or _version(library)
    folder = tempfile.gettempdir()
    return Diagnosis(
        versions={"python": platform.python_version(), **{name: _version(name) or "missing" for name in required}},
        extras=extras,
        # In a container a process may use fewer cores than there are; not every system says so.
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=files.available_bytes() if _version("psutil") else None,
        temp_folder=folder,
        temp_writable=_is_writable(folder),
        missing=tuple(library for library in required if _version(library) is None),
    )


def _text(found: Diagnosis) -> Rendered:
    """Write a diagnosis in two columns, with what to do about each fault, and the verdict below.

    Args:
        found: The diagnosis.
    """
    memory = "unknown" if found.memory_bytes is None else f"{found.memory_bytes / 1e9:.1f} GB free"
    writable = "writable" if found.temp_writable else "CANNOT BE WRITTEN TO: set TMPDIR to another folder"
    rows = [
        *found.versions.items(),
        *(
            (f"[{name}]", version or f"not installed: pip install 'funnelsim[{name}]'")
            for name, version in found.extras.items()
        ),
        ("cores", str(found.cores)),
        ("memory", memory),
        ("temporary files", f"{found.temp_folder}: {writable}"),
        *((f"{library} is missing", f"pip install {library}") for library in found.missing),
    ]
    verdict = "the installation is complete" if found.is_well else "funnelsim cannot work like this"
    width = max(len(name) for name, _ in rows)
    return as_lines([*(f"  {name:<{width}}  {value}" for name, value in rows), "", verdict])


def _version(library: str) -> str | None:
    """Return the installed version of a library; None if it is missing.

    >>> _version("no-such-library") is None
    True
    """
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _is_writable(folder: str) -> bool:
    """Whether a file can be made and written in a folder, which its permissions alone do not show (a full disk)."""
    try:
        with tempfile.TemporaryFile(dir=Path(folder)) as file:
            file.write(b"x")
    except OSError:
        return False
    return True

"""The built-in scenarios and studies, and how a name or path is resolved to a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, Literal

from scenarios.errors import Fault, ScenarioError, did_you_mean

LIBRARY: Final = Path(__file__).parents[1] / "library"
"""Folder of the library's scenario files."""

STUDIES: Final = LIBRARY / "studies"
"""Folder of the library's study files."""

_FOLDERS: Final = {"scenario": LIBRARY, "study": STUDIES}

_SUFFIXES: Final = (".yaml", ".yml")

_LARGEST_FILE_BYTES: Final = 1 << 20
"""Largest file that is read; a larger one was given by mistake."""


def library_names() -> list[str]:
    """Names of the scenarios of the library, sorted.

    >>> "baseline" in library_names()
    True
    """
    return sorted(path.stem for path in LIBRARY.glob("*.yaml"))


def study_names() -> list[str]:
    """Names of the studies of the library, sorted.

    >>> "coverage" in study_names()
    True
    """
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def shown_name(path: Path) -> str:
    """Name of a file in messages: as the user gave it; a file of the library by its bare name.

    Args:
        path: The file.

    >>> shown_name(LIBRARY / "baseline.yaml"), shown_name(Path("mine/own.yaml"))
    ('baseline.yaml', 'mine/own.yaml')
    """
    return path.name if path.parent in {LIBRARY, STUDIES} else str(path)


def find_scenario(name_or_path: str | Path, *, beside: Path | None = None, fault: Fault | None = None) -> Path:
    """Find a scenario file.

    Args:
        name_or_path: Name of a library scenario, or path of a file. Text is a path when it ends in ``.yaml`` or
            ``.yml`` or contains a separator.
        beside: Folder that a relative path starts from; the working folder if not given.
        fault: Where and in which setting the name stands, when a file states it.

    Raises:
        ScenarioError: There is no such file or name; with what there is, and what may have been meant.

    >>> find_scenario("baseline").name
    'baseline.yaml'
    """
    return _found(name_or_path, "scenario", beside or Path(), fault)


def find_study(name_or_path: str | Path) -> Path:
    """Find a study file; the argument is as for :func:`find_scenario`.

    Raises:
        ScenarioError: There is no such file or name; with what there is, and what may have been meant.
    """
    return _found(name_or_path, "study", Path(), None)


def _found(name_or_path: str | Path, kind: Literal["scenario", "study"], beside: Path, fault: Fault | None) -> Path:
    """Find a file of a kind, by its path or its name in the library; the other arguments are of `find_scenario`."""
    text = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or text.endswith(_SUFFIXES) or "/" in text or "\\" in text
    path = beside / text if is_path else _FOLDERS[kind] / f"{text}.yaml"
    # A path may also be a pipe or a device; a folder is found here, and cannot be read later.
    if path.is_file() or (is_path and path.exists()):
        return path
    what = "there is no such file" if is_path else f"there is no {kind} {text!r} in the library"
    names = sorted(file.stem for file in _FOLDERS[kind].glob("*.yaml"))
    hint = f"{did_you_mean(path.stem, names) or '.'} The library has: {', '.join(names)}" if names else ""
    fault = fault or Fault(text if is_path else "", "", "")
    raise ScenarioError([Fault(fault.where, fault.path, f"{fault.message}{what}{hint}")])


def read_text(path: Path, *, is_named_by_user: bool = True) -> str:
    """Read a scenario file, which must be text in UTF-8.

    Args:
        path: The file.
        is_named_by_user: Whether the user has named it, and not another file, perhaps of somebody else. Only the user
            may name a pipe, such as ``<(sed … my.yaml)`` of the shell.

    Raises:
        ScenarioError: It cannot be read, or is not text.
    """
    name = shown_name(path)
    try:
        # Without waiting: a pipe may have no writer.
        more = 0 if is_named_by_user else getattr(os, "O_NONBLOCK", 0)
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | more)) as file:
            if not (is_named_by_user or stat.S_ISREG(os.fstat(file.fileno()).st_mode)):
                raise ScenarioError([Fault(name, "", "is not a file, but a pipe or a device")])
            # A device has no size to be checked before, and some have no end.
            content = file.read(_LARGEST_FILE_BYTES + 1)
        if len(content) > _LARGEST_FILE_BYTES:
            raise ScenarioError([Fault(name, "", f"is larger than {_LARGEST_FILE_BYTES:,} bytes; not a scenario")])
        # An editor's byte order mark is not part of the text.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError([Fault(name, "", f"is not text in UTF-8 (byte {error.start})")]) from None
    except OSError as error:
        raise ScenarioError([Fault(name, "", f"cannot be read: {error.strerror or error}")]) from None

"""Checksums of the files of a folder, in a file that ``sha256sum --check`` can read too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Self

from analytics.errors import Damage
from scenarios.errors import InputError

CHECKSUMS: Final = "SHA256SUMS"
"""Name of the file; that of GNU coreutils, as others use it."""

_LINE: Final = re.compile(r"([0-9a-f]{64})  ([^\\\x00-\x1f]+)")


class Checksums:
    """The sha256 of each file of a folder, as it was written.

    Args:
        folder: The folder.
        known: Checksum of each file, by its path within the folder, with ``/`` between the parts.

    Attributes:
        folder: The folder.
        known: As given.
    """

    def __init__(self, folder: Path, known: Mapping[str, str]) -> None:
        self.folder = folder
        self.known = known
        self._checked: set[str] = set()

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the checksums of a folder.

        Args:
            folder: The folder.

        Returns:
            None where it has none, as a folder of an earlier version.

        Raises:
            InputError: Their file cannot be read, or is damaged.
        """
        file = folder / CHECKSUMS
        if not file.is_file():
            return None
        try:
            lines = file.read_bytes().decode().splitlines()
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            lines = [""]
        found = [_LINE.fullmatch(line) for line in lines]
        known = {match[2]: match[1] for match in found if match and _is_inside(match[2])}
        if len(known) < len(lines) or not known:
            raise InputError(f"{file}: is damaged: not every line is a checksum and the name of a file")
        return cls(folder, known)

    def check(self, name: str) -> Path:
        """Return a file of the folder, whose content is compared with its checksum when it is first asked for.

        Args:
            name: Its path within the folder.

        Raises:
            InputError: It is missing, has no checksum, or is not what was written.
        """
        if name not in self._checked:
            if damage := self.damage(name):
                raise InputError(f"{damage}; put it back from a copy, or make the folder anew")
            self._checked.add(name)
        return self.folder / name

    def damage(self, name: str) -> Damage | None:
        """Return what is wrong with a file; None if it is what was written.

        Args:
            name: Its path within the folder.
        """
        file = self.folder / name
        if not file.is_file():
            return Damage(file, "is missing")
        if name not in self.known:
            return Damage(file, f"has no checksum in {CHECKSUMS}, so it is not what was written there")
        try:
            is_same = sha256_of(file) == self.known[name]
        except OSError as error:
            return Damage(file, f"cannot be read: {error.strerror or error}")
        return None if is_same else Damage(file, f"is not what was written: its checksum differs from {CHECKSUMS}")

    def damages(self) -> Iterator[Damage]:
        """Yield what is wrong in the folder, file by file; files that others have put there do not matter."""
        return (damage for name in self.known if (damage := self.damage(name)))


def sha256_of(file: Path) -> str:
    """Sha256 of a file, 64 hexadecimal digits; the file is not held in memory.

    Args:
        file: The file.
    """
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def checksum_lines(checksums: Mapping[str, str]) -> bytes:
    """Write checksums in the form of ``sha256sum``, sorted by name.

    Args:
        checksums: Checksum of each file, by its path within the folder.

    >>> checksum_lines({"b": "1" * 64, "a": "0" * 64}).splitlines()[0][-6:]
    b'000  a'
    """
    return "".join(f"{checksum}  {name}\n" for name, checksum in sorted(checksums.items())).encode()


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files in a folder and in those below; earlier ones are replaced.

    Args:
        folder: A folder that is complete.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and path != folder / CHECKSUMS)
    checksums = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    (folder / CHECKSUMS).write_bytes(checksum_lines(checksums))


def _is_inside(name: str) -> bool:
    """Whether a name leads to a file within the folder: the folder may be somebody else's work."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts

"""Standard output, a file or a pipe as the receiver of a replay: one line after the other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from scenarios.errors import DeliveryError, OutputError
from scenarios.replays.recorded_run import RecordedLine

_MOST_BYTES: Final = 1_000_000


class LinesTarget:
    """Lines written one after the other, to a file or a pipe.

    Args:
        file: The open file.
        name: Name of the file in messages.
        kept_bytes: Length of the file; None for a pipe or standard output.
    """

    n_retries: Final = 0

    def __init__(self, file: BinaryIO, name: str, *, kept_bytes: int | None = None) -> None:
        self._file = file
        self._name = name
        self._n_bytes = kept_bytes

    @classmethod
    def stdout(cls) -> LinesTarget:
        """Standard output."""
        return cls(sys.stdout.buffer, "standard output")

    @classmethod
    def file(cls, path: Path, kept_bytes: int | None) -> LinesTarget:
        """A file, appended to after the acknowledged lines, or a named pipe.

        Args:
            path: The file, made if it is not there.
            kept_bytes: What of it has been acknowledged before; None for a new replay.

        Raises:
            OutputError: It cannot be written, holds something already, or is not what it was.
        """
        try:
            if path.exists() and not path.is_file():
                return cls(path.open("wb"), str(path))
            length = path.stat().st_size if path.exists() else 0
            if kept_bytes is None and length:
                raise OutputError(f"{path}: holds something already; it is left as it is. Give another file")
            if length < (kept_bytes or 0):
                raise OutputError(f"{path}: is shorter than what it has been sent; it has been changed")
            if kept_bytes and not _ends_a_line(path, kept_bytes):
                raise OutputError(
                    f"{path}: was sent {kept_bytes:,} bytes, which end within a line; it has been changed"
                )
            file = path.open("ab")
            file.truncate(kept_bytes or 0)  # lines that were written but not yet recorded are sent again
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
        return cls(file, str(path), kept_bytes=kept_bytes or 0)

    def refuses(self, line: RecordedLine) -> str:  # noqa: ARG002 - a broken line too is a line
        """Return the empty string: every line can be written."""
        return ""

    def fits(self, n_lines: int, n_bytes: int) -> bool:  # noqa: ARG002
        """Whether a batch is small enough to be put together in memory."""
        return n_bytes <= _MOST_BYTES

    def send(self, batch: Sequence[RecordedLine]) -> None:
        """Write lines and flush them to the system, so that they survive the end of this process.

        Raises:
            DeliveryError: They cannot be written.
            BrokenPipeError: The reader has closed the pipe.
        """
        written = b"".join(line.line + b"\n" for line in batch)
        try:
            self._file.write(written)
            self._file.flush()
        # A reader that has read enough, such as head, is not a failed delivery.
        except BrokenPipeError:
            raise
        except OSError as error:
            raise DeliveryError(f"{self._name}: cannot be written: {error.strerror or error}") from error
        if self._n_bytes is not None:
            self._n_bytes += len(written)

    def close(self) -> None:
        """Close the file; standard output stays open."""
        # A notebook's standard output has no buffer.
        if self._file is not getattr(sys.stdout, "buffer", None):
            self._file.close()

    @property
    def n_bytes(self) -> int | None:
        """Length of the file."""
        return self._n_bytes


def _ends_a_line(path: Path, n_bytes: int) -> bool:
    with path.open("rb") as file:
        file.seek(n_bytes - 1)
        return file.read(1) == b"\n"

"""What can go wrong with a store on disk; every message says what to do.

.. code-block:: text

    AnalyticsError
    └── StoreError                something is the matter with a store's folder
        ├── StoreLockedError      another process writes to it
        ├── StoreFormatError      a newer funnelsim wrote it, or it is not a store
        ├── StoreCorruptError     a file is not what was written
        └── StoreWriteError       the disk is full, or the folder cannot be written to
"""

from __future__ import annotations

from pathlib import Path

from analytics.errors import AnalyticsError

__all__ = ["StoreCorruptError", "StoreError", "StoreFormatError", "StoreLockedError", "StoreWriteError"]


class StoreError(AnalyticsError):
    """Something is the matter with the folder of a store."""


class StoreLockedError(StoreError):
    """Another process has the store open; two writers would overwrite each other."""


class StoreFormatError(StoreError):
    """The folder is no store, or one that a newer version has written."""


class StoreCorruptError(StoreError):
    """A file of the store is damaged in a place where no crash can have damaged it.

    Args:
        path: The file.
        what: What is wrong with it.
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path}: {what}. The store is not opened, so that nothing is half read: put the folder back from a copy, "
            "or take in the events anew into another one"
        )


class StoreWriteError(StoreError, OSError):
    """A file of the store cannot be written. Whatever was acknowledged is safe.

    Args:
        path: The file.
        error: What the system says.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{path}: cannot be written: {error.strerror or error}. All that was acknowledged is safe; make room, or "
            "mend the folder, and go on from there"
        )

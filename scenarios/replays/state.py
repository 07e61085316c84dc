"""State of a replay: a small file from which the next one resumes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scenarios.errors import InputError, OutputError


@dataclass(frozen=True)
class ReplayState:
    """The acknowledged part of a replay, and which replay it is.

    Args:
        digest: Sha256 of the run's events.
        to: Address of the receiver.
        order: By which time lines are ordered.
        since: First moment that is replayed, as given.
        until: Moment before which it ends, as given.
        acknowledged: Lines of this selection that are finished: accepted by the receiver, or never to be sent.
        n_bytes: Bytes that a file had then; None for other receivers.
    """

    digest: str
    to: str
    order: str
    since: str | None
    until: str | None
    acknowledged: int = 0
    n_bytes: int | None = None


class StateFile:
    """The file of the state; without a path the state is not kept.

    Args:
        path: The file; made with the first state.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def resumed(self, begin: ReplayState) -> ReplayState:
        """Return the state to resume from: that of the file, or the beginning where there is none.

        Args:
            begin: The state of this replay before anything is sent.

        Raises:
            InputError: The file is of another replay, or of something else.
        """
        if self._path is None or not self._path.exists():
            return begin
        kept = _state(self._path)
        # Only what identifies the replay is compared, not how far it has come.
        fresh = replace(kept, acknowledged=0, n_bytes=None)
        for name, ours in asdict(begin).items():
            theirs = getattr(fresh, name)
            if theirs != ours:
                difference = f"{name}: {theirs!r} there, {ours!r} now"
                raise InputError(f"{self._path}: is the state of another replay ({difference}). Give another --resume")
        return kept

    def keep(self, state: ReplayState) -> None:
        """Write a state: the file holds the earlier one or this one, never half of it.

        Raises:
            OutputError: It cannot be written.

        Args:
            state: The new state.
        """
        if self._path is None:
            return
        beside = self._path.with_name(f".{self._path.name}.partial")
        try:
            with beside.open("w", encoding="utf-8") as file:
                json.dump(asdict(state), file, indent=2)
                file.flush()
                # On disk before it replaces the old state: a power failure must not leave an empty file.
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror or error}") from None


def _state(path: Path) -> ReplayState:
    try:
        kept: dict[str, Any] = json.loads(path.read_bytes())
        state = ReplayState(**kept)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, TypeError):
        state = None
    if state is None or not isinstance(state.acknowledged, int):
        raise InputError(f"{path}: does not keep how far a replay has come")
    return state

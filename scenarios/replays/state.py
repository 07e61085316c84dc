"""State of a replay: a small file from which the next one resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from filelock import FileLock, Timeout

from analytics.durable.checked_lines import with_crc, without_crc
from scenarios.errors import InputError, OutputError
from scenarios.files.folder_exchange import replace_file


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
    """The file of the state, which one replay at a time may use; without a path the state is not kept.

    Args:
        path: The file; made with the first state. A lock is beside it, as a hidden file.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other replays from this file; the system ends the lock with the process, however that ends.

        Raises:
            InputError: Another replay uses it.
            OutputError: The lock cannot be written.
        """
        if self._path is None:
            yield
            return
        # Not the file itself, which is replaced with every state.
        name = self._path.with_name(f".{self._path.name}.lock")
        try:
            name.parent.stat()  # a lock would make the folder, which may be a typing error
            lock = FileLock(name, thread_local=False, fallback_to_soft=False)
            lock.acquire(blocking=False)
        except Timeout:
            raise InputError(f"{self._path}: another replay uses this file; wait for it, or give another") from None
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror or error}") from None
        with lock:
            yield

    def resumed(self, begin: ReplayState) -> ReplayState:
        """Return the state to resume from: that of the file, or the beginning where there is none.

        Args:
            begin: The state of this replay before anything is sent.

        Raises:
            InputError: The file is of another replay, or of something else, or damaged.
        """
        if self._path is None or not self._path.exists():
            return begin
        kept = read_state(self._path)
        # Only what identifies the replay is compared, not how far it has come.
        fresh = replace(kept, acknowledged=0, n_bytes=None)
        for name, ours in asdict(begin).items():
            theirs = getattr(fresh, name)
            if theirs != ours:
                difference = f"{name}: {theirs!r} there, {ours!r} now"
                raise InputError(f"{self._path}: is the state of another replay ({difference}). Give another --resume")
        return kept

    def keep(self, state: ReplayState) -> None:
        """Write a state: the file holds the earlier one or this one, never half of it, also after a power failure.

        Raises:
            OutputError: It cannot be written.

        Args:
            state: The new state.
        """
        if self._path is None:
            return
        try:
            replace_file(self._path, json.dumps(with_crc(asdict(state)), indent=2).encode())
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror or error}") from None


def read_state(path: Path) -> ReplayState:
    """Read the state of a replay.

    Args:
        path: Its file.

    Raises:
        InputError: It cannot be read, is damaged, or is of something else.
    """
    try:
        state = ReplayState(**without_crc(json.loads(path.read_bytes())))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, TypeError, RecursionError):
        state = None
    if state is None or not _is_possible(state):
        raise InputError(
            f"{path}: does not keep how far a replay has come, or is damaged; `funnelsim recover {path}` moves it "
            "aside, and the replay begins anew"
        )
    return state


def looks_like_state(path: Path) -> bool:
    """Whether a file is, or was before it was damaged, the state of a replay.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
    """
    names = [field.name for field in fields(ReplayState)]
    with path.open("rb") as file:
        head = file.read(1 << 16)
    # Damage spoils some of the names.
    return sum(f'"{name}"'.encode() in head for name in names) > len(names) // 2


def _is_possible(state: ReplayState) -> bool:
    """Whether each value of a state has its type and range: people write such files by hand too."""
    texts = (state.digest, state.to, state.order)
    moments = (moment for moment in (state.since, state.until) if moment is not None)
    counts = (n for n in (state.acknowledged, state.n_bytes) if n is not None)
    return (
        all(isinstance(text, str) for text in (*texts, *moments))
        and isinstance(state.acknowledged, int)
        and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in counts)
    )

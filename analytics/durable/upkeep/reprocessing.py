"""Taking dead letters and late events in again, once what was wrong with them is mended."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import compress, islice
from pathlib import Path
from typing import Any, Final

import polars as pl

from analytics.durable.dead_letter_lines import read_letter
from analytics.durable.opening import open_existing
from analytics.durable.settings import StoreSettings
from analytics.durable.side_file import AGAIN, LeftBehind
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.batch_decoding import flatten_lines
from analytics.io.flatten import Flattened
from analytics.io.position import Offset, SourcePosition
from analytics.io.reading import EventFormat, read_events
from analytics.store.clock_guard import ClockGuard
from analytics.store.counts import UNASKED, Counts
from analytics.store.quarantine import Quarantine

_LINES: Final = 10_000
# Only the beginning of such an event was kept.
_NOT_WHOLE: Final = frozenset({DeadLetterReason.TOO_LARGE, DeadLetterReason.DAMAGED})
_ALL: Final = frozenset(DeadLetterReason) - _NOT_WHOLE
_USUAL: Final = _ALL - {DeadLetterReason.FAR_AHEAD}


@dataclass(frozen=True)
class Reprocessed:
    """The result of :func:`reprocess`.

    Args:
        counts: What became of the events this time.
        stream_time: Stream time of the store afterwards.
        was_stopped: Whether ``stop`` was set before the end.
    """

    counts: Counts
    stream_time: datetime | None = None
    was_stopped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        return {**asdict(self.counts), "stream_time": self.stream_time, "was_stopped": self.was_stopped}


def reprocess(
    folder: str | Path,
    kind: LeftBehind,
    settings: StoreSettings | None = None,
    *,
    reasons: Collection[DeadLetterReason] = (),
    form: EventFormat | None = None,
    stop: threading.Event | None = None,
) -> Reprocessed:
    """Take the dead letters or the late events of a store in again; what is still of no use is kept as before.

    They are counted apart, in ``counts_again``: ``counts`` goes on saying how each was judged when it first came. An
    interruption loses and doubles nothing; run it again.

    Args:
        folder: Folder of the store.
        kind: Which of them.
        settings: How the store is to be kept.
        reasons: Take in only dead letters of these; by default all but those far ahead, which move stream time.
        form: What is known of the dead letters beforehand, such as that they are of another tool.
        stop: Set it to end; the current batch is finished.

    Raises:
        StoreError: The store cannot be opened, or not be written to.
        EventFileError: The dead letters are not of that form.

    >>> import tempfile
    >>> from analytics import open_store
    >>> page = b'{"type": "page", "messageId": "%d", "anonymousId": "a", "timestamp": "2026-03-%02dT10:00:00Z"}'
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with open_store(place) as store:
    ...         _ = store.append_json(page % (1, 20)), store.append_json(page % (2, 10))
    ...     reprocess(place, "late").counts
    Counts(received=1, accepted=0, duplicate=0, conflict=0, late=1, invalid=0)
    """
    stop = stop or threading.Event()
    with open_existing(folder, settings) as store:
        counts, name = store.counts_again, f"{AGAIN}{kind}"
        store.set_aside(kind)
        offset = store.offsets.get(name, {"file": 0, "bytes": 0})
        guard = ClockGuard(store.stream_time, store.n_accepted)
        quarantine = Quarantine(store.stream_time, store.n_accepted, store.window_hours)
        wanted = _ALL if kind == "late" else frozenset(reasons) or _USUAL
        for letters, reached in _batches(store.kept(kind), offset):
            asked = [letter for letter in letters if letter.reason in wanted]
            others = tuple(letter for letter in letters if letter.reason not in wanted)
            before, batch, after = None, _flat(asked, form if kind == "dead-letters" else None), None
            if kind == "dead-letters":
                batch = guard.checked(batch)
                # Those far ahead wait here too, unless they are asked for by name.
                if DeadLetterReason.FAR_AHEAD not in wanted:
                    before, batch, after = quarantine.checked(batch)
            batch = replace(batch, dead_letters=(*others, *batch.dead_letters))
            position = SourcePosition(name, {**reached, UNASKED: len(others)})
            for part, at in ((before, None), (batch, position), (after, None)):
                if part is not None:
                    store.append_flattened(part, at, again=True)
            if stop.is_set():
                break
        else:
            store.remove_kept(kind)
        return Reprocessed(store.counts_again - counts, store.stream_time, stop.is_set())


def _batches(files: Sequence[Path], offset: Offset) -> Iterator[tuple[list[DeadLetter], Offset]]:
    """The letters of files after an offset, in parts, each with the offset after it."""
    for path in files:
        number = int(path.stem.rpartition(".")[2])
        if number < offset["file"]:
            continue
        with path.open("rb") as file:
            file.seek(offset["bytes"] if number == offset["file"] else 0)
            while lines := list(islice(file, _LINES)):
                yield [_letter(line) for line in lines], {"file": number, "bytes": file.tell()}


def _letter(line: bytes) -> DeadLetter:
    found = read_letter(line)
    if found is None:
        return DeadLetter(line, DeadLetterReason.DAMAGED, "this line of the dead letters is not what was written")
    letter, source = found
    return replace(letter, source=source)


def _flat(letters: Sequence[DeadLetter], form: EventFormat | None) -> Flattened:
    """The events of letters, and those that are no events still, with the places they came from."""
    is_other = form is not None and form != EventFormat()
    # One that is no JSON would cost the others of its file.
    is_lost = [letter.reason in _NOT_WHOLE or (is_other and not _is_json(letter.raw)) for letter in letters]
    lost = tuple(compress(letters, is_lost))
    whole = [letter for letter, is_gone in zip(letters, is_lost, strict=True) if not is_gone]
    if not is_other:
        flat = [flatten_lines([(place, letter.raw) for place, letter in enumerate(whole, 1)])]
    else:
        lines = b"\n".join(letter.raw for letter in whole)
        flat = list(read_events(io.BytesIO(lines), form)) if whole else []
    frame = pl.concat([EVENT_SCHEMA.to_frame(), *(part.frame for part in flat)])
    still = (_from(whole, letter) for part in flat for letter in part.dead_letters)
    return Flattened(frame, (*lost, *still))


def _from(letters: Sequence[DeadLetter], found: DeadLetter) -> DeadLetter:
    """A dead letter that was found among the lines of letters, with the place of its own letter."""
    before = letters[found.position - 1] if found.position and found.position <= len(letters) else found
    return replace(found, position=before.position, source=before.source)


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True

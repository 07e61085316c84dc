"""Ingestion: events from sources into a store in a folder, once or for as long as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from analytics.durable.durable_store import DurableStore
from analytics.durable.opening import open_store
from analytics.durable.recovery import Recovery
from analytics.durable.settings import StoreSettings
from analytics.io.position import Offset, SourceBatch
from analytics.io.reading import EventFormat, event_files, located
from analytics.sources.opening import open_source
from analytics.sources.source import Source
from analytics.store.counts import Counts

DEFAULT_BATCH: Final = 10_000
"""Events in a batch, by default."""

# Seconds between two looks at a source that grows.
_PAUSE_S: Final = 0.2
# Seconds between two acknowledgements to the sources, where each costs a flush to the disk.
_ACKNOWLEDGE_S: Final = 2.0

Acknowledged = Callable[[SourceBatch, Counts], None]
"""Called with each batch, once it is safe, and the counts of its events."""


@dataclass(frozen=True)
class Ingested:
    """The result of :func:`ingest`.

    Args:
        counts: Counts of this time.
        store_counts: Counts of all that the store has ever received.
        recovery: What was replayed when the store was opened.
        offsets: How far each source has been read.
        was_stopped: Whether ``stop`` was set before the end of the sources.
    """

    counts: Counts
    store_counts: Counts
    recovery: Recovery
    offsets: Mapping[str, Offset]
    was_stopped: bool

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            **asdict(self.counts),
            "store": asdict(self.store_counts),
            "recovery": asdict(self.recovery),
            "offsets": {name: dict(offset) for name, offset in self.offsets.items()},
            "was_stopped": self.was_stopped,
        }


def ingest(
    names: Sequence[str],
    folder: Path,
    settings: StoreSettings | None = None,
    *,
    n_events: int = DEFAULT_BATCH,
    follow: bool = False,
    live: bool = False,
    form: EventFormat | None = None,
    stop: threading.Event | None = None,
    acknowledged: Acknowledged | None = None,
) -> Ingested:
    """Ingest each source from its offset in the store, and make a checkpoint at the end.

    Args:
        names: Sources, read one after the other; see :func:`analytics.sources.opening.open_source`. Of a folder all
            files of events are read.
        folder: Folder of the store; it is created if need be.
        settings: How the store is to be kept.
        n_events: Events in a batch, at most.
        follow: Whether to wait for more at the end of what can grow.
        form: What is known of the files beforehand, such as their format; recognised by default.
        live: Whether events come as they happen. Events without ``receivedAt`` then arrive when they are read, or, from
            Kafka, at the timestamps of their messages; so no device's clock moves the window.
        stop: Set it to end; the current batch is finished.
        acknowledged: Called with each batch.

    Raises:
        EventFileError: A source cannot be read. What was read before is in the store.
        StoreError: The store cannot be opened, or not be written to.
    """
    stop = stop or threading.Event()
    clock = partial(datetime.now, UTC) if live else None
    with ExitStack() as open_sources:
        files = [file for name in names for file in _files(name)]
        opened = (open_source(name, n_events, stop.is_set, clock, form) for name in files)
        sources = [open_sources.enter_context(closing(source)) for source in opened]
        with open_store(folder, settings) as store:
            before, acknowledger = store.counts, _Acknowledger(store, sources, settings or StoreSettings())
            for batch in _batches(sources, store, stop, follow=follow):
                # Among several sources a number alone would not say which dead letter it is.
                events = located(batch.events, batch.position.source) if len(sources) > 1 else batch.events
                counts = store.append_flattened(events, batch.position, arrived_at=batch.arrived_at)
                acknowledger.acknowledge_if_due()
                if acknowledged is not None:
                    acknowledged(batch, counts)
            store.checkpoint()
            acknowledger.acknowledge()
            now = asdict(store.counts)
            counts = Counts(**{name: n - asdict(before)[name] for name, n in now.items()})
            return Ingested(counts, store.counts, store.recovery, dict(store.offsets), stop.is_set())


def _files(name: str) -> list[str]:
    """The files in a folder, or the name itself."""
    return [str(file) for file in event_files(name)] if Path(name).is_dir() else [name]


def _batches(
    sources: Sequence[Source], store: DurableStore, stop: threading.Event, *, follow: bool
) -> Iterator[SourceBatch]:
    """Read the sources in turn, and those that grow again and again if they are followed."""
    while sources:
        for source in sources:
            for batch in source.batches(store.offsets, follow=follow):
                yield batch
                if stop.is_set():
                    return
        sources = [source for source in sources if source.grows]
        if not follow or stop.wait(_PAUSE_S):
            return


class _Acknowledger:
    """Acknowledges to the sources what they need not keep: only what not even a power cut can undo."""

    def __init__(self, store: DurableStore, sources: Sequence[Source], settings: StoreSettings) -> None:
        self._store = store
        self._sources = sources
        self._is_cheap = settings.fsync == "always"
        self._last = time.monotonic()

    def acknowledge_if_due(self) -> None:
        """Acknowledge, unless that needs a flush and was done just now."""
        if self._is_cheap or time.monotonic() - self._last >= _ACKNOWLEDGE_S:
            self.acknowledge()

    def acknowledge(self) -> None:
        """Flush the store, and acknowledge to each source how far it is safe."""
        self._store.sync()
        for source in self._sources:
            source.acknowledge(self._store.offsets)
        self._last = time.monotonic()

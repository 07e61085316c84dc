"""A process that backfills files into a store, and prints after each part how many events the store has accepted."""

import os
import sys
from pathlib import Path

from analytics.durable.settings import StoreSettings
from analytics.ingestion import ingest
from analytics.io.position import SourceBatch
from analytics.store import hour_sorter
from analytics.store.counts import Counts


def acknowledge(_: SourceBatch, counts: Counts) -> None:
    """Print at once: bytes in a buffer would die with the process."""
    os.write(1, f"{counts.received}\n".encode())


if __name__ == "__main__":
    hour_sorter._RUN_ROWS, hour_sorter._PART_ROWS = 150, 40
    settings = StoreSettings(window_hours=6, checkpoint_events=300, fsync="never")
    ingest(sys.argv[2:], Path(sys.argv[1]), settings, n_events=40, backfill=True, acknowledged=acknowledge)

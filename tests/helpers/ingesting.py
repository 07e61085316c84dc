"""A process that ingests a file into a store, and prints after each batch how many lines have been acknowledged."""

import os
import sys
from pathlib import Path

from analytics.durable.settings import StoreSettings
from analytics.ingestion import ingest
from analytics.io.position import SourceBatch
from analytics.store.counts import Counts


def acknowledge(batch: SourceBatch, counts: Counts) -> None:
    """Print at once: bytes in a buffer would die with the process."""
    os.write(1, f"{batch.position.offset['lines']}\n".encode())


if __name__ == "__main__":
    os.write(1, b"0\n")
    settings = StoreSettings(window_hours=6, checkpoint_events=300, fsync=sys.argv[3])
    ingest([sys.argv[1]], Path(sys.argv[2]), settings, n_events=40, acknowledged=acknowledge)

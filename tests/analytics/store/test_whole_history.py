"""Claims about a history that does not fit into memory: it is the one that does, and leaves no files."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.io.flatten import Flattened, flatten
from analytics.store.whole_history import WholeHistory

BEGIN = datetime(2026, 3, 3, 9, tzinfo=UTC)


def batches(seed: int) -> list[Flattened]:
    """300 events of ten days, a third of them delivered again, some with another content, in batches of no order."""
    rng = np.random.default_rng(seed)
    deliveries: list[dict[str, Any]] = []
    for number in range(300):
        happened = BEGIN + timedelta(minutes=int(rng.integers(14_400)))
        event = {"type": "page", "anonymousId": f"a{number % 17}", "messageId": f"m{number}"}
        for again in range(int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))):
            # Some arrive at the same moment, and some claim a time after it.
            arrived = happened + timedelta(hours=float(rng.choice([0, 0, 5, 50])) - (0.1 if number % 9 == 0 else 0))
            other = {"name": "other"} if again and number % 5 == 0 else {}
            times = {"timestamp": happened.isoformat(), "receivedAt": arrived.isoformat()}
            deliveries.append(event | times | other)
    deliveries += [{"type": "page"}, {"type": "nothing", "anonymousId": "a"}]
    shuffled = [deliveries[place] for place in rng.permutation(len(deliveries))]
    return [flatten(shuffled[begin : begin + 40]) for begin in range(0, len(shuffled), 40)]


@pytest.mark.parametrize("most", [0, 100, 350])
def test_a_history_on_disk_is_the_one_in_memory(most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Counts, events and dead letters are equal, whatever fits into memory, and the files go with the object."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("analytics.store.whole_history._ROWS_AT_ONCE", 60)
    given = batches(most)
    memory, disk = WholeHistory(given), WholeHistory(iter(given), most)
    assert disk.counts == memory.counts
    assert min(disk.counts.duplicate, disk.counts.conflict, disk.counts.invalid, disk.n_future) > 0
    for name in ("counts_by_type", "dead_letter_counts", "n_future", "dead_letters", "ignored_times"):
        assert getattr(disk, name) == getattr(memory, name), name
    assert_frame_equal(disk.events(), memory.events(), categorical_as_str=True)
    assert disk.counts.accepted == pl.concat(disk.scan()).collect().height == 300
    assert len(list(tmp_path.glob("*/accepted-*"))) == 64
    assert not list(tmp_path.glob("*/[0-9]*"))
    del disk
    gc.collect()
    assert not list(tmp_path.iterdir())

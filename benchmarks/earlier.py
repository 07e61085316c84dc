"""The same work by an earlier commit, with the libraries of today, on one core with one thread of Polars."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.measuring import ON_ONE_CORE, Comparison, Subject, Work
from benchmarks.whole_runs import watched

_ROOT: Final = Path(__file__).resolve().parents[1]
_COMMIT: Final = "72a63c6"
"""The last one before the packages were laid out anew."""
_BEFORE_CHECKSUMS: Final = "756b6b85"
"""The last one before every kept file of a store had a checksum."""

_N_VISITORS, _N_REPLICATIONS, _N_BATCHES = 1_000_000, 60, 600
_TODAY: Final = "today"

_MILLION: Final = f"""
import runpy, sys
sys.argv = ["funnelsim", "run", "baseline", "--seed", "7", "--set", "traffic.visitors_per_day={_N_VISITORS}"]
sys.argv += ["--out", sys.path[0] + "/run", "--no-analysis", "--quiet"]
runpy.run_module("funnelsim.__main__", run_name="__main__")
"""

_DAYS: Final = f"""
from scenarios import Scenario
scenario = Scenario.load("baseline", {{"traffic.visitors_per_day": 5000}})
for replication in range({_N_REPLICATIONS}):
    scenario.run(seed=7, replication=replication).intent
"""

_BATCHES: Final = f"""
import tempfile
from datetime import UTC, datetime
import polars as pl
from analytics.durable.opening import open_store
from analytics.durable.settings import StoreSettings
from analytics.events.enrichment import conform
k = pl.int_range({_N_BATCHES * 1_000}, eager=True)
begin = pl.Series([datetime(2026, 3, 3, tzinfo=UTC)], dtype=pl.Datetime("ms", "UTC")).new_from_index(0, len(k))
time, name = begin + (k * 100).cast(pl.Duration("ms")), k.cast(pl.String)
browser = "a" + (k % 5_000).cast(pl.String)
columns = {{"message_id": "m" + name, "anonymous_id": browser, "timestamp": time, "received_at": time}}
events = conform(pl.DataFrame(columns).with_columns(type=pl.lit("page"), context_page_path=pl.lit("/pricing")))
with tempfile.TemporaryDirectory() as folder, open_store(folder, StoreSettings(fsync="always")) as store:
    assert sum(store.append(batch).accepted for batch in events.iter_slices(1_000)) == len(k)
"""


def _once(script: str, n_items: int, root: Path) -> Work:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "work.py"
        file.write_text(script, encoding="utf-8")
        # A folder on the path comes before an installed package.
        settings = [f"PYTHONPATH={root}", "POLARS_MAX_THREADS=1", "OMP_NUM_THREADS=1"]
        _, peak_mib = watched(["env", *settings, sys.executable, "-c", ON_ONE_CORE, str(file)], Path(folder))
    return Work(n_items, peak_mib)


def _subjects(script: str, n_items: int, commit: str = _COMMIT) -> Mapping[str, Subject]:
    folder = tempfile.TemporaryDirectory()
    archive = subprocess.run(["git", "-C", str(_ROOT), "archive", commit], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder.name, filter="data")

    def earlier() -> Work:
        # The folder lasts as long as the subject.
        return _once(script.replace("funnelsim.__main__", "scenarios.__main__"), n_items, Path(folder.name))

    return {commit: earlier, _TODAY: partial(_once, script, n_items, _ROOT)}


MILLION: Final = Comparison(
    "million",
    "A million visitors to disk, one core, today and before",
    "visitors",
    partial(_subjects, _MILLION, _N_VISITORS),
    {_TODAY: 1.3},
    rounds=3,
)
REPLICATIONS: Final = Comparison(
    "replications",
    "Days of 5,000 visitors, each with its fit, one core, today and before",
    "replications",
    partial(_subjects, _DAYS, _N_REPLICATIONS),
    {_TODAY: 2.0},
    rounds=3,
)
ACKNOWLEDGED: Final = Comparison(
    "acknowledged",
    "Batches of 1,000 events, each on the disk before the next, one core, today and before",
    "events",
    partial(_subjects, _BATCHES, _N_BATCHES * 1_000, _BEFORE_CHECKSUMS),
    {_TODAY: 0.95},
    rounds=7,
)

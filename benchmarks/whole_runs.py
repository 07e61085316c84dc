"""Whole runs of the command line, each a process of its own: growth of cost and memory, and the gain of a second core.

Growth is measured in visitors a second relative to ten thousand of them: a ratio of 1 is a cost that grows in
proportion. Start-up, events on disk, store and fingerprint are in it; the analysis of the events is not, unless it is
said so.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from benchmarks.measuring import ON_ONE_CORE, Comparison, Subject, Work
from scenarios.run.pools import available_cores

_SIZES: Final = (10_000, 100_000, 1_000_000)
_MANY: Final = 10_000_000
_ANALYSED: Final = f"{_MANY:,} visitors, analysed in parts, with report"
_ANALYSED_VISITORS: Final = 300_000
_IN_PARTS: Final = "in parts, with --memory 500MB"
_ONE_CORE, _ALONE, _TWO = "one core", "one process, Polars on all cores", "two workers, a core each"


def _run(visitors_per_day: int, *options: str, on_one_core: bool = False) -> Subject:
    """A run of the baseline scenario with other traffic."""

    def once() -> Work:
        with tempfile.TemporaryDirectory() as folder:
            traffic = f"traffic.visitors_per_day={visitors_per_day}"
            command = [
                "run",
                "baseline",
                "--seed",
                "7",
                "--set",
                traffic,
                "--out",
                f"{folder}/run",
                "--json",
                *(options if "--memory" in options else ["--no-analysis", *options]),
            ]
            kept = ["-c", ON_ONE_CORE] if on_one_core else []
            printed, peak_mib = watched([sys.executable, *kept, "-m", "funnelsim", *command], Path(folder))
        manifest = json.loads(printed)
        return Work(manifest["counts"]["visitors"], peak_mib)

    return once


def watched(command: list[str], folder: Path) -> tuple[str, float]:
    """What a command prints, and the largest memory that it and its workers held at the same time, in MiB."""
    with (folder / "printed.json").open("w+") as printed:
        process = subprocess.Popen(command, stdout=printed)
        peak = _Peak(process.pid)
        status = process.wait()
        peak.stop()
        printed.seek(0)
        if status:
            raise RuntimeError(f"{' '.join(command)} ended with status {status}")
        return printed.read(), peak.mib


class _Peak(threading.Thread):
    """Watches the memory of a process and of those that it starts.

    Pages that several of them share are counted for each in part (``pss``).
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.mib = 0.0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        """Measure every tenth of a second, or less often where measuring takes long, as in a large process."""
        took_s = 0.0
        while not self._over.wait(max(0.1, 30 * took_s)):
            began = time.perf_counter()
            # A process may end between being found and being measured.
            with suppress(psutil.Error):
                family = [self._process, *self._process.children(recursive=True)]
                self.mib = max(self.mib, sum(each.memory_full_info().pss for each in family) / 2**20)
            took_s = time.perf_counter() - began

    def stop(self) -> None:
        """Stop watching."""
        self._over.set()
        self.join()


def _growth() -> Mapping[str, Subject]:
    return {f"{size:,} visitors": _run(size) for size in _SIZES}


def _ten_million() -> Mapping[str, Subject]:
    options = ("--jobs", str(available_cores()))
    return {
        f"{_SIZES[0]:,} visitors": _run(_SIZES[0]),
        f"{_MANY:,} visitors": _run(_MANY, *options),
        _ANALYSED: _run(_MANY, *options, "--memory", "8GiB"),
    }


def _analysis() -> Mapping[str, Subject]:
    return {
        "in memory": _run(_ANALYSED_VISITORS, "--memory", "64GiB"),
        _IN_PARTS: _run(_ANALYSED_VISITORS, "--memory", "500MB"),
    }


def _days() -> Mapping[str, Subject]:
    return {f"{days} days": _run(40_000, "--set", f"clock.hours={24 * days}") for days in (3, 30)}


def _workers() -> Mapping[str, Subject]:
    return {
        # One worker uses one core: the yardstick for two.
        _ONE_CORE: _run(_SIZES[-1], "--jobs", "1", on_one_core=True),
        _ALONE: _run(_SIZES[-1], "--jobs", "1"),
        _TWO: _run(_SIZES[-1], "--jobs", "2"),
    }


GROWTH: Final = Comparison("growth", "A run of 24 hours, events to disk", "visitors", _growth, rounds=3)
TEN_MILLION: Final = Comparison("ten-million", "Ten million visitors in a day", "visitors", _ten_million, rounds=1)
ANALYSIS: Final = Comparison(
    "analysis",
    "Peak memory of a run of 300,000 visitors, analysed, with report",
    "visitors",
    _analysis,
    {_IN_PARTS: 0.75},
    of="memory",
    rounds=1,
)
DAYS: Final = Comparison(
    "days", "Peak memory, 40,000 visitors a day", "visitors", _days, {"30 days": 1.3}, of="memory", rounds=1
)
WORKERS: Final = Comparison("workers", "A run of a million visitors", "visitors", _workers, {_TWO: 1.6}, rounds=3)

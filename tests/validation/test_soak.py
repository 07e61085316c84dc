"""A log that is written, rotated, read, and followed by a process that is killed now and then, as long as you like.

``FUNNELSIM_SOAK_SECONDS=3600 pytest -s -m validation tests/validation/test_soak.py`` runs for an hour; by default it is
a minute.
"""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from command_line import COMMAND

from analytics.durable.recovery import read_store
from analytics.durable.upkeep.verification import verify_store

SECONDS = int(os.environ.get("FUNNELSIM_SOAK_SECONDS", "60"))
BEGIN = datetime(2026, 3, 3, tzinfo=UTC)
LINE = '{"type": "page", "messageId": "m%d", "anonymousId": "a%d", "timestamp": "%s", "properties": {"path": "/%s"}}\n'
PATH = "x" * 200


class Writer(threading.Thread):
    """Writes a log in bursts, some lines in two halves, and rotates it by renaming, keeping nine old files.

    Args:
        log: The log.
    """

    def __init__(self, log: Path) -> None:
        super().__init__(daemon=True)
        self.n_lines = self.n_rotations = 0
        self._log = log
        self._rng = np.random.default_rng(5)
        self.stop = threading.Event()

    def run(self) -> None:
        """Write until asked to stop."""
        file = self._log.open("ab", buffering=0)
        while not self.stop.wait(0.02):
            lines = b"".join(self._line() for _ in range(int(self._rng.integers(1, 40))))
            half = int(self._rng.integers(len(lines)))
            file.write(lines[:half])
            if self._rng.random() < 0.2:
                time.sleep(0.05)
            file.write(lines[half:])
            if self._rng.random() < 0.004:
                file.close()
                self._rotate()
                file = self._log.open("ab", buffering=0)
        file.close()

    def _line(self) -> bytes:
        self.n_lines += 1
        # A day of the stream passes within five minutes.
        when = BEGIN + timedelta(seconds=self.n_lines * 0.3)
        return (LINE % (self.n_lines, self.n_lines % 997, when.isoformat(), PATH)).encode()

    def _rotate(self) -> None:
        first, second = Path(f"{self._log}.1"), Path(f"{self._log}.2.gz")
        for number in range(8, 1, -1):
            if (old := Path(f"{self._log}.{number}.gz")).exists():
                old.rename(f"{self._log}.{number + 1}.gz")
        if first.exists():
            with first.open("rb") as plain, gzip.open(second, "wb", 1) as packed:
                shutil.copyfileobj(plain, packed)
            # As gzip does: when it was written tells which file comes after which.
            shutil.copystat(first, second)
        self._log.rename(first)
        self.n_rotations += 1


def follow(log: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that follows the log."""
    command = [*COMMAND, "ingest", str(log), "--store", str(folder), "--follow", "--fsync", "1"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def memory_mib(process: subprocess.Popen[bytes]) -> int:
    """Memory of a process now."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


@pytest.mark.validation
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_log_is_followed_through_rotations_and_kills(tmp_path: Path) -> None:
    """Every line is in the store once, however often the log is rotated and the follower killed; memory stays flat."""
    log, folder, rng = tmp_path / "events.log", tmp_path / "store", np.random.default_rng(6)
    log.touch()
    writer, seen, memory, n_kills = Writer(log), [0], list[int](), 0
    writer.start()
    process, end = follow(log, folder), time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(2)
        assert process.poll() is None
        memory.append(memory_mib(process))
        if (folder / "checkpoint.json").exists():
            seen.append(read_store(folder).counts.received)
        # As many old files are kept as are written while a follower is started again.
        if rng.random() < 0.03:
            process.kill()
            process.wait()
            n_kills += 1
            process = follow(log, folder)
    writer.stop.set()
    writer.join()
    deadline = time.monotonic() + 60
    while read_store(folder).counts.received < writer.n_lines and time.monotonic() < deadline:
        time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    counts = read_store(folder).counts
    sys.stdout.write(
        f"{SECONDS:,} s: {writer.n_lines:,} lines, {writer.n_rotations} rotations, {n_kills} kills, {len(seen)} reads; "
        f"{counts}; memory {min(memory)} to {max(memory)} MiB\n"
    )
    assert (counts.received, counts.accepted) == (writer.n_lines, writer.n_lines)
    assert seen == sorted(seen)
    assert verify_store(folder) == ()
    assert max(memory) < 1024

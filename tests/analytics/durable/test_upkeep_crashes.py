"""A process that dies while it mends a store: run again, the command leads to the state of one that never died."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dying import Death, FaultyOS, instead_of_os, with_released_locks
from flat_events import START
from stores_on_disk import archived, batches, state_of

from analytics.durable.dead_letter_lines import read_letter
from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings
from analytics.durable.upkeep.forgetting import forget
from analytics.durable.upkeep.reprocessing import reprocess
from analytics.durable.upkeep.rewinding import rewind
from analytics.durable.upkeep.salvaging import recover_store
from analytics.durable.upkeep.verification import verify_store
from analytics.errors import StoreError

SETTINGS = StoreSettings(window_hours=3, checkpoint_events=25, max_dead_letters=3, side_files_mib=0.002)
STREAM = batches(seed=41, n_batches=12, n_rows=6, hours_each=0.7)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an archive, late events and dead letters, abandoned by its process."""
    folder = tmp_path_factory.mktemp("store") / "store"
    opened = open_store(folder, SETTINGS)
    for batch in STREAM:
        opened.append_flattened(batch.events, batch.position)
    opened.release()
    assert opened.counts.late
    assert opened.counts.invalid
    return folder


def outcome(folder: Path) -> dict[str, Any]:
    """All that there is in the end, but for what is only in memory."""
    letters = {
        kind: sorted(
            str(read_letter(line))
            for path in folder.glob(f"{kind}*.ndjson")
            for line in path.read_bytes().splitlines(keepends=True)
        )
        for kind in ("dead_letters", "late")
    }
    found = read_store(folder)
    state = state_of(found) | {"again": found.counts_again, "forgotten": found.n_forgotten, "dead_letters": None}
    return state | letters | {"archive": archived(folder).sort("event_time", "message_id").to_dicts()}


def set_back(folder: Path) -> object:
    """Set stream time back by three hours; once it is, there is nothing to be done."""
    with suppress(StoreError):
        return rewind(folder, START + timedelta(hours=5), SETTINGS)
    return None


COMMANDS: dict[str, Callable[[Path], object]] = {
    "late": lambda folder: reprocess(folder, "late", SETTINGS),
    "dead-letters": lambda folder: reprocess(folder, "dead-letters", SETTINGS),
    "rewind": set_back,
    "forget": lambda folder: forget(folder, "a3", SETTINGS),
    "recover": recover_store,
}


@pytest.mark.parametrize("way", ["half", pytest.param("before", marks=pytest.mark.validation)])
@pytest.mark.parametrize("step", [37, pytest.param(1, marks=pytest.mark.validation)])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_died_is_run_again(store: Path, tmp_path: Path, command: str, step: int, way: str) -> None:
    """Dead before or in the midst of any call to the system: nothing is lost, doubled or left behind."""
    run, counting = COMMANDS[command], FaultyOS()
    shutil.copytree(store, tmp_path / "undisturbed")
    with instead_of_os(counting):
        run(tmp_path / "undisturbed")
    expected = outcome(tmp_path / "undisturbed")
    assert verify_store(tmp_path / "undisturbed") == ()
    assert counting.n_calls > 15
    for fatal in range(1, counting.n_calls + 1, step):
        folder = tmp_path / str(fatal)
        shutil.copytree(store, folder)
        with with_released_locks(), instead_of_os(FaultyOS(fatal, way)), pytest.raises(Death):
            run(folder)
        run(folder)
        # One that died when all was done is done once more, and so are its counts of what was taken again.
        again = {"again", "digest", "lateness"} if command in {"late", "dead-letters"} else set[str]()
        found = outcome(folder)
        assert {name for name in expected if found[name] != expected[name]} <= again, fatal
        assert verify_store(folder) == ()
        shutil.rmtree(folder)


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.validation)])
def test_a_recovery_that_died_loses_nothing_that_is_whole(store: Path, tmp_path: Path, step: int) -> None:
    """Of a damaged journal and a damaged checkpoint, recovered again after a death, all that is whole is there."""
    damaged, counting = tmp_path / "damaged", FaultyOS()
    shutil.copytree(store, damaged)
    for path, place in ((next((damaged / "journal").iterdir()), 200), (damaged / "checkpoint.json", 90)):
        data = bytearray(path.read_bytes())
        data[place] ^= 0xFF
        path.write_bytes(data)
    shutil.copytree(damaged, tmp_path / "undisturbed")
    with instead_of_os(counting):
        recover_store(tmp_path / "undisturbed")
    expected = set(read_store(tmp_path / "undisturbed").events()["message_id"])
    for fatal in range(1, counting.n_calls + 1, step):
        folder = tmp_path / str(fatal)
        shutil.copytree(damaged, folder)
        with with_released_locks(), instead_of_os(FaultyOS(fatal, "half")), pytest.raises(Death):
            recover_store(folder)
        recover_store(folder)
        assert set(read_store(folder).events()["message_id"]) == expected, fatal
        assert verify_store(folder) == ()
        shutil.rmtree(folder)

"""Claims about temporary files: they last as long as their owner, and those of killed processes are removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from analytics.store.spill import temporary_folder

OWNER = """
import sys
from analytics.store.spill import temporary_folder
class Owner: pass
owner = Owner()
(temporary_folder(owner, sys.argv[1]) / "file").write_text("x")
print("made", flush=True)
sys.stdin.read(1)
"""


class Owner:
    """Whatever needs temporary files."""


def test_a_folder_lasts_as_long_as_its_owner(tmp_path: Path) -> None:
    """It is there for the owner, and removed with it."""
    owner = Owner()
    folder = temporary_folder(owner, tmp_path)
    (folder / "file").write_text("x")
    other = Owner()
    assert temporary_folder(other, tmp_path) != folder
    assert (folder / "file").exists()
    del owner
    assert not folder.exists()


def test_folders_of_killed_processes_are_removed_by_the_next(tmp_path: Path) -> None:
    """Those of processes that live are not, nor links and other folders, whatever they are called."""
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    killed, living = (subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2))
    for process in (killed, living):
        assert process.stdout.readline() == b"made\n"
    killed.kill()
    killed.communicate()
    (tmp_path / "mine").mkdir()
    (tmp_path / "funnelsim-spill-link").symlink_to(tmp_path / "mine")
    assert len(list(tmp_path.glob("funnelsim-spill-*/file"))) == 2
    owner = Owner()
    own = temporary_folder(owner, tmp_path)
    assert len(list(tmp_path.glob("funnelsim-spill-*/file"))) == 1
    living.communicate(b"\n", timeout=60)
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "funnelsim-spill-link", own.name}

"""Claims about folders that appear whole, and about what killed processes leave beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scenarios.errors import OutputError
from scenarios.files import folder_exchange
from scenarios.files.atomic_folder import new_folder
from scenarios.files.folder_exchange import sweep

MANIFEST = json.dumps({"kind": "run", "versions": {}})
WRITER = """
import sys
from pathlib import Path
from scenarios.files.atomic_folder import new_folder
with new_folder(Path(sys.argv[1])) as working:
    (working / "manifest.json").write_text('{"kind": "run", "versions": {}}')
    print("begun", flush=True)
    sys.stdin.read(1)
"""


def made(path: Path, text: str) -> None:
    """Make a whole folder that is known by a text."""
    with new_folder(path) as working:
        (working / "manifest.json").write_text(MANIFEST)
        (working / "model.json").write_text(text)


def names(path: Path) -> list[str]:
    """The entries of a folder, with random names as they begin."""
    return sorted(entry.name for entry in path.iterdir())


@pytest.fixture(params=[True, False], ids=["exchange", "two renames"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A system that can exchange two names in one step, and one that cannot."""
    if not request.param:
        monkeypatch.setattr(folder_exchange, "_exchanged", lambda *_: False)
    return request.param


def test_a_folder_is_replaced_on_any_system(system: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """The new folder is there under its name, and nothing is beside it."""
    made(tmp_path / "out", "first")
    made(tmp_path / "out", "second")
    assert (tmp_path / "out/model.json").read_text() == "second"
    assert names(tmp_path) == ["out"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the call")
def test_linux_replaces_a_folder_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no moment is there nothing under the name: no folder is moved aside."""
    made(tmp_path / "out", "first")
    monkeypatch.setattr(Path, "rename", lambda *_: pytest.fail("is moved aside"))
    made(tmp_path / "out", "second")
    assert (tmp_path / "out/model.json").read_text() == "second"


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Its folder is swept; that of a process that lives is not, and it ends as if it had been alone."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "out")]
    killed, living = (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) for _ in range(2)
    )
    for process in (killed, living):
        assert process.stdout.readline() == b"begun\n"
    killed.kill()
    killed.communicate()
    assert len(names(tmp_path)) == 2
    made(tmp_path / "out", "third")
    assert len(names(tmp_path)) == 2
    living.communicate(b"\n", timeout=60)
    assert living.returncode == 0
    assert names(tmp_path) == ["out"]
    assert not (tmp_path / "out/model.json").exists()


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    """The complete new folder takes the name; where it is gone, the earlier one gets its name back."""
    for present, expected in ((("partial", "replaced"), "new"), (("replaced",), "old")):
        for ending in present:
            made(tmp_path / f".out.01234567.{ending}", {"partial": "new", "replaced": "old"}[ending])
        done = sweep(tmp_path / "out")
        assert "put in place" in done[0]
        assert (tmp_path / "out/model.json").read_text() == expected
        assert names(tmp_path) == ["out"]
        (tmp_path / "out").rename(tmp_path.parent / f"{tmp_path.name}-{expected}")


def test_only_what_is_ours_is_swept(tmp_path: Path) -> None:
    """Names that only look alike stay, links and the folders that they lead to as well."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis").touch()
    (tmp_path / ".out.01234567.partial").symlink_to(tmp_path / "mine")
    for name in (".out.0123.partial", ".outer.01234567.partial", "out.01234567.partial", ".out.01234567.partial.bak"):
        (tmp_path / name).mkdir()
    before = names(tmp_path)
    assert sweep(tmp_path / "out") == []
    assert names(tmp_path) == before
    assert names(tmp_path / "mine") == ["thesis"]


def test_what_came_while_a_folder_was_written_is_not_replaced(tmp_path: Path) -> None:
    """A file of somebody else, put there during a run, is left, and the run says so."""
    with pytest.raises(OutputError, match="did not make"), new_folder(tmp_path / "out"):
        Path(tmp_path / "out/mine").mkdir(parents=True)
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["mine"]


def test_many_writers_of_one_folder_leave_one_whole_folder(tmp_path: Path) -> None:
    """Whoever ends last wins; none takes the folder of another for a leftover."""
    failures = []

    def write(text: str) -> None:
        try:
            for _ in range(20):
                made(tmp_path / "out", text)
        except BaseException as error:  # noqa: BLE001 - reported by the claim below
            failures.append(repr(error))

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["SHA256SUMS", "manifest.json", "model.json"]

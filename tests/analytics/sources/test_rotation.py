"""Claims about logs that are rotated, and about files that appear: nothing is lost, and nothing read twice."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings, strategies as st

from analytics.durable.recovery import read_store
from analytics.errors import EventFileError
from analytics.ingestion import Ingested, ingest
from analytics.io.position import Offset
from analytics.sources.ndjson import NdjsonFile


def events(*names: str) -> bytes:
    """Lines, each with a name of its own."""
    line = '{{"type":"page","anonymousId":"a","messageId":"{0}","timestamp":"2026-03-03T09:00:00Z"}}\n'
    return "".join(map(line.format, names)).encode()


HEADER = b'{"type":"page","anonymousId":"a","messageId":"header","timestamp":"2026-03-03T09:00:00Z","x":"%s"}\n' % (
    b"x" * 1500
)


class Follower:
    """A follower of a log, with a store that takes all of each look."""

    def __init__(self, path: Path) -> None:
        self.source = NdjsonFile(path, 3)
        self.offsets: dict[str, Offset] = {}
        self.seen: list[str] = []

    def look(self, n: int = 1, *, follow: bool = True) -> list[str]:
        """Look so many times; what has been seen so far."""
        for _ in range(n):
            for batch in self.source.batches(self.offsets, follow=follow):
                self.offsets[batch.position.source] = batch.position.offset
                self.seen += batch.events.frame["message_id"].to_list()
                self.seen += [letter.raw.decode() for letter in batch.events.dead_letters]
        return self.seen

    def restart(self, path: Path) -> None:
        """End, and begin again with what is in the store."""
        self.source.close()
        self.source = NdjsonFile(path, 3)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with three events."""
    path = tmp_path / "app.log"
    path.write_bytes(events("a1", "a2", "a3"))
    return path


def renamed(log: Path) -> None:
    """Rename the log; a new one takes its name."""
    log.rename(f"{log}.1")
    log.write_bytes(events("b1"))


def renamed_to_a_date(log: Path) -> None:
    """The same, with a date before the end of the name."""
    log.rename(log.with_name("app-20260303.log"))
    log.write_bytes(events("b1"))


def renamed_to_anything(log: Path) -> None:
    """The same, with another name altogether."""
    log.rename(log.with_name("before"))
    log.write_bytes(events("b1"))


def copied_and_truncated(log: Path) -> None:
    """Copy the log and truncate it; it grows again, to fewer bytes than before."""
    Path(f"{log}.1").write_bytes(log.read_bytes())
    with log.open("r+b") as file:
        file.truncate(0)
        file.write(events("b1"))


def compressed(log: Path) -> None:
    """Compress the log, and begin a new one."""
    Path(f"{log}.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    log.write_bytes(events("b1"))


def compressed_in_place(log: Path) -> None:
    """The same, without a number."""
    Path(f"{log}.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    log.write_bytes(events("b1"))


ROTATIONS = [
    renamed, renamed_to_a_date, renamed_to_anything, copied_and_truncated, compressed, compressed_in_place,
]  # fmt: skip


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("is_followed", [True, False])
def test_nothing_is_lost_or_doubled_by_rotation(log: Path, rotate: Callable[[Path], None], is_followed: bool) -> None:  # noqa: FBT001
    """What was added just before, also half a line, and what comes after are read once: followed, or run again."""
    follower = Follower(log)
    assert follower.look(follow=is_followed) == ["a1", "a2", "a3"]
    with log.open("ab") as file:
        file.write(events("a4") + b'{"half')
    rotate(log)
    if not is_followed:
        follower.restart(log)
    follower.look(7, follow=is_followed)
    with log.open("ab") as file:
        file.write(events("b2"))
    assert follower.look(follow=is_followed) == ["a1", "a2", "a3", "a4", '{"half', "b1", "b2"]
    # Later, with the same store and the same name.
    follower.restart(log)
    assert follower.look(follow=False)[7:] == []
    assert follower.source.notes == ()
    follower.source.close()


def test_a_log_whose_first_kilobyte_is_always_the_same_is_seen_to_be_truncated(log: Path) -> None:
    """With the same first 1,024 bytes and more lines than before, what was truncated is read from its beginning."""
    log.write_bytes(HEADER + events("a1", "a2"))
    for is_running in (True, False):
        follower = Follower(log)
        follower.look()
        if not is_running:
            follower.restart(log)
        Path(f"{log}.1").write_bytes(log.read_bytes() + events("a3"))
        with log.open("r+b") as file:
            file.truncate(0)
            file.write(HEADER + events("c1", "c2", "c3", "c4"))
        assert follower.look(2) == ["header", "a1", "a2", "a3", "header", "c1", "c2", "c3", "c4"]
        follower.source.close()
        log.write_bytes(HEADER + events("a1", "a2"))


def test_several_rotations_between_two_runs(log: Path) -> None:
    """The rest of the one that was read, those that followed it, oldest first, and the log itself are read."""
    follower = Follower(log)
    follower.look(follow=False)
    with log.open("ab") as file:
        file.write(events("a4"))
    log.rename(f"{log}.2")
    Path(f"{log}.1").write_bytes(events("b1", "b2"))
    log.write_bytes(events("c1"))
    for seconds, name in enumerate(("app.log.2", "app.log.1", "app.log")):
        os.utime(log.with_name(name), (1_772_500_000 + seconds, 1_772_500_000 + seconds))
    # Files beside it that are none of its own.
    log.with_name("app.log.md5").write_bytes(events("x"))
    log.with_name("app-2.log").write_bytes(events("y"))
    follower.restart(log)
    assert follower.look(follow=False) == ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]


STEPS = st.sampled_from(["add", "half", "look", "run", "restart", "rotate", "rotate"])


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=25), is_renamed=st.booleans())
def test_any_sequence_of_rotations_is_read_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[str],
    is_renamed: bool,  # noqa: FBT001
) -> None:
    """Whatever happens to a log between looks, every line is seen once, in the order in which it was written.

    A log is rotated in one way, by renaming or by truncating.
    """
    log = tmp_path_factory.mktemp("logs") / "app.log"
    log.touch()
    follower, written, half, n_rotated = Follower(log), ["first"], b"", 0
    log.write_bytes(events("first"))
    follower.look()
    for step in [*steps, "add"]:
        if step == "add" or (step == "rotate" and half):
            name = f"m{len(written):03}"
            with log.open("ab") as file:
                file.write(half[20:] or events(name))
            written, half = [*written, name], b""
        if step == "half" and not half:
            half = events(f"m{len(written):03}")
            with log.open("ab") as file:
                file.write(half[:20])
        elif step in {"look", "run"}:
            follower.look(follow=step == "look")
        elif step == "restart":
            follower.restart(log)
        elif step == "rotate":
            for number in range(n_rotated, 0, -1):
                log.with_name(f"app.log.{number}").rename(log.with_name(f"app.log.{number + 1}"))
            n_rotated += 1
            content = log.read_bytes()
            if is_renamed:
                log.rename(f"{log}.1")
                log.touch()
            else:
                Path(f"{log}.1").write_bytes(content)
                os.truncate(log, 0)
            # So many seconds after those before, as the clock of files is coarse.
            os.utime(f"{log}.1", (1_772_500_000 + n_rotated, 1_772_500_000 + n_rotated))
    follower.look(9)
    follower.source.close()
    assert follower.seen == written


def test_a_store_that_stops_within_a_rotated_file_resumes_there(log: Path) -> None:
    """After each batch of a rotation the rest is found again, though the log has another content by now."""
    log.write_bytes(events("a1"))
    follower = Follower(log)
    follower.look(follow=False)
    with log.open("ab") as file:
        file.write(events(*(f"a{n}" for n in range(2, 12))))
    renamed(log)
    expected = [*(f"a{n}" for n in range(1, 12)), "b1"]
    while follower.seen != expected:
        source = NdjsonFile(log, 3)
        batch = next(iter(source.batches(follower.offsets, follow=False)))
        follower.offsets[batch.position.source] = batch.position.offset
        follower.seen += batch.events.frame["message_id"].to_list()
        assert expected[: len(follower.seen)] == follower.seen


def test_a_log_that_is_removed_is_waited_for(log: Path) -> None:
    """While nothing has its name, the follower goes on with what is open; a new one is read from its beginning."""
    follower = Follower(log)
    follower.look()
    with log.open("ab") as writer:
        log.unlink()
        writer.write(events("a4"))
    assert follower.look(9) == ["a1", "a2", "a3", "a4"]
    log.write_bytes(events("b1"))
    assert follower.look(7)[4:] == ["b1"]
    follower.source.close()


def test_a_link_to_the_present_log_is_followed(tmp_path: Path) -> None:
    """A symbolic link that leads to another file from now on: each file is read once, also after a restart."""
    link, first, second = tmp_path / "current", tmp_path / "app-1.log", tmp_path / "app-2.log"
    first.write_bytes(events("a1"))
    link.symlink_to(first)
    follower = Follower(link)
    follower.look()
    first.write_bytes(events("a1", "a2"))
    second.write_bytes(events("b1"))
    link.unlink()
    link.symlink_to(second)
    assert follower.look(7) == ["a1", "a2", "b1"]
    follower.restart(link)
    assert follower.look(follow=False) == ["a1", "a2", "b1"]


def test_a_log_that_was_replaced_is_refused_or_begun_with_a_note(log: Path) -> None:
    """Where what was read is nowhere, a run says so and ends, and a follower says so and begins with the new file."""
    follower = Follower(log)
    follower.look(follow=False)
    log.write_bytes(events("c1", "c2", "c3", "c4"))
    follower.restart(log)
    with pytest.raises(EventFileError, match="if it was rotated, --follow begins"):
        follower.look(follow=False)
    assert follower.look()[3:] == ["c1", "c2", "c3", "c4"]
    (note,) = follower.source.notes
    assert note.startswith(f"{log}: was replaced or truncated; what had been added to it after byte")
    follower.source.close()


def test_a_file_put_back_from_a_copy_is_resumed(log: Path) -> None:
    """The same content under the same name is the same file, whatever its inode, and also with a copy beside it."""
    follower = Follower(log)
    follower.look(follow=False)
    content = log.read_bytes()
    log.rename(log.with_name("away"))
    log.write_bytes(content + events("a4"))
    Path(f"{log}.1").write_bytes(content)
    log.with_name("away").unlink()
    assert follower.look(follow=False) == ["a1", "a2", "a3", "a4"]


def test_offsets_of_earlier_versions_are_resumed(log: Path) -> None:
    """An offset without inode and tail is resumed as before."""
    follower = Follower(log)
    follower.look(follow=False)
    follower.offsets = {
        name: {key: offset[key] for key in ("bytes", "lines", "head", "crc32")}
        for name, offset in follower.offsets.items()
    }
    with log.open("ab") as file:
        file.write(events("a4"))
    assert follower.look(follow=False) == ["a1", "a2", "a3", "a4"]


def following(names: list[str], store: Path, n_expected: int, change: Callable[[], Any]) -> Ingested:
    """Follow sources; change something after all that is there; stop when so many events are here."""
    stop, is_changed = threading.Event(), threading.Event()
    timer = threading.Timer(30, stop.set)
    timer.start()
    seen = [0]

    def look(batch: Any, counts: Any) -> None:
        seen[0] += counts.received
        if not is_changed.is_set():
            is_changed.set()
            change()
        if seen[0] >= n_expected:
            stop.set()

    done = ingest(names, store, follow=True, stop=stop, acknowledged=look)
    timer.cancel()
    return done


def test_files_that_appear_are_read_while_a_pattern_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that match; a folder likewise; an empty one once it has a line; a rotated one is no new file."""
    monkeypatch.setattr("analytics.sources.names._PAUSE_S", 0.1)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.ndjson").write_bytes(events("a1"))

    def change() -> None:
        (logs / "b.ndjson").write_bytes(events("b1"))
        (logs / "other.txt").write_bytes(events("x"))
        (logs / "a.ndjson").rename(logs / "a.ndjson.1")
        (logs / "a.ndjson").write_bytes(events("a2"))

    done = following([f"{logs}/*.ndjson*"], tmp_path / "store", 3, change)
    assert (done.counts.accepted, done.counts.duplicate) == (3, 0)
    again = ingest([f"{logs}/*.ndjson*"], tmp_path / "store")
    assert again.counts.received == 0
    assert [note.partition(": left out")[0] for note in again.notes] == [f"{logs}/a.ndjson.1"]
    done = following([str(logs)], tmp_path / "other", 4, lambda: (logs / "c.ndjson").write_bytes(events("c1")))
    assert done.counts.accepted >= 4


def test_a_pattern_without_files_is_an_error_unless_it_is_followed(tmp_path: Path) -> None:
    """Without `--follow` there must be a file; with it, one may appear. A file with such a name is a file."""
    with pytest.raises(EventFileError, match="no file matches this pattern"):
        ingest([f"{tmp_path}/*.ndjson"], tmp_path / "store")
    odd = tmp_path / "odd[1].ndjson"
    odd.write_bytes(events("a1"))
    assert ingest([str(odd)], tmp_path / "store").counts.accepted == 1
    assert ingest([f"{tmp_path}/**/*.ndjson", str(odd)], tmp_path / "store").counts.received == 0


def test_many_followed_files_do_not_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more files than may be open each is opened at each look."""
    monkeypatch.setattr("analytics.sources.opening._MOST_OPEN", 2)
    for number in range(5):
        (tmp_path / f"{number}.ndjson").write_bytes(events(f"m{number}"))
    stop = threading.Event()
    open_logs: list[list[str]] = []

    def look(batch: Any, counts: Any) -> None:
        names = [Path(file.path).name for file in psutil.Process().open_files()]
        open_logs.append([name for name in names if name in {f"{number}.ndjson" for number in range(5)}])
        if len(open_logs) == 5:
            with (tmp_path / "0.ndjson").open("ab") as file:
                file.write(events("last"))
        if len(open_logs) == 6:
            stop.set()

    done = ingest([f"{tmp_path}/*.ndjson"], tmp_path / "store", follow=True, stop=stop, acknowledged=look)
    assert done.counts.accepted == 6
    assert max(map(len, open_logs)) == 1


def test_half_a_line_is_said_once_and_nothing_is_stored(tmp_path: Path) -> None:
    """A file of half a line gives one warning; the whole line is one event of the next run."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(events("a1")[:60])
    done = ingest([str(path)], tmp_path / "store")
    assert done.counts.received == 0
    assert len(done.warnings) == 1
    path.write_bytes(events("a1"))
    assert ingest([str(path)], tmp_path / "store").counts.accepted == 1
    assert read_store(tmp_path / "store").counts.invalid == 0


def test_a_pattern_that_matches_rotated_files_of_an_unknown_log_reads_them_first(tmp_path: Path) -> None:
    """Nothing is left out of a first run, and the oldest comes first; once the log is known, new names are."""
    event = b'{"type":"page","anonymousId":"a","messageId":"%d","timestamp":"2026-03-03T09:00:00Z"}\n'
    for number, name in enumerate(("a.log.2", "a.log.1", "a.log")):
        path = tmp_path / name
        path.write_bytes(b"".join(event % (10 * number + k) for k in range(3)))
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
    done = ingest([str(tmp_path / "a.log*")], tmp_path / "store")
    assert (done.counts.received, done.counts.accepted) == (9, 9)
    assert ingest([str(tmp_path / "a.log*")], tmp_path / "store").counts.received == 0

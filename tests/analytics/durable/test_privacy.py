"""Personal data in a store: what is never written, who is forgotten, and for how long the rest is kept."""

from __future__ import annotations

import json
import re
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from flat_events import START
from pydantic import ValidationError

from analytics.durable.opening import open_store
from analytics.durable.privacy import KEY_VARIABLE, Privacy
from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings
from analytics.durable.upkeep.forgetting import forget
from analytics.durable.upkeep.reprocessing import reprocess
from analytics.durable.upkeep.rewinding import rewind
from analytics.durable.upkeep.salvaging import recover_store
from analytics.durable.upkeep.verification import verify_store
from analytics.errors import AnalyticsError, StoreCorruptError, StoreError, StoreFormatError
from analytics.events.enrichment import conform
from analytics.ingestion import ingest
from analytics.io.batch_decoding import flatten_lines
from analytics.settings import PrivacySettings

KEY = "a key of more than sixteen bytes"
PRIVACY = PrivacySettings(
    drop=["extra", "context_user_agent"],
    hash=["anonymous_id", "user_id", "email"],
    truncate=["context_ip", "context_page_url"],
)


def event(number: int, hours: float, **facts: Any) -> bytes:
    """A line with an event of Jane or of somebody else."""
    time = (START + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"type": "page", "messageId": f"m{number}", "timestamp": time, **facts}).encode() + b"\n"


def jane(number: int, hours: float) -> bytes:
    """An event that names Jane in every way there is."""
    page = {"url": "https://Jane:pw@acme.io/?email=jane@acme.io&utm_source=mail#jane", "path": "/"}
    context = {"ip": "203.0.113.77", "page": page, "userAgent": "Jane's own"}
    who = {
        "anonymousId": "browser-of-jane",
        "userId": "jane-4711",
        "traits": {"email": "Jane@acme.io", "phone": "+49-171-5550"},
    }
    return event(number, hours, **who, context=context) if number % 2 else identify(number, hours, who, context)


def identify(number: int, hours: float, who: dict[str, Any], context: dict[str, Any]) -> bytes:
    """The same as a call that has an address."""
    return event(number, hours, **who, context=context).replace(b'"page"', b'"identify"', 1)


def written(folder: Path) -> bytes:
    """All that stands in the files of a store, of tables their texts."""
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    for path in folder.rglob("*"):
        if path.suffix in {".parquet", ".arrow"}:
            table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ipc_stream(path)
            texts += [str(table.cast(pl.String).rows()).encode()]
    return b"\n".join(texts)


def tables_in(folder: Path) -> list[pl.DataFrame]:
    """The tables of a store's window and archive."""
    parts = map(pl.read_ipc_stream, sorted(folder.rglob("*.arrow")))
    return [*parts, *map(pl.read_parquet, sorted(folder.rglob("*.parquet")))]


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the hashes, in the environment."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


@pytest.mark.usefixtures("key")
def test_nothing_personal_is_ever_written(tmp_path: Path) -> None:
    """Dropped, hashed and truncated columns are so in journal, window, archive, dead letters and late events."""
    store = open_store(tmp_path, StoreSettings(window_hours=2, checkpoint_events=4, privacy=PRIVACY))
    lines = [jane(n, n * 0.4) for n in range(20)]
    broken = [jane(50, 9).replace(b"timestamp", b"timestump"), b"jane@acme.io was here 203.0.113.77\n"]
    store.append_json(b"".join([*lines, *broken, jane(60, 0)]))
    store.append_json(b"".join(jane(n, 9) for n in (61, 62)))
    store.release()
    found = written(tmp_path)
    for secret in (b"jane", b"Jane", b"113.77", b"171-5550", b":pw", KEY.encode()):
        assert secret not in found, secret
    assert b"203.0.113.0" in found
    assert b"utm_source=mail" in found
    events = read_store(tmp_path).events()
    assert events["anonymous_id"].n_unique() == events["user_id"].n_unique() == 1
    assert events["email"].drop_nulls().unique().str.extract(r"^hmac-[0-9a-f]{32}@(.*)$").to_list() == ["acme.io"]


@pytest.mark.usefixtures("key")
def test_hashes_are_equal_for_equal_texts_and_applied_once(tmp_path: Path) -> None:
    """Equal texts stay equal, capitals of an address do not count, and a second time changes nothing."""
    private = Privacy(PRIVACY)
    assert (
        private.text("email", "Jane@Acme.io ")
        == private.text("email", "jane@acme.io")
        != private.text("email", "b@acme.io")
    )
    for column, text in (
        ("user_id", "u1"),
        ("email", "a@b.c"),
        ("context_ip", "2001:db8:1:2::1"),
        ("context_page_url", "https://u:p@a.b/c?x=1&utm_term=t#f"),
    ):
        once = private.text(column, text)
        assert once is not None
        assert private.text(column, once) == once
    assert private.text("context_ip", "2001:db8:1:2::1") == "2001:db8:1::"
    assert private.text("context_page_url", "https://u:p@a.b/c?x=1&utm_term=t#f") == "https://a.b/c?utm_term=t"
    assert private.text("context_ip", "jane's phone") is None


def test_a_store_keeps_to_its_privacy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings the store keeps its own; other columns, another key or none are refused."""
    settings = StoreSettings(privacy=PRIVACY)
    with pytest.raises(AnalyticsError, match=f"{KEY_VARIABLE} must have a key for hashes of at least 16 bytes, has 0"):
        open_store(tmp_path / "store", settings)
    (tmp_path / "key").write_text(KEY)
    by_file = settings.model_copy(update={"privacy": PRIVACY.model_copy(update={"key_file": tmp_path / "key"})})
    with open_store(tmp_path / "store", by_file) as store:
        store.append_json(jane(1, 0))
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with open_store(tmp_path / "store") as store:
        store.append_json(jane(3, 0.1))
        assert store.events()["user_id"].n_unique() == 1
    with pytest.raises(StoreFormatError, match=r"the privacy of the store is .* and .* is asked for"):
        open_store(tmp_path / "store", StoreSettings(privacy=PrivacySettings(drop=["email"])))
    monkeypatch.setenv(KEY_VARIABLE, KEY[::-1])
    with pytest.raises(StoreFormatError, match="hashes with another key"):
        open_store(tmp_path / "store")
    assert KEY.encode() not in written(tmp_path / "store")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"drop": ["emial"]}, "emial"),
        ({"drop": ["email"], "hash": ["email"]}, "named twice"),
        ({"drop": ["anonymous_id", "user_id"]}, "nothing could be counted"),
        ({"key_file": "key"}, "of no use without columns to hash"),
        ({"archive_days": 0}, "greater than or equal to 1"),
        ({"drop": ["type"]}, "type"),
    ],
)
def test_wrong_settings_are_explained(wrong: dict[str, Any], message: str) -> None:
    """Unknown and needed columns, a column named twice, nobody left to count, and no days."""
    with pytest.raises(ValidationError, match=message):
        PrivacySettings(**wrong)


def people(n: int) -> list[bytes]:
    """Events of many, Jane's among them, and one of a browser that she shares."""
    lines = [event(k, k / 40, anonymousId=f"browser-{k % 30}", userId=f"user-{k % 30}") for k in range(n)]
    lines[n // 3 : n // 3] = [jane(10_000 + k, 3.3 + k / 100) for k in range(6)]
    lines[n // 2 : n // 2] = [
        event(20_000, 5.1, anonymousId="browser-3", userId="jane-4711"),
        event(20_001, 5.1, anonymousId="browser-5", context={"page": {"url": "https://acme.io/?to=jane%40acme.io"}}),
    ]
    return lines


@pytest.mark.parametrize("person", ["jane-4711", "browser-of-jane"])
def test_a_person_is_forgotten(tmp_path: Path, person: str) -> None:
    """No byte of the person is left anywhere; all others are as they were, and the counts agree by their rule."""
    settings = StoreSettings(window_hours=2, checkpoint_events=50)
    with open_store(tmp_path, settings) as store:
        store.append_json(b"".join([*people(400), jane(5, 0).replace(b"timestamp", b"timestump"), jane(7, 0.01), b"x"]))
    (tmp_path / "damaged").mkdir(exist_ok=True)
    for name in ("1.journal", "2.arrow.1.used"):
        (tmp_path / "damaged" / name).write_bytes(b"jane-4711 in what was cut off")
    before = read_store(tmp_path)
    done = forget(tmp_path, person, settings)
    assert done.identifiers == (person, *sorted({"jane-4711", "browser-of-jane", "jane@acme.io"} - {person}))
    found = written(tmp_path)
    for secret in (b"jane-4711", b"browser-of-jane", b"jane@acme.io", b"Jane@acme.io", b"jane%40acme.io"):
        assert secret not in found
    store = read_store(tmp_path)
    assert store.counts == before.counts
    assert store.n_forgotten == done.n_events == 7
    assert done.n_letters == 2
    archived = sum(pl.read_parquet(path).height for path in tmp_path.rglob("*.parquet"))
    assert store.n_accepted == store.events().height + archived + store.n_forgotten
    assert verify_store(tmp_path) == ()
    assert done.n_mentions == 1
    assert b"https://acme.io/?to=[forgotten]" in found
    # Again there is nothing to be done, and the store goes on.
    assert forget(tmp_path, person).n_events == 0
    with open_store(tmp_path, settings) as store:
        assert store.append_json(event(30_000, 12, anonymousId="browser-1")).accepted == 1


def test_what_would_be_removed_is_said_beforehand(tmp_path: Path) -> None:
    """The counts are those of what is then removed, also where an hour is in the archive and the window's files."""
    settings = StoreSettings(window_hours=2)
    with open_store(tmp_path, settings) as store:
        store.append_json(b"".join(jane(k, k / 10) for k in range(20)))
        store.checkpoint()
        store.append_json(event(100, 2.5, anonymousId="b") + b"jane-4711 broken\n")
    announced, before = forget(tmp_path, "jane-4711", dry_run=True), written(tmp_path)
    assert (announced.n_window, announced.n_archive, announced.n_letters) == (10, 10, 1)
    assert before.count(b"jane-4711") > 20
    done = forget(tmp_path, "jane-4711")
    assert (done.n_window, done.n_archive, done.n_letters) == (10, 10, 1)
    assert done.identifiers == announced.identifiers


@pytest.mark.usefixtures("key")
def test_a_hashed_person_is_forgotten_by_name(tmp_path: Path) -> None:
    """Who is hashed in the store is found by the identifier as events have it."""
    settings = StoreSettings(privacy=PRIVACY)
    with open_store(tmp_path, settings) as store:
        store.append_json(b"".join([jane(1, 0), jane(2, 0), event(3, 0, anonymousId="b")]))
    assert forget(tmp_path, "JANE@acme.io").n_window == 2
    assert read_store(tmp_path).events().height == 1


def test_who_is_not_in_the_store_changes_nothing(tmp_path: Path) -> None:
    """A person of whom there is nothing changes nothing; no identifier is an error."""
    with open_store(tmp_path) as store:
        store.append_json(event(1, 0, anonymousId="a"))
    assert forget(tmp_path, "nobody").n_events == 0
    with pytest.raises(StoreError, match="give an identifier"):
        forget(tmp_path, " ")
    assert read_store(tmp_path).n_accepted == 1


def test_what_is_old_is_removed(tmp_path: Path) -> None:
    """After so many days of stream time the archive's hours and the files of letters are gone, and counted."""
    privacy = PrivacySettings(archive_days=2, dead_letters_days=1)
    with open_store(tmp_path, StoreSettings(window_hours=2, checkpoint_events=10, privacy=privacy)) as store:
        for hour in range(70):
            store.append_json(b"".join(event(1000 * hour + k, hour, anonymousId="a") for k in range(5)) + b"broken\n")
    hours = sorted(path.parent.parent.name[5:] + path.parent.name[5:] for path in tmp_path.rglob("*.parquet"))
    assert hours[0] == (START + timedelta(hours=69 - 48)).strftime("%Y-%m-%d%H")
    assert hours[-1] == (START + timedelta(hours=67)).strftime("%Y-%m-%d%H")
    left = sum(len(path.read_bytes().splitlines()) for path in tmp_path.glob("dead_letters*.ndjson"))
    assert 24 <= left <= 50
    assert verify_store(tmp_path) == ()
    assert reprocess(tmp_path, "dead-letters").counts.invalid == left


@pytest.mark.usefixtures("key")
def test_a_file_of_the_caller_is_no_part_of_a_private_store(tmp_path: Path) -> None:
    """Columns that a file has as they came are not read from it later: what the store answers is hashed."""
    rows = flatten_lines([(0, jane(1, 0)), (1, event(2, 0, anonymousId="b"))])
    rows.frame.write_parquet(tmp_path / "given.parquet")
    with open_store(tmp_path / "store", StoreSettings(privacy=PRIVACY)) as store:
        store.append_flattened(rows, file=tmp_path / "given.parquet")
        assert not set(store.events()["anonymous_id"]) & {"browser-of-jane", "b"}
    assert b"browser-of-jane" not in written(tmp_path / "store")


@pytest.mark.validation
def test_a_person_is_forgotten_among_a_million_events(tmp_path: Path) -> None:
    """From a store of 10⁶ events in window and archive a person goes whole, and everybody else stays."""
    n, n_people, settings = 1_000_000, 50_000, StoreSettings(fsync="never")
    k = pl.int_range(n, eager=True)
    begin = pl.Series([START]).dt.cast_time_unit("ms")
    time = begin.new_from_index(0, n) + (k * (72 * 3_600_000 // n)).cast(pl.Duration("ms"))
    person = (k * 7919 % n_people).cast(pl.String)
    columns = {"message_id": "m" + k.cast(pl.String), "anonymous_id": "browser-" + person, "user_id": "user-" + person}
    table = pl.DataFrame(columns | {"timestamp": time, "received_at": time}).with_columns(type=pl.lit("page"))
    with open_store(tmp_path, settings) as store:
        for first in range(0, n, 100_000):
            assert store.append(conform(table.slice(first, 100_000))).accepted == 100_000
        store.append_json(jane(1, 71.9) + jane(2, 71.95) + b"jane-4711 broken\n")
    before = read_store(tmp_path)
    done = forget(tmp_path, "user-4711", settings)
    assert (done.n_events, set(done.identifiers)) == (n // n_people, {"user-4711", "browser-4711"})
    assert min(done.n_window, done.n_archive) > 0
    found = written(tmp_path)
    assert not (re.search(rb"(user|browser)-4711(?!\d)", found))
    assert b"jane-4711" in found
    store = read_store(tmp_path)
    assert store.counts == before.counts
    archived = sum(pl.read_parquet(path, columns=["type"]).height for path in tmp_path.rglob("*.parquet"))
    assert store.n_accepted == store.events().height + archived + done.n_events


def test_nobody_else_is_taken_for_the_person(tmp_path: Path) -> None:
    """Whose identifier begins or ends with that of the person keeps their own, and their letters."""
    names = [f"user-{k}" for k in range(1, 20)] + ["joann@example.com", "ann@example.com"]
    with open_store(tmp_path) as store:
        store.append_json(
            b"".join(event(k, k / 10, anonymousId=f"b-{name}", userId=name) for k, name in enumerate(names))
        )
        store.append_json(b"user-12 is broken\nann@example.com is \\u0061nn@example.com\n")
    for person in ("user-1", "Ann@Example.com"):
        assert forget(tmp_path, person).n_window == 1
    kept = read_store(tmp_path).events()
    assert set(kept["user_id"]) == set(names) - {"user-1", "ann@example.com"}
    assert set(kept["anonymous_id"]) == {f"b-{name}" for name in kept["user_id"]}
    assert b"user-12 is broken" in written(tmp_path)
    assert b"\\u0061nn" not in written(tmp_path)


def test_a_source_that_names_the_person_is_blacked_out(tmp_path: Path) -> None:
    """The name of a file among the offsets goes too; nothing is left for anybody to edit."""
    file = tmp_path / "jane@acme.io.ndjson"
    file.write_bytes(b"".join(event(k, k / 10, anonymousId="browser-of-jane", userId="jane@acme.io") for k in range(5)))
    ingest([str(file)], tmp_path / "store")
    done = forget(tmp_path / "store", "Jane@acme.io")
    assert (done.n_window, done.n_sources) == (5, 1)
    assert b"jane@acme" not in written(tmp_path / "store")


def test_a_link_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    """Nothing is written or removed where a link leads to."""
    open_store(tmp_path / "store").close()
    (tmp_path / "precious").mkdir()
    (tmp_path / "store" / "damaged").symlink_to(tmp_path / "precious")
    with pytest.raises(StoreFormatError, match="is a link"):
        forget(tmp_path / "store", "somebody")


SPELLINGS = (
    "/?next=%2Fq%3Fe%3Djane%40acme.io",
    "/?next=%3Djane@acme.io",
    "/?e=jane%2540acme.io",
    "/?e=jane%40acme%2Eio",
    "/?e=jane&#64;acme.io",
    "/mail_jane@acme.io",
    "/?json={\\u006aane@acme.io",
)


def test_a_person_is_found_however_spelt(tmp_path: Path) -> None:
    """Escapes of URLs, HTML and JSON, several layers deep, and in columns of categories, of window and archive."""
    settings = StoreSettings(window_hours=2)
    campaign = {"term": "jane@acme.io", "source": "list-jane%40acme.io", "name": "autumn"}
    with open_store(tmp_path, settings) as store:
        store.append_json(event(1, 0.1, anonymousId="browser-of-jane", userId="jane@acme.io"))
        for hours in (1, 9):
            for k, path in enumerate(SPELLINGS):
                page = {"path": path, "title": "maryjane@acme.iou"}
                context = {"page": page, "campaign": campaign, "timezone": "jane@acme.io"}
                store.append_json(event(100 * hours + k, hours, anonymousId=f"c{k}", context=context))
    done = forget(tmp_path, "jane@acme.io", settings)
    assert done.n_mentions >= 2 * 4 * len(SPELLINGS)
    found = written(tmp_path).decode("utf-8", "replace")
    assert "jane@acme.io," not in found.replace("maryjane@acme.iou", "")
    for text in (*SPELLINGS, "list-jane", "jane%40"):
        assert text not in found
    titles = [table["context_page_title"] for table in tables_in(tmp_path)]
    assert sum(int((title == "maryjane@acme.iou").sum()) for title in titles) == 2 * len(SPELLINGS)
    assert forget(tmp_path, "jane@acme.io", settings).n_mentions == 0


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("n_events", [0, 2])
def test_privacy_holds_from_the_first_event_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_events: int) -> None:
    """A process that dies before any checkpoint, or a checkpoint that is lost: nobody adds events in clear."""
    store = open_store(tmp_path, StoreSettings(privacy=PRIVACY, window_hours=5))
    if n_events:
        store.append_json(jane(1, 0) + jane(2, 0))
    store.release()
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(AnalyticsError, match="must have a key"):
        open_store(tmp_path)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    checkpoint = tmp_path / "checkpoint.json"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-9])
    recover_store(tmp_path)
    with open_store(tmp_path) as again:
        assert again.window_hours == 5
        again.append_json(jane(3, 0.1))
    assert b"browser-of-jane" not in written(tmp_path)
    (tmp_path / "store.json").write_text("{}")
    (damage,) = verify_store(tmp_path)
    assert damage.path == tmp_path / "store.json"
    (done,) = recover_store(tmp_path)
    assert "written again from the checkpoint" in done
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(AnalyticsError, match="must have a key"):
        open_store(tmp_path)


def accounted(folder: Path) -> bool:
    """Whether every accepted event is in the window, in the archive, or forgotten."""
    store = read_store(folder)
    archived = sum(pl.read_parquet(path).height for path in folder.rglob("*.parquet"))
    return store.n_accepted == store.events().height + archived + store.n_forgotten


def test_counts_agree_however_often_somebody_is_forgotten(tmp_path: Path) -> None:
    """Forgotten, set back, archived once more and forgotten again: every event is accounted for."""
    settings = StoreSettings(window_hours=2)
    with open_store(tmp_path, settings) as store:
        store.append_json(b"".join(people(300)))
    for person, to in (("user-7", 6.0), ("user-8", None), ("jane-4711", 5.0), ("user-9", None)):
        assert forget(tmp_path, person, settings).n_archive > 0
        assert accounted(tmp_path)
        if to is not None:
            rewind(tmp_path, START + timedelta(hours=to), settings)
            with open_store(tmp_path, settings) as store:
                store.append_json(event(int(40_000 + to), 11.0 + to, anonymousId="later"))
        assert accounted(tmp_path)
        assert verify_store(tmp_path) == ()


def test_what_is_taken_in_again_is_not_skipped_after_a_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of late events that are written anew are read from their beginning: none is lost."""
    monkeypatch.setattr("analytics.durable.upkeep.reprocessing._LINES", 10)
    with open_store(tmp_path, StoreSettings(window_hours=24)) as store:
        store.append_json(event(0, 60, anonymousId="x", userId="far"))
        store.append_json(b"".join(event(k, 1, anonymousId=f"b{k % 2}", userId=f"user-{k % 2}") for k in range(1, 41)))
    stop = threading.Event()
    stop.set()
    assert reprocess(tmp_path, "late", stop=stop).counts.received == 10
    assert forget(tmp_path, "user-0").n_letters >= 20
    assert reprocess(tmp_path, "late").counts.received >= 20
    letters = b"".join(path.read_bytes() for path in tmp_path.glob("late*.ndjson"))
    assert set(re.findall(rb"user-\d", letters)) == {b"user-1"}
    assert set(re.findall(rb"\bm(\d+)", letters)) == {str(k).encode() for k in range(1, 41, 2)}


@pytest.mark.parametrize("command", ["forget", "rewind"])
def test_a_damaged_hour_is_not_taken_for_a_whole_one(tmp_path: Path, command: str) -> None:
    """Whoever reads the archive compares its checksums: damage is never written down as sound."""
    with open_store(tmp_path, StoreSettings(window_hours=2)) as store:
        store.append_json(b"".join(people(300)))
    path = max(tmp_path.rglob("*.parquet"))
    whole, rng = path.read_bytes(), np.random.default_rng(3)
    for _ in range(12):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        with pytest.raises(StoreCorruptError, match=re.escape(str(path))):
            forget(tmp_path, "user-7") if command == "forget" else rewind(tmp_path, START + timedelta(hours=5.6))
        assert [damage.path for damage in verify_store(tmp_path) if damage.path.suffix == ".parquet"] == [path]
        (tmp_path / "forgetting.json").unlink(missing_ok=True)


def test_a_wrong_clock_does_not_make_everything_old(tmp_path: Path) -> None:
    """Where stream time leaps by weeks nothing is removed until events of another day confirm it; then it is."""
    settings = StoreSettings(window_hours=2, checkpoint_events=20, privacy=PrivacySettings(archive_days=3))
    with open_store(tmp_path, settings) as store:
        store.append_json(b"".join(event(k, k / 10, anonymousId="a") for k in range(400)))
    n_hours = len(list(tmp_path.rglob("*.parquet")))
    assert n_hours > 30
    with open_store(tmp_path, settings) as store:
        store.append_json(event(1000, 24 * 80, anonymousId="a"))
        store.append_json(event(1001, 24 * 80 + 1, anonymousId="b"))
    assert len(list(tmp_path.rglob("*.parquet"))) >= n_hours
    with open_store(tmp_path, settings) as store:
        store.append_json(event(1002, 24 * 81 + 1, anonymousId="b"))
    assert len(list(tmp_path.rglob("*.parquet"))) < 5


def test_a_forget_that_did_not_end_is_damage(tmp_path: Path) -> None:
    """What tells of it is found, so that somebody runs it again."""
    with open_store(tmp_path) as store:
        store.append_json(event(1, 0, anonymousId="a"))
    (tmp_path / "forgetting.json").write_text('["somebody"]')
    assert [damage.path.name for damage in verify_store(tmp_path)] == ["forgetting.json"]
    assert forget(tmp_path, "nobody").identifiers == ("nobody", "somebody")
    assert verify_store(tmp_path) == ()

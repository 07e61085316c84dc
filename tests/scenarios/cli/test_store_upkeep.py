"""Claims about the commands that mend a store, and about its health."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import Ended

from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store

BEGIN = datetime(2026, 3, 3, 10, tzinfo=UTC)


def line(number: int, hours: float, **more: Any) -> bytes:
    """A page view so many hours after the beginning, of one of five browsers."""
    when = (BEGIN + timedelta(hours=hours)).isoformat()
    event = {"type": "page", "messageId": f"m{number}", "anonymousId": f"a{number % 5}", "timestamp": when}
    return json.dumps(event | more).encode() + b"\n"


def poisoned(folder: str = "store") -> None:
    """A store whose stream time was moved by forty days, before fifty events that are late now."""
    with open_store(folder) as store:
        store.append_json(b"".join(line(k, k / 10) for k in range(100)) + line(1000, 960))
        store.append_json(b"".join(line(k, k / 10) for k in range(100, 150)))


def test_a_moved_stream_is_mended_by_two_commands() -> None:
    """What `stats` warns of, `rewind` and `reprocess` mend; all events are there."""
    poisoned()
    assert read_store("store").n_accepted == 101
    done = Ended("rewind", "--store", "store", "--to", "2026-03-10T00:00Z")
    assert (done.status, done.err) == (0, "")
    assert "stream time is 2026-03-03 19:54 now; 1 later events are dead letters" in done.out
    assert "funnelsim reprocess --store store --from late" in done.out
    again = Ended("reprocess", "--store", "store", "--from", "late")
    assert (again.status, "accepted            50" in again.out) == (0, True)
    assert read_store("store").n_accepted == 150
    assert "taken in again: received 50, accepted 50" in Ended("stats", "--store", "store").out
    figures = Ended("stats", "--store", "store", "--json").json
    assert (figures["again"]["accepted"], figures["forgotten"], figures["late"]) == (50, 0, 50)


def test_dead_letters_come_back_once_their_format_is_known() -> None:
    """What could not be read as one format is taken in again as another; what is nothing stays."""
    row = {
        "event": "$pageview",
        "uuid": "u1",
        "distinct_id": "d1",
        "timestamp": BEGIN.isoformat(),
        "properties": {"$current_url": "https://a.io/"},
    }
    Path("mixed").write_bytes(line(1, 0) + json.dumps(row).encode() + b"\nnothing\n" + line(2, 1))
    assert Ended("ingest", "mixed", "--store", "store", "--format", "segment", "--json").json["invalid"] == 2
    done = Ended("reprocess", "--store", "store", "--from", "dead-letters", "--format", "posthog", "--json").json
    assert (done["accepted"], done["invalid"]) == (1, 1)
    left = Path("store/dead_letters.ndjson").read_text().splitlines()
    assert [json.loads(each)["raw"] for each in left] == ["nothing"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reprocess", "--store", "store", "--from", "lates"], "--from: must be dead-letters or late (got 'lates')"),
        (["reprocess", "--store", "none", "--from", "late"], "is not the folder of a store"),
        (
            ["rewind", "--store", "store", "--to", "yesterday"],
            "--to: must be a date with a time, such as 2026-03-03T",
        ),
        (["rewind", "--store", "store", "--to", "2099-01-01T00:00Z"], "not after 2099-01-01 00:00; nothing is changed"),
        (["rewind", "--store", "none", "--to", "2026-01-01T00:00Z"], "is not the folder of a store"),
        (["forget", "--store", "store", "--person", " "], "give an identifier of the person"),
        (["forget", "--store", "none", "--person", "a"], "is not the folder of a store"),
    ],
)
def test_wrong_input_is_one_line(words: list[str], message: str) -> None:
    """Each fault is one message and status 2; no folder is made where there was none."""
    poisoned()
    done = Ended(*words)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not Path("none").exists()


def test_a_person_is_forgotten_without_being_named_again() -> None:
    """The summary has numbers; neither it nor the JSON names the person."""
    with open_store("store") as store:
        store.append_json(
            b"".join(line(k, k / 10, userId="jane@acme.io" if k == 3 else f"u{k % 5}") for k in range(10))
        )
    dry = Ended("forget", "--store", "store", "--person", "Jane@acme.io", "--dry-run")
    assert (dry.status, "nothing was changed" in dry.out) == (0, True)
    done = Ended("forget", "--store", "store", "--person", "Jane@acme.io")
    assert done.status == 0
    assert "events removed from the window        1" in done.out
    assert "jane" not in done.out
    assert "forgotten 1 of the accepted, with the persons they were of" in Ended("stats", "--store", "store").out
    nobody = Ended("forget", "--store", "store", "--person", "jane@acme.io", "--json")
    assert (nobody.json["n_events"], nobody.status) == (0, 1)
    assert "nothing of this person was found" in Ended("forget", "--store", "store", "--person", "jane@acme.io").out


def test_a_monitor_gets_a_status() -> None:
    """Late, invalid, lagging: `--check` exits with 1, and the JSON says why; a healthy store exits with 0."""
    with open_store("store") as store:
        store.append_json(b"".join(line(k, k / 10) for k in range(100)))
    done = Ended("stats", "--store", "store", "--check", "--json")
    health = done.json["health"]
    assert (done.status, health["status"], health["problems"]) == (0, "ok", [])
    assert (health["events_per_hour"], health["late_share"], health["lag_s"]) == (10, 0.0, None)
    lagging = Ended("stats", "--store", "store", "--max-lag", "60")
    assert lagging.status == 1
    assert "warning: stream time is " in lagging.out
    assert Ended("stats", "--store", "store", "--max-lag", "1e9").status == 0
    poisoned("late")
    with open_store("late") as store:
        store.append_json(b"".join(line(k, k / 100) for k in range(2000, 2200)))
    done = Ended("stats", "--store", "late", "--check", "--json")
    (problem,) = done.json["health"]["problems"]
    assert done.status == 1
    assert problem.startswith("71% of all events are late or invalid (71% came late, 0% invalid)")
    Path("log").write_bytes(line(1, 0))
    Ended("ingest", "log", "--store", "tail")
    Path("log").write_bytes(line(1, 0) + line(2, 0))
    backlog = Ended("stats", "--store", "tail", "--json").json["health"]["backlog_bytes"]
    assert backlog == {str(Path("log").resolve()): len(line(2, 0))}


def test_privacy_is_a_setting_of_ingest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that are named are hashed; without a key the error says where it is looked for."""
    Path("events").write_bytes(line(1, 0, userId="jane"))
    words = ["ingest", "events", "--store", "store", "--set", "analytics.privacy.hash=[user_id]"]
    done = Ended(*words)
    assert done.status == 2
    assert "the environment variable FUNNELSIM_PRIVACY_KEY must have a key" in done.err
    monkeypatch.setenv("FUNNELSIM_PRIVACY_KEY", "0123456789abcdef")
    assert Ended(*words).status == 0
    assert read_store("store").events()["user_id"].item().startswith("hmac-")
    wrong = Ended("ingest", "events", "--store", "other", "--set", "analytics.privacy.hash=[usr_id]")
    assert (wrong.status, "there is no column 'usr_id'; did you mean 'user_id'?" in wrong.err) == (2, True)

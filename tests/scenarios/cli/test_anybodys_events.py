"""Claims about analyze and ingest on anybody's events: both read the same, and say what they cannot read."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from command_line import Ended
from event_files import EXPORTS, LINES, PAGES, page

from analytics.durable.recovery import read_store
from scenarios.errors import InputError
from scenarios.run.events_analysis import analyze


def both(*inputs: object, **options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What analyze and ingest print of some inputs."""
    given = [*inputs, *(part for name, value in options.items() for part in (f"--{name}", value))]
    return Ended("analyze", *given, "--json").json, Ended("ingest", *given, "--store", "store", "--json").json


@pytest.mark.parametrize("name", sorted(path.name for path in EXPORTS.iterdir()))
def test_analyze_and_ingest_read_the_same(name: str) -> None:
    """Every export has the same counts in both, recognised or named, and ingesting it again adds nothing."""
    analysed, ingested = both(EXPORTS / name)
    counters = ("received", "accepted", "duplicate", "late", "invalid")
    assert {key: analysed[key] for key in counters} == {key: ingested[key] for key in counters}
    assert analysed["accepted"] == analysed["received"] > 1
    again = Ended("ingest", EXPORTS / name, "--format", name.partition(".")[0], "--store", "store", "--json").json
    assert (again["received"], again["accepted"]) == (0, 0)


def test_rows_of_tables_in_json_are_read_together() -> None:
    """A demo request in one table is that of the visitor whose page views are in another."""
    row = {"id": "1", "anonymous_id": "a", "received_at": "2026-03-03 10:00:00 UTC"}
    Path("pages.ndjson").write_text(json.dumps(row) + "\n" + json.dumps(row | {"id": "2", "anonymous_id": "b"}) + "\n")
    Path("tracks.json").write_text(json.dumps([row | {"id": "3", "event_text": "Demo Requested"}]))
    analysed, ingested = both("pages.ndjson", "tracks.json")
    assert (analysed["accepted"], ingested["accepted"]) == (3, 3)
    assert (analysed["totals"]["visitors"], analysed["totals"]["conversion"]) == (2, 0.5)


def test_quiet_keeps_results_and_warnings_of_incomplete_figures() -> None:
    """Both commands: no counts on standard output, and dead letters as a warning on standard error."""
    Path("events").write_bytes(LINES + b"broken\n")
    warning = f"funnelsim: warning: 1 of {len(PAGES) + 1} events are invalid, and in no figure (not_json 1)\n"
    ingested = Ended("ingest", "events", "--store", "store", "-q")
    assert (ingested.out, ingested.err) == ("", warning)
    analysed = Ended("analyze", "events", "-q")
    assert analysed.out.startswith("1 visitor seen, 1 visit, 5 page views, 0 demo requests\n")
    assert analysed.err.endswith(warning)
    written = Ended("analyze", "events", "-q", "--out", "results")
    assert (written.out, written.err) == ("", analysed.err)
    assert "warning" not in Ended("analyze", "events").err


def test_an_unknown_funnel_is_worded_alike() -> None:
    """``analyze`` and ``stats`` have one line for it."""
    Path("events").write_bytes(LINES)
    Ended("ingest", "events", "--store", "store")
    printed = (Ended("analyze", "events").out, Ended("stats", "--store", "store").out)
    lines = {line for text in printed for line in text.splitlines() if line.startswith("funnel:")}
    assert lines == {
        "funnel: unknown, as no page has a funnel stage (funnelsim map EVENTS proposes a mapping of pages)"
    }


@pytest.mark.parametrize("command", [("analyze",), ("ingest", "--store", "store")])
def test_an_event_without_type_is_said_to_have_none(command: tuple[str, ...]) -> None:
    """Not that its type is 'None', and with what the line looks like."""
    Path("events").write_text('{"what": "x", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}')
    message = Ended(*command, "events").err
    assert "there is no type, which must be one of page, track" in message
    assert "looks like JSON with the keys what, anonymousId, timestamp" in message
    assert "None" not in message


def test_a_folder_goes_into_a_store_file_by_file() -> None:
    """Each file has its own offset, so that a file that comes later is the only one read."""
    Path("day").mkdir()
    Path("day/1.json").write_text(json.dumps(PAGES[:2]))
    Path("day/2.csv").write_text("type,messageId,anonymousId,timestamp\npage,m2,a,2026-03-03T10:02:00Z\npage,m8\n")
    analysed, ingested = both("day")
    assert (analysed["accepted"], ingested["accepted"], ingested["invalid"]) == (3, 3, 1)
    letters = [letter.detail for letter in read_store(Path("store")).dead_letters]
    assert letters[0].startswith(f"{Path('day/2.csv').resolve()}, record 2: ")
    with zipfile.ZipFile("day/3.zip", "w") as archive:
        archive.writestr("3.json", json.dumps(page(3), indent=1))
    more = Ended("ingest", "day", "--store", "store", "--json").json
    assert (more["received"], more["accepted"]) == (1, 1)


@pytest.mark.parametrize("command", ["analyze", "ingest"])
def test_a_stream_of_any_shape_is_read(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Standard input is read as a file is: a body of a batch, as ``curl`` has it, without a line's end."""
    (tmp_path / "body").write_text(json.dumps({"batch": PAGES, "sentAt": "2026-03-03T11:00:00Z"}))
    with (tmp_path / "body").open("rb") as file:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=file, fileno=file.fileno))
        more = ["--store", "store"] if command == "ingest" else []
        assert Ended(command, "-", *more, "--json").json["accepted"] == len(PAGES)


def test_names_of_ones_own_count_in_stores_as_in_analyses() -> None:
    """Own bots are left out, links of own domains are no arrival, own channels are named, in both commands."""
    context = {"page": {"url": "https://acme.io/", "referrer": "https://acme-help.com/"}}
    views = [page(n, anonymousId=f"v{n}", context=context) for n in range(4)]
    views[0]["context"] = context | {"userAgent": "AcmeProbe 1"}
    views[1]["context"] = context | {"campaign": {"source": "talks", "medium": "audio"}}
    Path("views.json").write_text(json.dumps(views))
    Path("own.yaml").write_text(
        "name: own\nanalytics:\n  own_domains: [acme-help.com]\n  bots: {user_agents: [acmeprobe]}\n"
        "  channels: {podcast: {utm_source: [talks]}}\n  segments: [channel]\n"
    )
    Ended("ingest", "views.json", "--store", "store")

    def counted(*more: str) -> dict[str, int]:
        views = Ended("stats", "--store", "store", "--by", "channel", *more, "--json").json["views"]
        return {row["channel"]: row["page_views"] for row in views}

    assert counted() == {"audio": 1, "referral": 3}
    assert counted("--config", "own.yaml") == {"podcast": 1, "(not set)": 2}
    Ended("analyze", "views.json", "--config", "own.yaml", "--out", "o")
    by_channel = pl.read_csv("o/statistics/by_channel.csv")
    assert dict(by_channel.select("channel", "page_views").iter_rows()) == {"podcast": 1, "(not set)": 2}


def test_identifiers_of_nobody_are_named() -> None:
    """A real user 0 would not be lost unsaid; an empty text is what libraries send of those without one."""
    Path("e.json").write_text(json.dumps([page(n, userId=user) for n, user in enumerate(("null", 0, "u", "", ""))]))
    warnings = Ended("analyze", "e.json", "--json").json["warnings"]
    assert any("2 identifiers stand for nobody" in text and "'null' (1), '0' (1);" in text for text in warnings)
    Path("e.json").write_text(json.dumps([page(n, userId="") for n in range(3)]))
    assert not any("stand for nobody" in text for text in Ended("analyze", "e.json", "--json").json["warnings"])


def test_columns_that_are_not_read_are_named() -> None:
    """Analyze has them among its warnings; ingest prints them to standard error."""
    Path("pages.csv").write_text(
        "id,anonymous_id,url,received_at,colour\np1,a,https://x.org/,2026-03-03 10:00:00,red\n"
    )
    assert "pages.csv: columns that are not read: colour" in Ended("analyze", "pages.csv", "--json").json["warnings"]
    ended = Ended("ingest", "pages.csv", "--store", "store")
    assert (ended.status, "warning: pages.csv: columns that are not read: colour" in ended.err) == (0, True)
    shutil.move("pages.csv", "views.csv")
    assert Ended("analyze", "views.csv", "--type", "page", "--json").json["accepted"] == 1


@pytest.mark.parametrize(
    ("data", "options", "why"),
    [
        (
            b'{"who": 1}\n',
            [],
            "looks like JSON with the keys who, of no known format; the formats are segment, amplitude",
        ),
        (b"[1, 2", [], "events: record 3 ends too early|the array is not closed|is not JSON"),
        (b"\x1f\x8b\x08broken", [], "events: cannot be read"),
        (LINES, ["--format", "ga5"], "there is no format 'ga5'"),
        (b"product,price\na,1\n", [], "its columns are product, price"),
        (b"id,user_id\n1,u\n", [], "say with --type which call"),
        (b"id,user_id\n1,u\n", ["--type", "view"], "there is no type 'view'"),
    ],
)
def test_what_cannot_be_read_is_one_message(data: bytes, options: list[str], why: str) -> None:
    """Exit status 2, as for all wrong input, the file and the reason, no traceback."""
    Path("events").write_bytes(data)
    ended = Ended("analyze", "events", *options)
    assert ended.status == 2
    assert "Traceback" not in ended.err
    assert any(part in ended.err for part in why.split("|")), ended.err


@pytest.mark.parametrize("command", ["analyze", "ingest"])
def test_an_empty_folder_is_an_error(command: str) -> None:
    """Never zeros."""
    Path("empty").mkdir()
    ended = Ended(command, "empty", *(["--store", "store"] if command == "ingest" else []))
    assert ended.status == 2
    assert "empty: holds no file of events; it is empty" in ended.err


def test_dead_letters_of_several_files_say_their_file() -> None:
    """A number alone would not say which file it counts in."""
    Path("a.json").write_text(json.dumps([PAGES[0], {"type": "nonsense"}]))
    Path("b.ndjson").write_bytes(LINES + b"broken\n")
    Ended("analyze", "a.json", "b.ndjson", "--out", "o")
    details = [json.loads(line)["detail"] for line in Path("o/dead_letters.ndjson").read_text().splitlines()]
    assert [detail.partition(":")[0] for detail in details] == ["a.json, record 2", "b.ndjson, record 6"]


def test_tables_of_users_and_a_manifest_beside_events_are_left_out() -> None:
    """A whole warehouse, and our own export of one, is read; what holds no events is named."""
    row = {"received_at": "2026-03-03 10:00:00", "context_ip": "192.0.2.1"}
    Path("wh").mkdir()
    pl.DataFrame([row | {"id": "1", "anonymous_id": "a"}]).write_csv("wh/pages.csv")
    pl.DataFrame([row | {"id": "u", "email": "u@x.org"}]).write_csv("wh/users.csv")
    pl.DataFrame([row | {"id": "acme", "name": "Acme"}]).write_parquet("wh/accounts.parquet")
    Path("wh/manifest.json").write_text('{"kind": "export"}')
    analysed = Ended("analyze", "wh", "--json").json
    assert (analysed["received"], analysed["accepted"]) == (1, 1)
    assert "manifest.json" in analysed["warnings"][0]
    assert "wh/accounts.parquet: left out, as it is a table of accounts, not of events" in analysed["warnings"]
    assert "wh/users.csv: left out, as it is a table of users, not of events" in analysed["warnings"]
    assert Ended("ingest", "wh", "--store", "store", "--json").json["accepted"] == 1


BATCH = json.dumps({"batch": [{"type": "page", "messageId": f"b{n}", "anonymousId": "a"} for n in range(2)]})


@pytest.mark.parametrize("lines", [BATCH, f"{BATCH}\n{BATCH}\n", f'{{"type":"page","anonymousId":"a"}}\n{BATCH}\n'])
def test_bodies_of_batches_are_live_in_files(lines: str) -> None:
    """Alone, or among lines of events; without times they arrive when they are read."""
    Path("batches.ndjson").write_text(lines)
    live = Ended("ingest", "batches.ndjson", "--live", "--store", "store", "--json").json
    assert (live["accepted"] + live["duplicate"], live["invalid"]) == (live["received"], 0)
    assert live["received"] >= 2
    again = Ended("ingest", "batches.ndjson", "--store", "store")
    assert (again.status, "was read so far with --live" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("e.json", '{"batch":[]}', "looks like JSON without any event, such as an empty batch"),
        ("e.csv", "type,message_id,type\npage,1,page\n", "e.csv: there is more than one column 'type'"),
        (
            "e.ndjson",
            '{"event_name": "x", "event_timestamp": 1, "event_params": []}',
            "neither anonymousId nor userId is given",
        ),
    ],
)
def test_what_cannot_be_used_is_named(name: str, text: str, message: str) -> None:
    """By both commands, and a tool that was recognised is not called unknown."""
    Path(name).write_text(text)
    for command in (["analyze", name], ["ingest", name, "--store", "store"]):
        ended = Ended(*command)
        assert (ended.status, message in ended.err, "no known format" in ended.err) == (2, True, False)


def test_a_column_of_a_wrong_type_is_named_with_its_file() -> None:
    """And with what to do, whether the file is of the event table or has more columns."""
    table = pl.DataFrame({"type": ["page"], "anonymous_id": "a", "received_at": [1_772_532_000_000]})
    wrong = table.with_columns(sent_at=pl.duration(days=1))
    wrong.write_parquet("plain.parquet")
    wrong.with_columns(hue=1).write_parquet("wide.parquet")
    for name in ("plain.parquet", "wide.parquet"):
        for command in (["analyze", name], ["ingest", name, "--store", "store"]):
            assert f"{name}: column 'sent_at' is Duration" in (error := Ended(*command).err)
            assert "write the column as text, or a time as a timestamp, or leave it out" in error


def test_an_empty_file_is_named_beside_events() -> None:
    """The store has events already, so the counts alone would not show it."""
    Path("events").write_bytes(LINES)
    Path("empty").touch()
    done = Ended("ingest", "events", "empty", "--store", "store", "--json").json
    assert done["warnings"] == ["nothing was read from empty: no events there"]
    assert Ended("ingest", "events", "--store", "store", "--json").json["warnings"] == []


def test_a_table_is_no_path() -> None:
    """The error says what takes one, instead of naming its columns as files."""
    with pytest.raises(InputError, match=r"is a table, not a path; fs\.Analysis\(table\) takes one"):
        analyze(pl.DataFrame({"type": ["page"]}))  # type: ignore[arg-type]


def test_the_channel_of_servers_keeps_visits_apart() -> None:
    """An invoice between two page views 50 minutes apart joins them in no form of the table."""
    times = [("page", "09:00", "web"), ("track", "09:25", "server"), ("page", "09:50", "web")]
    common = {"anonymous_id": "a", "event": "Invoice Paid"}
    rows = [
        common | {"type": call, "message_id": when, "channel": channel, "received_at": f"2026-03-03T{when}:00Z"}
        for call, when, channel in times
    ]
    table = pl.DataFrame(rows)
    table.write_csv("e.csv")
    table.write_parquet("e.parquet")
    table.write_ndjson("e.ndjson")
    for form in ("csv", "parquet", "ndjson"):
        assert Ended("analyze", f"e.{form}", "--json").json["totals"]["visits"] == 2

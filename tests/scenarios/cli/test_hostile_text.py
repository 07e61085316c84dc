"""Claims about texts from outside: nothing that is printed or written for people acts, forges a line or names a person.

Every command is in a table here with calls on hostile input; one that is not in the table fails a test.
"""

from __future__ import annotations

import csv
import html
import json
import re
import socket
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from command_line import Ended

from analytics.events.dimensions import DIMENSIONS
from scenarios import cli
from scenarios.cli.commands import COMMANDS

CONTROLS: Final = "\x1b]52;c;Rk9SR0VE\x07\x1b[2J\x1b[31m\x9b5m\x07\x08\x7f\u202e\u2066\u200b\u2028"
FORGED: Final = "\nFORGED ROW  999,999\r\nfunnelsim: FORGED, all is well\n"
PERSONAL: Final = "jane.doe+x@acme.io jane%40acme.io 192.0.2.77 2001:db8::77"
HARMLESS: Final = "ü 漢字 👩\u200d💻 e\u0301"
HOSTILE: Final = f"{CONTROLS}{FORGED}<script>alert(1)</script>|`a`|**b** {HARMLESS} {PERSONAL}"
FORMULA: Final = f"=cmd|'/c calc'!A1{HOSTILE}"


def event(number: int, call: str = "page", **fields: object) -> dict[str, object]:
    """An event whose every text is hostile; visitors, pages and accounts differ by their number."""
    text = f"{'=+@-'[number % 4]}cmd{number}{HOSTILE}"
    page = {"path": f"/{text}", "url": f"https://acme.io/{text}?email=jane{number}%40acme.io", "title": text}
    return {
        "type": call, "messageId": f"{number}{CONTROLS}", "anonymousId": f"{number}{CONTROLS}",
        "userId": f"jane{number}@acme.io",
        "timestamp": f"2026-03-03T10:{number % 60:02}:00Z", "receivedAt": f"2026-03-03T10:{number % 60:02}:01Z",
        "context": {
            "page": {**page, "referrer": f"https://{number}.example/{text}"}, "ip": "192.0.2.77", "userAgent": text,
            "campaign": dict.fromkeys(("source", "medium", "name", "term", "content"), text),
            "device": {"type": text}, "locale": text, "timezone": text, "groupId": f"{number % 7}{text}",
            "traits": {"email": f"jane{number}@acme.io"}, text: text,
        },
        "properties": {**page, "category": text, "name": text, "experiments": text, text: text},
        **fields,
    }  # fmt: skip


def in_yaml(data: object) -> str:
    """JSON, of which YAML knows all but the halves of surrogates."""
    return re.sub(r"\\ud83d\\u(\w{4})", lambda found: json.loads(f'"{found[0]}"'), json.dumps(data))


def write_input() -> None:
    """Hostile events, scenario, study, table and file names."""
    events = [event(number) for number in range(40)]
    events += [event(number, "track", event=FORMULA) for number in range(40, 46)]
    events += [event(number, "track", event="Demo Requested") for number in range(46, 50)]
    events += [event(50, "identify", traits={"email": "jane@acme.io", FORMULA: FORMULA}), event(51, "group")]
    events += [event(60, "page", timestamp=FORMULA, receivedAt=FORMULA), event(61, FORMULA)]
    lines = [json.dumps(each, ensure_ascii=False) for each in events]
    Path("events.ndjson").write_text("\n".join([*lines, CONTROLS, '{"type": "page"']) + "\n", encoding="utf-8")
    world = {
        "name": "tiny", "description": HOSTILE, "clock": {"hours": 2}, "traffic": {"visitors_per_day": 3000},
        "claims": {HOSTILE: "conversion() > 2", "none": "conversion(region='latin_america', device='tablet') > 2"},
        "intent": {"intercept": -2.0},
    }  # fmt: skip
    Path("world.yaml").write_text(in_yaml(world), encoding="utf-8")
    Path("other.yaml").write_text(in_yaml({**world, "tracking": {"ad_blocker_rate": 0.4}}), encoding="utf-8")
    Path("chat.yaml").write_text(in_yaml({**world, "components": {"chat": {"use": "live_chat"}}}))
    Path("wrong.yaml").write_text(
        in_yaml({**world, HOSTILE: 1, "clock": {HOSTILE: HOSTILE, "hours": HOSTILE}}), encoding="utf-8"
    )
    study = {
        "name": "tiny", "description": HOSTILE, "scenario": world, "replications": 2,
        "factors": {"tracking.duplicate_rate": [0.0, 0.2]},
        "responses": {FORMULA: "counts.visitors", HOSTILE: "conversion(region='latin_america', device='tablet')"},
    }  # fmt: skip
    Path("study.yaml").write_text(in_yaml(study), encoding="utf-8")
    level = HOSTILE.replace("2001:db8::77", "").replace(":", "")
    rows = [{"bought": n % 7 < 3, f"=x{CONTROLS}": n % 2, "plan": f"{'=+@-'[n % 2]}{level}"} for n in range(200)]
    pl.DataFrame(rows).cast({"bought": pl.Int8}).write_csv("table.csv")


SMALL: Final = ("--replications", "2", "--jobs", "1")
CALLS: Final[dict[str, list[tuple[str, ...]]]] = {
    "run": [("world.yaml", "--out", "run"), ("world.yaml", "--json", "--out", "run2"), ("wrong.yaml",)],
    "analyze": [
        ("events.ndjson",),
        ("events.ndjson", "--out", "analysis"),
        ("events.ndjson", "--json"),
        ("events.ndjson", "--quiet"),
        ("events.ndjson", "--rename-event", FORMULA.partition("jane")[0]),
        (CONTROLS + FORGED,),
        ("events.ndjson", "--set", CONTROLS + FORGED),
    ],
    "map": [("events.ndjson",), ("events.ndjson", "--output", "mapping.yaml")],
    "model": [
        ("table.csv", "--outcome", "bought", "--category", "plan"),
        ("table.csv", "--outcome", "bought", "--category", "plan", "--json"),
        ("table.csv", "--outcome", CONTROLS + FORGED),
        ("events.ndjson", "--outcome", "x"),
    ],
    "scenarios": [()],
    "show": [("world.yaml",), ("wrong.yaml",), ("world.yaml", "--set", CONTROLS + FORGED)],
    "validate": [("world.yaml",), ("study.yaml",), ("wrong.yaml",), ("events.ndjson",), (CONTROLS + FORGED,)],
    "schema": [("study",), (CONTROLS + FORGED,)],
    "study": [
        ("study.yaml", "--jobs", "1"),
        ("study.yaml", "--jobs", "1", "--json"),
        ("study.yaml", "--rerun", "0:0"),
        ("study.yaml", "--rerun", CONTROLS + FORGED),
        ("other-study.yaml", "--jobs", "1", "--out", "runs/study-tiny"),
    ],
    "power": [
        ("world.yaml", "--signal", CONTROLS + FORGED),
        ("world.yaml", "--experiment", CONTROLS + FORGED),
        ("world.yaml", "--signal", "security_page_view", "--replications", "40", "--jobs", "1"),
    ],
    "compare": [
        ("world.yaml", "other.yaml", *SMALL, "--out", "compared"),
        ("world.yaml", "other.yaml", *SMALL, "--json"),
        ("world.yaml", "other.yaml", *SMALL, "--response", CONTROLS + FORGED),
    ],
    "warm-up": [("world.yaml", *SMALL, "--out", "plot.svg"), ("world.yaml", *SMALL, "--json")],
    "check-component": [("chat.yaml",), ("chat.yaml", "--json"), ("world.yaml",)],
    "ingest": [
        ("events.ndjson", "--store", "store"),
        ("events.ndjson", "--store", "store2", "--json"),
        (CONTROLS + FORGED, "--store", "store3"),
    ],
    "stats": [
        ("--store", "store"),
        *(("--store", "store", "--by", name) for name in DIMENSIONS),
        ("--store", "store", "--by", "page", "--by", "utm_source", "--json"),
        ("--store", "store", "--by", CONTROLS + FORGED),
        ("--store", CONTROLS + FORGED),
    ],
    "reprocess": [
        ("--store", "store", "--from", "dead-letters"),
        ("--store", "store", "--from", "late", "--json"),
        ("--store", "store", "--from", CONTROLS + FORGED),
        ("--store", CONTROLS + FORGED, "--from", "late"),
    ],
    "rewind": [
        ("--store", "store", "--to", "2026-03-03T10:30Z"),
        ("--store", "store", "--to", "2026-03-03T10:20Z", "--json"),
        ("--store", "store", "--to", CONTROLS + FORGED),
    ],
    "forget": [
        ("--store", "store", "--person", "jane3@acme.io"),
        ("--store", "store", "--person", CONTROLS + FORGED, "--json"),
        ("--store", CONTROLS + FORGED, "--person", "jane"),
    ],
    "replay": [
        ("run", "--to", "file:sent.ndjson", "--speed", "max"),
        ("run", "--to", "file:sent2.ndjson", "--speed", "max", "--json"),
        ("run", "--to", "{server}", "--speed", "max", "--max-retries", "1"),
        ("run", "--to", CONTROLS + FORGED),
        (CONTROLS + FORGED, "--to", "stdout"),
    ],
    "export": [
        ("run", "--to", "tables", "--format", "csv"),
        ("run", "--to", "tables2", "--json"),
        ("run", "--to", "tables3", "--format", CONTROLS + FORGED),
    ],
    "new": [
        ("new.yaml",),
        (f"new{CONTROLS}{FORGED}.yaml",),
        ("new2.yaml", "--study", "--extends", CONTROLS + FORGED),
    ],
    "doctor": [(), ("--json",)],
    "verify": [("store",), ("run",), ("run", "--json"), (CONTROLS + FORGED,)],
    "recover": [("store",), ("store", "--json"), (CONTROLS + FORGED,)],
}  # fmt: skip
"""Calls of every command on hostile input, in an order in which each finds what it needs."""

WRONG: Final = {
    "wrong.yaml", "other-study.yaml", "--max-retries", "validate events.ndjson", "model events.ndjson",
    "check-component world.yaml",
}  # fmt: skip
"""Words and beginnings of calls that end with an error, as nearly all do whose words are hostile."""

OWN_STYLES: Final = re.compile(r"\x1b\[(?:[\d;]*m|2K|1A|\?25[lh]|2J\x1b\[H)|\r")
"""Styles, progress bars and the clearing of a screen, which a terminal gets from funnelsim itself."""


@contextmanager
def collector() -> Iterator[str]:
    """A collector whose every answer is hostile: status, reason, place and body."""
    body = (CONTROLS + FORGED).encode()
    reason = CONTROLS.replace("\n", "").encode()
    heads = [b"HTTP/1.1 500 " + reason, b"HTTP/1.1 400 " + reason, b"HTTP/1.1 " + reason + b" 400"]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for number in range(10):
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    connection.recv(1 << 20)
                    place = b"\r\nLocation: http://x/" + reason if number % 2 else b""
                    length = b"\r\nContent-Length: %d\r\n\r\n" % len(body)
                    connection.sendall(heads[number % 3] + place + length + body)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def assert_inert(text: str, where: object, *, on_terminal: bool = False) -> None:
    """No character acts, no line is forged, nobody is named; what is harmless stays as it is."""
    plain = OWN_STYLES.sub("", text) if on_terminal else text
    letters = set(plain) - set("\n\t\u200c\u200d")
    active = [char for char in letters if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert not active, (where, sorted(map(ascii, active)))
    assert not [line for line in plain.splitlines() if re.match(r"\W*(funnelsim: )?FORGED", line)], where
    assert "\x1b]" not in plain
    assert not re.search(r"jane|192\.0\.2\.77|2001:db8", plain), (
        where,
        re.findall(r".*(?:jane|192\.0\.2\.77|2001:db8).*", plain)[:3],
    )


Call = tuple[tuple[str, ...], bool, Ended]
"""Words of a command, whether it wrote to a terminal, and how it ended."""


def called(*, on_terminal: bool) -> Iterator[Call]:
    """Make all calls of the table, those first that others need."""
    write_input()
    text = Path("study.yaml").read_text().replace('"replications": 2', '"replications": 3')
    Path("other-study.yaml").write_text(text)
    with collector() as server:
        for command in sorted(CALLS, key=lambda name: name not in {"run", "ingest"}):
            for arguments in CALLS[command]:
                call = (command, *(word.replace("{server}", server) for word in arguments))
                yield call, on_terminal, Ended(*call, on_terminal=on_terminal)


def assert_printed_inert(call: tuple[str, ...], ended: Ended, *, on_terminal: bool) -> None:
    """What a command prints acts, forges and names nothing, and the command reaches what the call is about."""
    for text in (ended.out, ended.err):
        assert_inert(text, call, on_terminal=on_terminal)
    assert "Traceback" not in ended.err, call
    is_wrong = any(FORGED in word or word in WRONG for word in call) or " ".join(call[:2]) in WRONG
    assert is_wrong or ended.status == 0, (call, ended.err)
    if "--json" in call and not ended.status:
        assert ended.json


def assert_written_inert(folder: Path) -> set[str]:
    """No character in a file for people acts, no cell is a formula and no page has a script; its suffixes are returned.

    Settings in YAML, events in Parquet and NDJSON, stores and tables for a warehouse are data, and are as they are, as
    are the claims of a scenario in the manifest of its run.
    """
    seen = set()
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.suffix not in {".csv", ".html", ".json", ".svg"} or name.startswith(("table.csv", "store")):
            continue
        seen.add(path.suffix)
        text = path.read_bytes().decode()
        if path.suffix == ".html":
            assert not re.search(r"<script|\son\w+=|javascript:", text), name
            # A line of a page is not a line of its source.
            assert_inert(html.unescape(text).replace("\n", " "), name)
        elif path.name == "manifest.json":
            assert_inert(re.sub(r"(?m)^      \"description\": .*$", "", text), name)
        elif not name.startswith("tables"):
            assert_inert(text, name)
        if path.suffix == ".csv" and not name.startswith("tables2"):
            cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
            assert not [cell for cell in cells if re.match(r"[=+@\t\r]|-(?![\d.]+(e-?\d+)?$)", cell)], name
        if path.suffix == ".svg":
            ET.fromstring(text)  # noqa: S314 - our own file
    return seen


DOORS: Final = {
    r"std(out|err)\.(write|buffer)": {
        "scenarios/cli/output.py", "scenarios/cli/app.py", "scenarios/run/progress.py",
        "scenarios/replays/files.py",  # events, as they are
    },
    r"\bprint\(": {"scenarios/cli/text/tables.py"},
    r"\.write_csv\(": {
        "analytics/html/frames.py", "scenarios/replays/export.py",
        "analytics/io/ndjson.py", "analytics/store/merge.py",  # in memory
    },
    r"(?<!\.)\b(Table|Text)\(": {"scenarios/cli/text/tables.py", "analytics/html/tables.py"},
    r"_repr_html_\(\)": {"analytics/html/notebook.py", "analytics/intent/results.py"},
    r"\|\s*safe\b": {
        "analytics/html/templates/notebook.html.j2", "analytics/html/templates/parts.html.j2",
        "analytics/html/templates/chart.html.j2",
    },
}  # fmt: skip
"""Where text leaves for people or files, by what does it, and the modules that may, as they make it inert before."""


@pytest.mark.parametrize("door", DOORS)
def test_text_leaves_where_it_is_made_inert(door: str) -> None:
    """No module but those named writes to the streams, draws a table, writes CSV, or has HTML that is not escaped."""
    root = Path(cli.__file__).parents[2]
    found = set()
    for package in ("analytics", "scenarios", "simulator", "funnelsim"):
        for path in [*(root / package).rglob("*.py"), *(root / package).rglob("*.j2")]:
            lines = path.read_text(encoding="utf-8").splitlines()
            code = [line for line in lines if not re.match(r"\s*(>>>|\.\.\. |#|def |class )", line)]
            if re.search(door, "\n".join(code)):
                found.add(str(path.relative_to(root)))
    assert found == DOORS[door]


def test_the_table_has_every_command() -> None:
    """A new command is called with hostile input too."""
    assert set(CALLS) == set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("on_terminal", [False, True])
def test_what_is_printed_and_written_is_inert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on_terminal: bool
) -> None:
    """Both streams of every command, on a terminal and in a pipe, and every file for people.

    Letters of any script, emoji with joiners and combining marks stay as they were sent.
    """
    monkeypatch.setenv("COLUMNS", "3000")  # a narrow terminal would break long cells, and words
    by_source = 0
    for call, _, ended in called(on_terminal=on_terminal):
        assert_printed_inert(call, ended, on_terminal=on_terminal)
        if call == ("stats", "--store", "store", "--by", "utm_source"):
            by_source += 1
            assert HARMLESS in ended.out
    assert by_source == 1
    assert assert_written_inert(tmp_path) == {".csv", ".html", ".json", ".svg"}


def pages(*paths: str) -> None:
    """A store, and a file, with one page view of each path."""
    time = "2026-03-03T10:00:00Z"
    events = [
        {"type": "page", "messageId": path, "anonymousId": path, "timestamp": time, "context": {"page": {"path": path}}}
        for path in paths
    ]
    Path("pages.ndjson").write_text("".join(json.dumps(each) + "\n" for each in events))
    Ended("ingest", "pages.ndjson", "--store", "store")


def test_pages_that_differ_in_an_address_only_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`stats` has one row for them, with --json too; on request all are shown."""
    pages("/u/jane@acme.io", "/u/joe%40acme.io", "/u/192.0.2.7", "/docs")
    lines = Ended("stats", "--store", "store", "--by", "page").out.splitlines()[-3:]
    assert [line.split() for line in lines] == [["/u/[e-mail]", "2"], ["/docs", "1"], ["/u/[IP", "address]", "1"]]
    views = Ended("stats", "--store", "store", "--by", "page", "--json").json["views"]
    assert [(row["page"], row["page_views"]) for row in views] == [
        ("/docs", 1),
        ("/u/[IP address]", 1),
        ("/u/[e-mail]", 2),
    ]
    monkeypatch.setenv("FUNNELSIM_SHOW_PERSONAL_DATA", "1")
    assert "/u/joe%40acme.io" in Ended("stats", "--store", "store", "--by", "page").out
    assert "/u/jane@acme.io" in json.dumps(Ended("stats", "--store", "store", "--by", "page", "--json").json)


def test_unmapped_pages_that_differ_in_an_address_only_are_numbered() -> None:
    """The report and its CSV have a row for each, and say that they are not the same page."""
    pages("/u/jane@acme.io", "/u/joe@acme.io", "/docs")
    Ended("analyze", "pages.ndjson", "--out", "found")
    csv_text = Path("found/statistics/unmapped_pages.csv").read_text()
    assert [line.partition(",")[0] for line in csv_text.splitlines()[1:]] == ["/docs", "/u/[e-mail]", "/u/[e-mail] #2"]
    page = Path("found/report.html").read_text()
    assert "/u/[e-mail] #2" in page
    assert "acme.io" not in page


def test_a_mapping_has_one_glob_for_the_pages_of_persons() -> None:
    """An address in a path is any text, in a rule that comes after those of other pages."""
    pages("/jane@acme.io", "/joe@acme.io", "/xyz", "/u/jane@acme.io")
    text = Ended("map", "pages.ndjson").out
    rules = [line.split(":")[0].strip(" #") for line in text.splitlines() if "page view" in line and '"' in line]
    assert sorted(rules) == ['"/*"', '"/u/*"', '"/xyz"']
    assert '"/*": {category: …, stage: …}  # 2 page views' in text


def test_what_the_user_has_given_is_shown() -> None:
    """Whoever types an address sees it in the message about it; a file with that address in its name shows no other."""
    pages("/u/jane@acme.io")
    assert "jane@acme.io: is not a run folder" in Ended("replay", "jane@acme.io", "--to", "stdout").err
    Path("joe@acme.io").write_text(Path("pages.ndjson").read_text())
    text = Ended("map", "joe@acme.io").out
    assert "proposed by funnelsim map from joe@acme.io" in text
    assert "jane" not in text


@pytest.mark.slow
def test_ordinary_output_has_no_replacements() -> None:
    """No text of our own has a character that is replaced, or looks like an address."""
    for call in (
        ("run", "baseline", "--set", "clock.hours=4", "--out", "r"),
        ("show", "baseline"),
        ("scenarios",),
        ("doctor",),
    ):
        for on_terminal in (False, True):
            ended = Ended(*call, on_terminal=on_terminal)
            assert not re.search(r"\ufffd|\[e-mail\]|\[IP address\]", ended.out + ended.err), call
    assert not re.search(r"\ufffd|\[e-mail\]|\[IP address\]", Path("r/report.html").read_text())

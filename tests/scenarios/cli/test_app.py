"""Claims about the command line: what it prints, where, and how it ends."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from analytics.io.ndjson import decode
from scenarios.cli.app import main
from scenarios.run.events_analysis import analyze
from scenarios.run.progress import progress_bar
from scenarios.scenario import Scenario

COMMAND = [sys.executable, "-c", "from scenarios.cli.app import main; main()"]
SMALL = "name: small\nclock: {hours: 2}\ntraffic: {visitors_per_day: 1000}\n"

PAGE = {"type": "page", "messageId": "1", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}
DEMO = PAGE | {"type": "track", "event": "Demo Requested", "messageId": "2"}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small scenario file; the working folder is its own."""
    monkeypatch.chdir(tmp_path)
    path = Path("small.yaml")
    path.write_text(SMALL)
    return path


class Ended:
    """How a command ended: status, what it printed, and what it complained of."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        self.status = caught.value.code
        self.out, self.err = capsys.readouterr()


def test_run_says_what_happened_and_where_to_read_on(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run prints counts, conversion and the folder on standard output, and nothing on standard error."""
    ended = Ended(capsys, "run", "small.yaml")
    assert (ended.status, ended.err) == (0, "")
    assert "page views" in ended.out
    assert "conversion" in ended.out
    assert "runs/small-seed7" in ended.out
    assert Path("runs/small-seed7/manifest.json").is_file()


def test_run_json_is_the_manifest_and_nothing_else(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json standard output is one object, which holds the manifest as written; seed 0 is a seed."""
    ended = Ended(capsys, "run", "small.yaml", "--seed", "0", "--set", "clock.hours=1", "--out", "o", "--json")
    printed = json.loads(ended.out)
    assert (ended.status, printed["seed"], printed.pop("folder")) == (0, 0, "o")
    promised = {"visitors", "visits", "events", "page_views", "demo_requests"}
    assert set(printed["counts"]) == promised | {"true_events", "true_page_views", "malformed_lines"}
    assert printed == json.loads(Path("o/manifest.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "basline"], "there is no scenario 'basline' in the library; did you mean 'baseline'?"),
        (["run", "none.yaml"], "none.yaml: there is no such file"),
        (["run", "small.yaml", "--set", "traffic.visitors_per_day=-5"], "must be greater than 0 (got -5)"),
        (["run", "small.yaml", "--seed", "-1"], "--seed"),
        (["run", "small.yaml", "--events", "csv"], "'csv'"),
        (["run", "small.yaml", "--out", "small.yaml/x"], "cannot be written: Not a directory"),
        (["run", "small.yaml", "--out", "."], "funnelsim did not make"),
        (["run", "small.yaml", "--sed", "1"], "--sed"),
        (["walk"], "walk"),
        (["validate", "syntax.yaml"], "syntax.yaml:2:2: a tab cannot indent YAML; use spaces"),
        (["show", "none"], "there is no scenario 'none'"),
        (["schema", "scenaro"], "did you mean 'scenario'?"),
        (["analyze", "none.ndjson"], "none.ndjson: "),
        (["analyze"], "EVENTS"),
        (["analyze", "small.yaml", "--out", "o"], "small.yaml: holds no usable event; line 1: "),
        (["analyze", "empty", "--out", "o"], "empty: holds no events"),
    ],
)
def test_wrong_input_is_one_message_and_status_2(
    small: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Whatever is wrong with the input is told in one line on standard error, and no folder is left."""
    Path("syntax.yaml").write_text("name: x\n \tseed: 1\n")
    Path("empty").touch()
    ended = Ended(capsys, *arguments)
    assert ended.status == 2
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1
    assert {path.name for path in Path().iterdir()} == {"small.yaml", "syntax.yaml", "empty"}


def test_a_failed_run_is_one_message_and_status_1(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that fails for a reason nobody foresaw says so without a traceback, and leaves nothing."""

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scenarios.run.folder.simulate", full_disk)
    ended = Ended(capsys, "run", "small.yaml")
    assert (ended.status, ended.out) == (1, "")
    assert "No space left on device" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


def test_validate_tells_every_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A valid file is called valid; of a faulty one all faults are told."""
    path = tmp_path / "s.yaml"
    path.write_text(SMALL)
    assert Ended(capsys, "validate", str(path)).out == f"{path}: scenario 'small' is valid\n"
    path.write_text("name: x\nseed: x\nclock: {hours: x}\n")
    assert len(Ended(capsys, "validate", str(path)).err.splitlines()) == 2


def test_show_prints_a_file_that_can_be_run(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `show` prints is the whole scenario, and reads as the same."""
    shown = Ended(capsys, "show", "small.yaml", "--set", "seed=9").out
    assert Scenario.parse(shown) == Scenario.load(small, ["seed=9"])


def test_scenarios_lists_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    """Each scenario of the library has its name on a line, and under it its story, no line of it too long to read."""
    lines = Ended(capsys, "scenarios").out.splitlines()
    assert [line for line in lines if line and not line.startswith("  ")] == Scenario.library()
    assert max(map(len, lines)) <= 100
    told = " ".join(" ".join(lines).split())
    assert all(" ".join(Scenario.load(name).description.split()) in told for name in Scenario.library())


def test_run_says_which_claims_do_not_hold(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Claims are counted; one that fails is told with its numbers, one without a number with the reason; status 0."""
    claims = {
        "somebody came": "counts.visitors > 0",
        "nobody came": "counts.visitors == 0",
        "the moon": 'conversion(region="europe", utm_campaign="moon") < 1',
    }
    small.write_text(SMALL + f"claims: {json.dumps(claims)}\n")
    ended = Ended(capsys, "run", "small.yaml", "--out", "o")
    assert ended.status == 0
    n_visitors = json.loads(Path("o/manifest.json").read_text())["counts"]["visitors"]
    told = ended.out[ended.out.index("claims: ") :].splitlines()
    assert told[:5] == [
        "claims: 1 of 3 hold",
        "  does not hold: nobody came",
        f"    counts.visitors == 0: {n_visitors} == 0",
        "  cannot be told: the moon",
        (
            '    conversion(region="europe", utm_campaign="moon") < 1: '
            "conversion(region='europe', utm_campaign='moon'): nobody was seen there"
        ),
    ]
    printed = json.loads(Ended(capsys, "run", "small.yaml", "--out", "o", "--json").out)["claims"]
    assert [claim["passed"] for claim in printed] == [True, False, None]
    assert printed[1]["values"] == [n_visitors, 0]


def test_a_scenario_without_claims_says_nothing_of_them(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No claims, no line."""
    assert "claims" not in Ended(capsys, "run", "small.yaml").out


def test_schema_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The schema is one JSON object."""
    assert json.loads(Ended(capsys, "schema", "scenario").out)["type"] == "object"


def test_analyze_counts_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken lines, duplicates and events days apart are counted; the statistics are about all that was accepted."""
    monkeypatch.chdir(tmp_path)
    days_later = PAGE | {"messageId": "3", "timestamp": "2026-03-09T10:00:00Z"}
    late = PAGE | {"messageId": "4", "receivedAt": "2026-03-09T11:00:00Z"}
    lines = [json.dumps(event) for event in (PAGE, DEMO, PAGE)] + ["{broken", json.dumps(days_later), json.dumps(late)]
    with gzip.open("events.gz", "wt") as file:
        file.write("\n".join(lines))
    ended = Ended(capsys, "analyze", "events.gz", "--json", "--out", "o")
    printed = json.loads(ended.out)
    counters = ["received", "accepted", "duplicate", "conflict", "late", "invalid"]
    assert [printed[name] for name in counters] == [6, 3, 1, 0, 1, 1]
    assert (printed["totals"]["page_views"], printed["totals"]["demo_requests"]) == (2, 1)
    assert printed["model"]["error"]
    (warning,) = printed["warnings"]
    assert warning.startswith("1 of 6 events arrived after their hour had left the 24-hour window, up to 144.0 hours")
    assert f"WARNING: {warning}" in Ended(capsys, "analyze", "events.gz").out
    letter = json.loads(Path("o/dead_letters.ndjson").read_text())
    assert (letter["position"], letter["raw"]) == (4, "{broken")


def test_analyze_loses_nothing_of_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the shell makes of `<(zcat events.gz)` can be read once only, and is."""
    pipe, events = tmp_path / "pipe", [PAGE | {"messageId": str(number)} for number in range(500)]
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("\n".join(map(json.dumps, events)),), daemon=True)
    writer.start()
    printed = json.loads(Ended(capsys, "analyze", str(pipe), "--json").out)
    writer.join()
    assert printed["accepted"] == len(events)


def test_the_order_of_files_and_lines_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Days of pages and then days of tracks, in one file or two, backwards too: no event is late, all results agree."""
    monkeypatch.chdir(tmp_path)
    times = [f"2026-03-0{day}T10:00:00Z" for day in range(1, 7)]
    pages = [json.dumps(PAGE | {"messageId": f"p{time}", "timestamp": time}) for time in times]
    tracks = [json.dumps(DEMO | {"messageId": f"t{time}", "timestamp": time}) for time in times]
    files = {"pages": ["{broken", *pages], "tracks": tracks, "backwards": ["{broken", *tracks[::-1], *pages[::-1]]}
    for name, lines in files.items():
        Path(name).write_text("\n".join(lines))
    printed = [
        json.loads(Ended(capsys, "analyze", *names, "--json").out)
        for names in (["pages", "tracks"], ["tracks", "pages"], ["backwards"])
    ]
    assert [each.pop("inputs") for each in printed] == [["pages", "tracks"], ["tracks", "pages"], ["backwards"]]
    assert (printed[0]["received"], printed[0]["accepted"], printed[0]["invalid"]) == (13, 12, 1)
    assert printed[0]["warnings"] == []
    assert printed[0] == printed[1] == printed[2]


def test_rows_of_a_table_keep_their_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A dead letter of a Parquet file names its row in the file, though events are sorted and read in batches."""
    monkeypatch.setattr("scenarios.run.events_analysis._ROWS_AT_ONCE", 2)
    times = [f"2026-03-0{day}T10:00:00Z" for day in range(1, 7)]
    lines = [json.dumps(PAGE | {"messageId": time, "timestamp": time}) for time in reversed(times)]
    table = decode("\n".join(lines).encode()).frame
    nobody = pl.int_range(pl.len()) == 4
    table.with_columns(anonymous_id=pl.when(~nobody).then("anonymous_id")).write_parquet(tmp_path / "table")
    analysis = analyze([str(tmp_path / "table")])
    assert (analysis.store.counts.accepted, analysis.store.counts.invalid) == (5, 1)
    assert [letter.position for letter in analysis.store.dead_letters] == [5]


@pytest.mark.parametrize(
    ("command", "status", "complaint"),
    [("show small.yaml >&-", 0, ""), ("analyze - <&-", 2, "funnelsim: standard input: is closed\n")],
)
def test_closed_streams_are_no_accident(small: Path, command: str, status: int, complaint: str) -> None:
    """Nobody listening is a quiet success, nobody talking wrong input; `python -m funnelsim` is the command too."""
    line = f"'{sys.executable}' -m funnelsim {command}"
    ended = subprocess.run(["sh", "-c", line], capture_output=True, check=False, text=True)
    assert (ended.returncode, ended.stderr) == (status, complaint)


def test_one_of_a_kind_is_told_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One page is one visitor, not "1 visitors"."""
    (tmp_path / "one").write_text(json.dumps(PAGE))
    assert (
        "1 visitor seen, 1 visit, 1 page view, 0 demo requests" in Ended(capsys, "analyze", str(tmp_path / "one")).out
    )


def test_analyze_reads_what_run_wrote_in_any_form(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Parquet, NDJSON and standard input give the same results."""
    printed = []
    for form in ("parquet", "ndjson"):
        Ended(capsys, "run", "small.yaml", "--events", form, "--out", form, "--no-analysis")
        printed.append(json.loads(Ended(capsys, "analyze", f"{form}/events.{form}", "--json").out))
    with Path("ndjson/events.ndjson").open("rb") as stdin:
        piped = subprocess.run([*COMMAND, "analyze", "-", "--json"], stdin=stdin, capture_output=True, check=True)
    printed.append(json.loads(piped.stdout))
    inputs = [each.pop("inputs") for each in printed]
    assert inputs == [["parquet/events.parquet"], ["ndjson/events.ndjson"], ["-"]]
    assert printed[0] == printed[1] == printed[2]


def test_the_same_seed_gives_the_same_events_in_any_process(small: Path) -> None:
    """Two processes with different hash seeds agree on the digest."""
    digests = set()
    for hash_seed in ("1", "2"):
        command = [*COMMAND, "run", "small.yaml", "--json", "--no-analysis"]
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        ended = subprocess.run(command, capture_output=True, check=True, env=environment)
        digests.add(json.loads(ended.stdout)["digest"])
    assert len(digests) == 1


def test_a_run_need_not_be_analysed(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without analysis a run leaves the same events and truth, and nothing that is read off the events."""
    whole = json.loads(Ended(capsys, "run", "small.yaml", "--out", "whole", "--json").out)
    bare = json.loads(Ended(capsys, "run", "small.yaml", "--out", "bare", "--no-analysis", "--json").out)
    assert [bare[each] for each in ("digest", "counts", "store")] == [
        whole[each] for each in ("digest", "counts", "store")
    ]
    assert "claims" not in bare
    left = {path.name for path in Path("bare").iterdir()}
    assert {path.name for path in Path("whole").iterdir()} - left == {"model.json", "report.html"}
    for name in ("events.parquet", "truth.json", "people.parquet"):
        assert Path("bare", name).read_bytes() == Path("whole", name).read_bytes()


def test_workers_that_share_a_run_change_nothing(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With two jobs the manifest says the same as with one, and an executor that does not exist is wrong input."""
    options = ["run", "small.yaml", "--set", "active_agents=interacting", "--json"]
    alone, shared = (json.loads(Ended(capsys, *options, "--jobs", jobs).out) for jobs in ("1", "2"))
    assert shared["digest"] == alone["digest"]
    assert shared["counts"] == alone["counts"]
    crowd = Ended(capsys, *options, "--jobs", "999999")
    assert crowd.status == 2
    assert "give fewer" in crowd.err
    wrong = Ended(capsys, *options, "--executor", "lokey")
    assert wrong.status == 2
    assert "did you mean 'loky'" in wrong.err


def test_a_reader_who_leaves_is_no_failure(small: Path) -> None:
    """Into a pipe that nobody reads (`| head`) the command ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([*COMMAND, "show", "small.yaml"], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_output_that_cannot_be_written_is_one_message(small: Path) -> None:
    """Standard output on a full disk is a failure, told in one line."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*COMMAND, "show", "small.yaml"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    assert ended.stderr.decode() == "funnelsim: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing(small: Path, sent: signal.Signals, status: int) -> None:
    """Ctrl-C and a polite kill end a run with at most one line, and without its folder."""
    command = [*COMMAND, "run", "small.yaml", "--set", "clock.hours=2000", "--out", "deep/o"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not Path("deep").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(sent)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == status
    assert len(complaint.splitlines()) <= 1
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


def test_a_terminal_is_told_what_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the bar first shows the share that is done and then each step by name."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("Simulating") as progress:
        progress.share(0.5)
        time.sleep(0.2)
        progress.announce("Analysing")
        time.sleep(0.2)
    shown = terminal.getvalue()
    assert 0 <= shown.find("Simulating") < shown.find("50%") < shown.find("Analysing")


def test_help_is_quick_to_load() -> None:
    """The command line itself loads none of the heavy libraries."""
    script = "import sys, scenarios.cli.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split()
    assert not {"polars", "numpy", "scipy", "statsmodels", "altair", "pydantic", "rich", "simpy"} & set(loaded)


def test_analyze_says_which_requests_it_leaves_out_and_can_be_told_to_keep_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two colleagues who ask, the second's visit is left out with a warning, unless demos are per visitor."""
    lines = []
    for hour, who in ((10, "a"), (12, "b")):
        at = {"anonymousId": who, "context": {"groupId": "acme.example.com"}}
        lines.append(PAGE | at | {"messageId": f"{who}1", "timestamp": f"2026-03-03T{hour}:00:00Z"})
        lines.append(DEMO | at | {"messageId": f"{who}2", "timestamp": f"2026-03-03T{hour}:05:00Z"})
    path = tmp_path / "events.ndjson"
    path.write_text("\n".join(map(json.dumps, lines)))
    told = Ended(capsys, "analyze", str(path), "--json")
    (warning,) = json.loads(told.out)["warnings"]
    assert warning.startswith("1 demo requests came after the first one of their account")
    assert "--demo-per visitor" in warning
    kept = Ended(capsys, "analyze", str(path), "--json", "--demo-per", "visitor")
    assert json.loads(kept.out)["warnings"] == []
    assert analyze([str(path)], conversion_unit="visitor").analysis.visits["at_risk"].all()


THEIRS = [PAGE, DEMO | {"event": "Demo Request Submitted", "timestamp": "2026-03-03T10:01:00Z"}]


@pytest.mark.parametrize(
    "options", [["--map", "Demo Request Submitted=Demo Requested"], ["--settings", "mapped.yaml"]], ids=str
)
def test_foreign_event_names_can_be_mapped(small: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    """Told what the stream calls a demo request, on the command line or in a file, analyze counts it."""
    Path("mapped.yaml").write_text(
        SMALL + 'analytics: {event_names: {"Demo Request Submitted": Demo Requested}}\n', encoding="utf-8"
    )
    Path("theirs").write_text("\n".join(map(json.dumps, THEIRS)))
    told = json.loads(Ended(capsys, "analyze", "theirs", "--json").out)
    assert told["totals"]["demo_requests"] == 0
    assert "'Demo Request Submitted' (1) (--map 'THEIRS=Demo Requested'" in told["warnings"][0]
    mapped = json.loads(Ended(capsys, "analyze", "theirs", "--json", *options).out)
    assert (mapped["totals"]["demo_requests"], mapped["warnings"]) == (1, [])


@pytest.mark.parametrize(
    ("given", "complaint"),
    [("Demo Booked", "is not THEIRS=OURS"), ("a=Demo Reqested", "there is no event 'Demo Reqested'; did you mean")],
)
def test_a_mapping_that_says_nothing_is_wrong_input(
    small: Path, capsys: pytest.CaptureFixture[str], given: str, complaint: str
) -> None:
    """A name without another, or that is none of ours, is refused before anything is read."""
    ended = Ended(capsys, "analyze", "none", "--map", given)
    assert ended.status == 2
    assert complaint in ended.err


def test_an_unreadable_time_costs_its_row_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Parquet file of another tool, with a time that is none in one cell, is analysed all the same."""
    path = tmp_path / "theirs.parquet"
    times = ["2026-03-03T10:00:00Z", "n/a", "2026-03-03T10:05:00Z"]
    pl.DataFrame(
        {"type": "page", "message_id": ["1", "2", "3"], "anonymous_id": "a", "timestamp": times}
    ).write_parquet(path)
    ended = Ended(capsys, "analyze", str(path), "--json", "--out", str(tmp_path / "o"))
    told = json.loads(ended.out)
    assert (told["accepted"], told["invalid"], told["invalid_by_reason"]) == (2, 1, {"bad_time": 1})
    letter = json.loads((tmp_path / "o" / "dead_letters.ndjson").read_text())
    assert letter["position"] == 2

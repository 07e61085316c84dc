"""Claims about wrong input, of any command: one message, the right exit status, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Ended

from analytics.durable.opening import open_store
from scenarios.run.folder import run_to_folder
from scenarios.scenario import Scenario

SMALL = "name: small\nclock: {hours: 1}\ntraffic: {visitors_per_day: 200}\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with something to misuse: scenarios, a study, events, a store and a run."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "small.yaml").write_text(SMALL)
    (folder / "syntax.yaml").write_text("name: x\n \tseed: 1\n")
    study = "name: s\nscenario: small.yaml\nreplications: 2\nresponses: {n: counts.visits}\n"
    (folder / "tiny.yaml").write_text(study)
    (folder / "wrong.yaml").write_text(study.replace("visits}", "visitrs}"))
    (folder / "empty").touch()
    open_store(folder / "store").close()
    run_to_folder(Scenario.parse(SMALL), folder / "runs" / "small-seed7", analyse=False)
    return folder


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run basline", "there is no scenario 'basline' in the library; did you mean 'baseline'?"),
        ("run none.yaml", "none.yaml: there is no such file"),
        ("run small.yaml --set traffic.visitors_per_day=-5", "must be greater than 0 (got -5)"),
        ("run small.yaml --seed -1", "--seed"),
        ("run small.yaml --events csv", "'csv'"),
        ("run small.yaml --out small.yaml/x", "cannot be written: Not a directory"),
        ("run small.yaml --out .", "funnelsim did not make"),
        ("run small.yaml --sed 1", "--sed"),
        ("run small.yaml --jobs 999999", "give fewer"),
        ("run small.yaml --executor lokey", "did you mean 'loky'"),
        ("walk", "walk"),
        ("rplay x", "No such command 'rplay'. Did you mean 'replay'"),
        ("new x.yaml --extends baselin", "did you mean 'baseline'?"),
        ("validate syntax.yaml", "syntax.yaml:2:2: a tab cannot indent YAML; use spaces"),
        ("validate wrong.yaml", "wrong.yaml:4:13: responses.n: unknown measure 'counts.visitrs'; did you mean"),
        ("validate tiny.yaml --set clock.hours=2", "--set changes scenarios"),
        ("schema scenaro", "did you mean 'scenario'?"),
        ("analyze none.ndjson", "none.ndjson: "),
        ("analyze", "EVENTS"),
        ("analyze small.yaml --out o", "small.yaml: holds no usable event; line 1: "),
        ("analyze empty --out o", "empty: holds no events"),
        ("analyze none --rename-event Booked", "is not THEIRS=OURS"),
        ("analyze none --rename-event a=Demo", "there is no event 'Demo'"),
        ("study covrage", "there is no study 'covrage' in the library; did you mean 'coverage'?"),
        ("study tiny.yaml --rerun 9:1", "points go from 0 to 0"),
        ("study tiny.yaml --rerun x", "such as 3:17"),
        ("study tiny.yaml --executor lokey", "did you mean 'loky'?"),
        ("study tiny.yaml --out .", "holds something that is not a study"),
        ("power baseline --signal security_page_vew --jobs 1", "did you mean 'security_page_view'?"),
        ("power baseline --signal security_page_view --power 1.5", "power: must lie between"),
        ("power baseline", "needs either --signal, such as security_page_view, or --experiment"),
        ("power baseline --signal security_page_view --lift 0.1", "--lift: is of an experiment"),
        ("power pricing-ab-test --experiment pricing-pag", "did you mean 'pricing-page'?"),
        ("power pricing-ab-test --experiment pricing-page --lift -1", "lift: must be above -1 and not 0"),
        ("compare baseline month --response convrsion()", "did you mean 'conversion'?"),
        ("ingest none.ndjson --store new", "none.ndjson: cannot be read: No such file or directory"),
        ("ingest empty --store new --fsync soon", "--fsync: must be always, never, or seconds"),
        ("ingest empty --store small.yaml/x", "small.yaml/x: cannot be written: "),
        ("ingest empty --store .", ": holds other things than a store"),
        ("ingest logs/*.ndjson --store new", "logs/*.ndjson: no file matches this pattern"),
        ("ingest empty --store new --batch 99999999999999999999", "a batch can have 1 to 1,000,000 events"),
        ("ingest /proc/self/mem --store new", "/proc/self/mem: cannot be read: Input/output error"),
        (
            "ingest kafka://h/x?plugin.library.paths=x.so --store new",
            "plugin.library.paths cannot be set in an address",
        ),
        ("ingest kafka://hü:99999999999/x/y --store new", "must be kafka://HOST:PORT/TOPIC"),
        ("ingest kafka://nowhere --store new", "must be kafka://HOST:PORT/TOPIC"),
        ("stats --store new", "new: is not the folder of a store"),
        ("stats --store store --by planet", "planet"),
        ("replay runs/small-seed7 --to stdout --json", "--json: standard output receives the events"),
        ("replay runs/small-seed7 --to stdout --speed fast", "--speed: must be a number greater than 0, or max"),
        ("replay runs/small-seed7 --to stdout --from noon", "--from: must be a time such as 2026-03-03T09:00:00Z"),
        ("replay runs/small-seed7 --to sdtout", "did you mean 'stdout'?"),
        ("replay runs/small-seed7", "--to"),
        ("replay runs/small-seed7 --to stdout --speed 1e-320", "--speed: must be a number greater than 0, at least"),
        ("replay runs/small-seed7 --to stdout --speed 1e309", "--speed: must be a number greater than 0"),
        ("replay runs/small-seed7 --to http://127.0.0.1:1/ü", "write the path with %-escapes"),
        ("replay runs/small-seed7 --to http://üü..x:1", "must be http://HOST:PORT"),
        ("replay runs/small-seed7 --to file:x/y --resume none/state", "none/state: cannot be written: No such file"),
        (f"replay runs/small-seed7 --to file:x/y --resume {'x' * 300}", "File name too long"),
        (f"verify {'x' * 300}", "File name too long"),
        ("verify small.yaml/x", "there is no such folder"),
        ("verify .", "is not the folder of a run, an analysis"),
        ("recover runs", "is not the folder of a run, an analysis"),
        (f"compare baseline month --replications {10**20}", "less than or equal to 1000000"),
        (f"warm-up baseline --replications {10**20}", "less than or equal to 1000000"),
        (f"power baseline --signal security_page_view --replications {10**20}", "less than or equal to 1000000"),
        ("power baseline --signal security_page_view --alpha 1e-320", "power: must lie between alpha"),
        (f"study tiny.yaml --jobs {10**20}", "would only wait for each other"),
        (f"run baseline --set clock.hours={10**20}", "clock.hours: must be at most"),
        (f"run baseline --set seed=0x{'f' * 5000}", "is too large a number"),
        ("replay small --to stdout", "did you mean 'runs/small-seed7'?"),
    ],
)
def test_wrong_input_is_one_message_and_status_2(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, command: str, message: str
) -> None:
    """One line on standard error, nothing else, no new file; that a store cannot be written is status 1."""
    monkeypatch.chdir(inputs)
    before = set(inputs.iterdir())
    ended = Ended(*command.split())
    assert ended.status == (1 if command.startswith("ingest") and "written" in message else 2)
    assert message in ended.err
    # A response that is used twice is wrong twice, and what a folder holds is listed below.
    assert len(ended.err.splitlines()) == 1 or command.startswith(("power", "study"))
    assert ended.out == ""
    assert set(inputs.iterdir()) == before


def test_validate_reports_every_error(tmp_path: Path) -> None:
    """Every error of a faulty file is reported, each in its line."""
    (tmp_path / "faulty.yaml").write_text("name: x\nseed: x\nclock: {hours: x}\n")
    assert len(Ended("validate", tmp_path / "faulty.yaml").err.splitlines()) == 2

"""Claims about the commands that are about studies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from scenarios.cli.app import main
from scenarios.comparison import compare_scenarios
from scenarios.scenario import Scenario
from scenarios.warm_up import WarmUp

WORLD = "{name: tiny, clock: {hours: 1}, traffic: {visitors_per_day: 2000}, intent: {intercept: -2.0}}"
TEXT = f"""name: tiny
scenario: {WORLD}
factors: {{tracking.duplicate_rate: [0.0, 0.2]}}
replications: 3
responses: {{visitors: counts.visitors, effect: coefficient("company_email")}}
estimates: [company_email]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small study file; the working folder is its own."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TEXT)
    return Path("tiny.yaml")


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """How a command ended: status, what it printed, and what it complained of."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code, *capsys.readouterr()


def test_study_says_what_it_found_and_where_to_read_on(file: Path, capsys: pytest.CaptureFixture[str]):
    """A study prints its responses, estimates and first failure; its folder holds the files that are promised."""
    status, out, err = ended(capsys, "study", "tiny.yaml", "--jobs", "1")
    assert status == 0
    # The cost is for the eyes only.
    assert re.fullmatch(r"funnelsim: 6 replications of about \S+ s each: about \S+ s on 1 worker\n", err)
    assert "2 design points, 6 replications" in out
    assert "duplicate_rate" in out
    assert "funnelsim study runs/study-tiny/study.yaml --replay 0:" in out
    promised = {"study.yaml", "design.csv", "replications.parquet", "summary.csv", "failures.ndjson", "manifest.json"}
    assert promised <= {path.name for path in Path("runs/study-tiny").iterdir()}


def test_study_json_is_the_manifest_and_nothing_else(file: Path, capsys: pytest.CaptureFixture[str]):
    """With --json standard output is one object, the manifest as written, with the folder."""
    _, out, _ = ended(capsys, "study", "tiny.yaml", "--jobs", "1", "--out", "o", "--json")
    printed = json.loads(out)
    assert printed.pop("folder") == "o"
    assert printed == json.loads(Path("o/manifest.json").read_text())
    assert (printed["kind"], printed["study"], printed["counts"]["replications"]) == ("study", "tiny", 6)


def test_a_replication_can_be_replayed_from_the_folder_alone(file: Path, capsys: pytest.CaptureFixture[str]):
    """The command that a failure gives repeats exactly that replication, without the file that the study came from."""
    ended(capsys, "study", "tiny.yaml", "--jobs", "1", "--out", "o")
    file.unlink()
    failure = json.loads(Path("o/failures.ndjson").read_text().splitlines()[0])
    command = failure["replay"].split()
    assert command[:2] == ["funnelsim", "study"]
    status, out, _ = ended(capsys, *command[1:])
    assert status == 0
    assert f"effect: {failure['message']}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "covrage"], "there is no study 'covrage' in the library; did you mean 'coverage'?"),
        (["study", "tiny.yaml", "--replay", "9:1"], "points go from 0 to 1"),
        (["study", "tiny.yaml", "--replay", "x"], "such as 3:17"),
        (["study", "tiny.yaml", "--executor", "lokey"], "did you mean 'loky'?"),
        (["study", "tiny.yaml", "--out", "."], "holds something that is not a study"),
        (["power", "baseline", "--signal", "security_page_vew", "--jobs", "1"], "did you mean 'security_page_view'?"),
        (["power", "baseline", "--signal", "security_page_view", "--power", "1.5"], "power: must lie between"),
        (["compare", "baseline", "monht"], "did you mean 'month'?"),
        (["compare", "baseline", "month", "--response", "convrsion()"], "did you mean 'conversion'?"),
        (["validate", "tiny.yaml", "--set", "clock.hours=2"], "--set changes scenarios"),
    ],
)
def test_wrong_input_ends_with_status_2_and_says_what_was_meant(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
):
    """One clear message on standard error, nothing on standard output."""
    status, out, err = ended(capsys, *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_validate_knows_studies(file: Path, capsys: pytest.CaptureFixture[str]):
    """A study is told from a scenario by what it says, and its faults are told with their places."""
    assert ended(capsys, "validate", "tiny.yaml")[1] == "tiny.yaml: study 'tiny' is valid: 2 design points\n"
    assert "study 'coverage' is valid" in ended(capsys, "validate", "coverage")[1]
    assert "scenario 'baseline' is valid" in ended(capsys, "validate", "baseline")[1]
    file.write_text(TEXT.replace("counts.visitors", "counts.visitrs"))
    status, _, err = ended(capsys, "validate", "tiny.yaml")
    assert status == 2
    assert "tiny.yaml:5:13: responses.visitors: unknown measure 'counts.visitrs'; did you mean" in err


def test_schema_describes_studies(capsys: pytest.CaptureFixture[str]):
    """The schema of study files is printed as JSON."""
    assert json.loads(ended(capsys, "schema", "study")[1])["title"] == "funnelsim study"


def test_compare_tells_how_two_scenarios_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Of a scenario and itself every difference is exactly 0; a change shows in what it touches and nowhere else."""
    path = tmp_path / "tiny.yaml"
    path.write_text("name: tiny\nclock: {hours: 1}\ntraffic: {visitors_per_day: 2000}\nintent: {intercept: -2.0}\n")
    same = ("compare", str(path), str(path), "--replications", "3", "--jobs", "1", "--out", str(tmp_path / "same"))
    _, out, _ = ended(capsys, *same)
    assert out.endswith(f"report: {tmp_path / 'same' / 'report.html'}\n")
    told = json.loads(ended(capsys, *same, "--json")[1])
    assert told["folder"] == str(tmp_path / "same")
    assert [row["difference"] for row in told["differences"]] == [0.0] * len(told["differences"])
    tiny = Scenario.load(path)
    table = compare_scenarios(tiny, tiny.replace({"tracking.ad_blocker_rate": 0.5}), replications=3, jobs=1)
    gaps = dict(zip(table["response"], table["difference"], strict=True))
    assert gaps["counts.visitors"] == gaps["counts.demo_requests"] == 0
    assert gaps["page_views()"] < 0


def test_warm_up_says_what_to_leave_out_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """The hours stand in the words of a study file, above the days, and the plot is a picture of its own."""
    level = [50.0] * 20 + [100.0] * 52
    columns = {"hour": range(72), "mean": level, "without_cycle": level, "moving_average": level}
    found = WarmUp("page_views", 2, 20, pl.DataFrame(columns))
    # Three weeks of the world itself would take half a minute.
    monkeypatch.setattr("scenarios.warm_up.find_warm_up", lambda *_, **__: found)
    status, out, _ = ended(capsys, "warm-up", "baseline", "--out", str(tmp_path / "plot.svg"))
    assert status == 0
    assert "leave out the first 20 hours (MSER-5): warm_up_hours: 20" in out
    days = [line.split() for line in out.splitlines() if line.split() and line.split()[0].isdecimal()]
    assert days == [["1", "50.0"], ["2", "100.0"], ["3", "100.0"]]
    assert (tmp_path / "plot.svg").read_text().startswith("<svg")
    assert json.loads(ended(capsys, "warm-up", "baseline", "--json")[1])["warm_up_hours"] == 20

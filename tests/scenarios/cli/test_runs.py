"""Claims about run, scenarios, show, validate and schema."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import COMMAND, Ended
from pages import Page, assert_sections, assert_self_contained

from scenarios.cli.text.runs import run_summary
from scenarios.scenario import Scenario

CLAIMS = {
    "somebody came": "counts.visitors > 0",
    "nobody came": "counts.visitors == 0",
    "the moon": 'conversion(region="europe", utm_campaign="moon") < 1',
}
SMALL = f"name: small\nclock: {{hours: 2}}\ntraffic: {{visitors_per_day: 1000}}\nclaims: {json.dumps(CLAIMS)}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small scenario file."""
    path = tmp_path_factory.mktemp("runs")
    (path / "small.yaml").write_text(SMALL)
    return path


@pytest.fixture(autouse=True)
def _in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def ran(folder: Path) -> Ended:
    """How a whole run of the file ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return Ended("run", "small.yaml")


@pytest.fixture(scope="module")
def manifest(ran: Ended, folder: Path) -> dict[str, object]:
    """The manifest of that run."""
    data: dict[str, object] = json.loads((folder / "runs/small-seed7/manifest.json").read_text())
    return data


def test_a_run_prints_its_results_and_its_folder(ran: Ended) -> None:
    """Counts, conversion and the folder are on standard output, and nothing is on standard error."""
    assert (ran.status, ran.err) == (0, "")
    assert re.search(r"^  page views +\d+$", ran.out, flags=re.MULTILINE)
    assert "conversion" in ran.out
    assert "sorted by p-value" in ran.out or "not fitted" in ran.out
    assert ran.out.endswith("results: runs/small-seed7\nreport:  runs/small-seed7/report.html\n")


def test_the_page_of_a_run_has_its_claims_and_links(ran: Ended, manifest: dict[str, object]) -> None:
    """Those that do not hold come first, with their numbers; links at the top lead to all sections."""
    assert ran.status == 0
    page = Page(Path("runs/small-seed7/report.html").read_text(encoding="utf-8"))
    assert_self_contained(page)
    assert {"summary", "traffic", "funnel", "signals", "sales", "data"} <= set(assert_sections(page))
    claims = page.outline[page.outline.index("### Claims of the scenario: 1 of 3 hold") :].splitlines()
    assert [line for line in claims[1:12] if line != "-"] == [
        "fails",
        f"nobody came {manifest['counts']['visitors']} == 0",
        "not known",
        "the moon conversion(region='europe', utm_campaign='moon'): no visitors there",
        "Claims that hold: 1",
        "holds",
        f"somebody came {manifest['counts']['visitors']} > 0",
        "## Traffic and demo requests",
    ]


def test_the_page_names_what_was_changed_for_the_run(ran: Ended) -> None:
    """Settings of ``--set`` stand beside the description, which is of the file; without any there is no remark."""
    changed = "The description is of the scenario as it is written; changed for this run: "
    assert changed not in Path("runs/small-seed7/report.html").read_text(encoding="utf-8")
    settings = ("clock.hours=1", "traffic.visitors_per_day=500")
    sets = [word for setting in settings for word in ("--set", setting)]
    assert Ended("run", "small.yaml", *sets, "--out", "changed").status == 0
    page = Page(Path("changed/report.html").read_text(encoding="utf-8"))
    assert f"{changed}{', '.join(settings)}.\n" in page.outline
    assert Ended("run", "baseline", "--set", "clock.hours=1", "--out", "built-in").status == 0
    assert f"{changed}clock.hours=1.\n" in Page(Path("built-in/report.html").read_text(encoding="utf-8")).outline


def test_a_run_reports_its_claims(ran: Ended, manifest: dict[str, object]) -> None:
    """Claims are counted; one that failed has its numbers, one without a number has the reason; the status is 0."""
    n_visitors = manifest["counts"]["visitors"]
    assert ran.out[ran.out.index("claims: ") :].splitlines()[:5] == [
        "claims: 1 of 3 passed",
        "  failed: nobody came",
        f"    counts.visitors == 0: {n_visitors} == 0",
        "  undecided: the moon",
        (
            '    conversion(region="europe", utm_campaign="moon") < 1: '
            "conversion(region='europe', utm_campaign='moon'): no visitors there"
        ),
    ]
    assert [claim["passed"] for claim in manifest["claims"]] == [True, False, None]
    assert manifest["claims"][1]["values"] == [n_visitors, 0]
    without = Scenario(name="without").replace({"clock.hours": 1, "traffic.visitors_per_day": 1000}).run()
    assert "claims" not in str(run_summary(without, Path("o")))


def test_json_is_the_manifest_and_nothing_else() -> None:
    """With --json standard output is one object, the manifest as written and the folder; seed 0 is a seed."""
    ended = Ended("run", "small.yaml", "--seed", "0", "--set", "clock.hours=1", "--out", "o", "--json")
    printed = ended.json
    assert (ended.status, printed["seed"], printed.pop("folder")) == (0, 0, "o")
    promised = {"visitors", "visits", "events", "page_views", "demo_requests"}
    assert set(printed["counts"]) == promised | {"true_events", "true_page_views", "malformed_lines"}
    assert printed == json.loads(Path("o/manifest.json").read_text())


def test_a_run_need_not_be_analysed(manifest: dict[str, object]) -> None:
    """Without analysis a run leaves the same events and truth, and no results of an analysis."""
    bare = Ended("run", "small.yaml", "--out", "bare", "--no-analysis", "--json").json
    assert [bare[key] for key in ("digest", "counts", "store")] == [
        manifest[key] for key in ("digest", "counts", "store")
    ]
    assert "claims" not in bare
    whole = Path("runs/small-seed7")
    left = {path.name for path in Path("bare").iterdir()}
    assert {path.name for path in whole.iterdir()} - left == {"model.json", "report.html"}
    for name in ("events.parquet", "truth.json", "people.parquet"):
        assert Path("bare", name).read_bytes() == Path(whole, name).read_bytes()


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing(sent: signal.Signals, status: int) -> None:
    """Ctrl-C and SIGTERM end a run with at most one line, and without its folder."""
    command = [*COMMAND, "run", "small.yaml", "--set", "clock.hours=2000", "--out", "deep/o"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not Path("deep").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status, error.decode()
    assert len(error.splitlines()) <= 1
    assert not Path("deep").exists()


def test_scenarios_lists_the_library() -> None:
    """Each scenario of the library has its name on a line, and under it its description in lines of readable length."""
    lines = Ended("scenarios").out.splitlines()
    assert [line for line in lines if line and not line.startswith("  ")] == Scenario.library()
    assert max(map(len, lines)) <= 100
    text = " ".join(" ".join(lines).split())
    assert all(" ".join(Scenario.load(name).description.split()) in text for name in Scenario.library())


def test_show_prints_a_file_that_can_be_run() -> None:
    """What `show` prints is the whole scenario, and reads as the same."""
    shown = Ended("show", "small.yaml", "--set", "seed=9").out
    assert Scenario.parse(shown) == Scenario.load("small.yaml", ["seed=9"])


@pytest.mark.parametrize("kind", ["scenario", "study"])
def test_schema_prints_json(kind: str) -> None:
    """The schema of each kind of file is one JSON object."""
    schema = Ended("schema", kind).json
    assert (schema["type"], schema["title"]) == ("object", f"funnelsim {kind}")

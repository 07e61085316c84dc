"""The README and the documentation are correct, their links lead somewhere, and they need no network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.main import get_command

from analytics import Counts
from analytics.io.ndjson import encode
from analytics.settings import AnalyticsSettings
from docs.reference_pages import PAGES, scenario_page, study_page
from scenarios import Scenario, run_to_folder
from scenarios.cli.app import app, main
from scenarios.config.pages_file import with_mapping
from scenarios.replays.export import export
from scenarios.replays.sending import replay

ROOT = Path(__file__).parents[1]
DOCS = sorted(ROOT.glob("docs/**/*.md"))
OWN_TESTS = {"replay.md", "event-store.md", "studies.md", "extend.md"}  # pages whose examples need files first
README = ROOT / "README.md"


def blocks_of(page: Path, language: str) -> list[str]:
    """Code blocks of a language on one page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[pytest.ParameterSet]:
    """Code blocks of a language in the README and the documentation."""
    return [
        pytest.param(code, id=f"{path.relative_to(ROOT)}-{number}")
        for path in [README, *DOCS]
        if path.name not in OWN_TESTS
        for number, code in enumerate(blocks_of(path, language))
    ]


def run_code(code: str, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run the Python of a page, with names known from earlier blocks; return the names known after it."""
    known = {"__name__": "docs"} if known is None else known
    exec(compile(code, "docs", "exec"), known)  # noqa: S102 - our own code, from our own pages
    return known


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_of_the_documentation_runs(code: str, empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block runs by itself in an empty folder, and every `print` in it prints something."""
    run_code(code)
    assert len(capsys.readouterr().out.splitlines()) >= code.count("print(")


@pytest.mark.parametrize("name", ["own-tables.md", pytest.param("components.md", marks=pytest.mark.slow)])
def test_some_pages_show_what_their_examples_print(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block of Python is followed by the text that it prints."""
    page = (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    assert len(examples) == page.count("```python") > 0
    for code, shown in examples:
        run_code(code)
        assert capsys.readouterr().out == shown


@pytest.mark.slow
def test_the_first_study_of_the_documentation_runs(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page's study file runs with the page's Python; fewer replications make the test fast."""
    study, python = (blocks_of(ROOT / "docs" / "studies.md", language)[0] for language in ("yaml", "python"))
    assert "replications: 10" in study
    (empty / "blockers.yaml").write_text(study.replace("replications: 10", "replications: 2"), encoding="utf-8")
    run_code(python)
    assert "variance_saved" in capsys.readouterr().out
    assert (empty / "runs" / "study-blockers" / "report.html").exists()


def test_the_store_of_the_documentation_is_filled_and_read(empty: Path) -> None:
    """The page's Python, run on thirty hours of events, stores them, and the archive holds the past hours."""
    run = Scenario.load("baseline").replace({"clock.hours": 30, "traffic.visitors_per_day": 200}).run()
    (empty / "events.ndjson").write_bytes(encode(run.events))
    known = {"__name__": "docs"}
    for block in blocks_of(ROOT / "docs" / "event-store.md", "python"):
        run_code(block, known)
    counts = known["counts"]
    assert isinstance(counts, Counts)
    assert counts.received == run.events.height
    archived = pl.scan_parquet("store/archive", hive_partitioning=True).select(pl.len()).collect().item()
    assert 0 < archived < counts.accepted


@pytest.mark.slow
def test_the_code_of_the_page_about_replays_gives_its_figures(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The collector receives every line, the Python call sends all events, and counts and tables match the page."""
    page, dirty = ROOT / "docs" / "replay.md", Path("runs/dirty")
    text = page.read_text(encoding="utf-8")
    run_to_folder(Scenario.parse(blocks_of(page, "yaml")[0]), dirty, analyse=False)
    collector, call = blocks_of(page, "python")
    server = ThreadingHTTPServer(("127.0.0.1", 0), run_code(collector)["Collector"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    half = replay(dirty, to=f"http://127.0.0.1:{server.server_port}", speed="max", until=noon)
    server.shutdown()
    server.server_close()
    assert f"{half.sent:,} lines sent to http://127.0.0.1:8080 in 12" in text
    assert len(Path("collected.ndjson").read_text().splitlines()) == half.sent
    run_code(call)
    events = pl.read_parquet(dirty / "events.parquet")
    assert capsys.readouterr().out == f"{events.height} 0 0.0\n"
    for name, n in json.loads((dirty / "manifest.json").read_text())["store"].items():
        assert re.search(rf"^  {name} +{n:,}$", text, flags=re.MULTILINE)
    assert "\n".join(f"{name}: {n:,}" for name, n in export(dirty, to="seeds/segment").items()) in text


def test_pages_and_notebooks_have_one_import() -> None:
    """They import `funnelsim`, not the packages behind it; only charts of one's own need `analytics.charts`."""
    sources = [README, *DOCS, *ROOT.glob("notebooks/*.ipynb")]
    direct = r"^\W*(?:from|import) (?:analytics(?!\.charts import)|simulator|scenarios)\b.*"
    found = {path.name: re.findall(direct, path.read_text(encoding="utf-8"), flags=re.MULTILINE) for path in sources}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("text", [block for block in blocks("yaml") if "scenario:" not in block.values[0]])
def test_the_scenarios_of_the_documentation_are_valid(text: str) -> None:
    """Each YAML block is a valid scenario with the stated name."""
    assert Scenario.parse(text).name == re.search(r"^name: (.+)$", text, flags=re.MULTILINE)[1]


@pytest.mark.parametrize("text", [block for block in blocks("text") if re.match("pages:|funnel:", block.values[0])])
def test_the_mappings_of_the_documentation_are_valid(text: str, tmp_path: Path) -> None:
    """Those parts of files for ``--pages`` state something."""
    (tmp_path / "mapping.yaml").write_text(text, encoding="utf-8")
    settings = with_mapping(AnalyticsSettings(), tmp_path / "mapping.yaml")
    assert settings.pages or settings.funnel


@pytest.mark.parametrize(
    "path", [README, ROOT / "CONTRIBUTING.md", *DOCS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_file_that_a_page_links_to_or_names_exists(path: Path) -> None:
    """Targets of relative links, and paths in backticks, such as `simulator/settings/site.py`, are in the project."""
    page = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```|`[^`\n]*`", "", page, flags=re.DOTALL))
    local = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if link and not (path.parent / link).exists()] == []
    folders = "analytics|simulator|scenarios|funnelsim|benchmarks|docs|notebooks|tests"
    named = re.findall(rf"`((?:{folders})/[\w./-]*)`", page)
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_the_reference_lists_every_command_scenario_and_study() -> None:
    """Its pages list exactly the commands of `funnelsim`, and the built-in scenarios and studies."""
    library = {path.stem for path in (ROOT / "scenarios" / "library").rglob("*.yaml")}
    for name, expected in (("command-line", set(get_command(app).commands)), ("library", library)):
        page = (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
        assert set(re.findall(r"^\| `([a-z-]+)` \|", page, flags=re.MULTILINE)) == expected


@pytest.mark.parametrize("name", PAGES)
def test_the_generated_pages_are_those_of_the_code(name: str) -> None:
    """`make docs` would not change them."""
    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == PAGES[name]()


@pytest.mark.parametrize("page", [scenario_page, study_page])
def test_every_setting_has_a_meaning(page: Callable[[], str]) -> None:
    """No row of the tables of settings ends in an empty cell."""
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    assert [row for row in rows if re.search(r"\|\s*\|$", row)] == []


FETCHED = r"<(?:link|script|img|iframe|source)\b[^>]*\s(?:href|src)\s*=\s*[\"']?(?:https?:)?//"
"""An element that a browser would fetch from the network to show a page."""


def test_the_site_is_built_and_fetches_nothing(tmp_path: Path) -> None:
    """The site builds without warnings, such as broken anchors, and no page or style fetches anything."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    assert re.search(FETCHED, "<SCRIPT async\n src='//cdn.example.com/x.js'>", flags=re.IGNORECASE)
    for kind, fetched, least in (("html", FETCHED, len(DOCS)), ("css", r"url\([\"']?(https?:)?//", 1)):
        files = list((tmp_path / "site").rglob(f"*.{kind}"))
        assert len(files) >= least
        found = [path for path in files if re.search(fetched, path.read_text(encoding="utf-8"), flags=re.IGNORECASE)]
        assert found == []


def test_the_picture_of_the_readme_is_small() -> None:
    """It has less than 300 KB."""
    assert (ROOT / "docs" / "images" / "report.png").stat().st_size < 300_000


def without_duration(text: str) -> str:
    """A printed text without how long the run took and without spaces at the ends of lines."""
    return re.sub(r"simulated in [\d.]+ s", "simulated", re.sub(r" +$", "", text.strip(), flags=re.MULTILINE))


@pytest.mark.slow
def test_the_readme_shows_what_make_run_prints(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The printed run of the README is that of `funnelsim run baseline`; only its duration differs."""
    with pytest.raises(SystemExit):
        main(["run", "baseline"])
    assert without_duration(blocks_of(README, "text")[0]) == without_duration(capsys.readouterr().out)


def test_the_readme_is_finished_short_and_opens_with_the_two_commands() -> None:
    """First `make run` and `make test`; every target that it mentions exists; nothing is left to be filled in."""
    readme, makefile = README.read_text(encoding="utf-8"), (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"^make (\w+)", blocks_of(README, "sh")[0], flags=re.MULTILINE) == ["run", "test"]
    targets = set(re.findall(r"^(\w+):", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"`make (\w+)", readme)) <= targets
    assert "@@" not in readme
    assert len(readme.splitlines()) <= 150

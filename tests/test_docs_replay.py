"""The page about replays is correct: its code runs and gives the figures on the page."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from scenarios import Scenario, run_to_folder
from scenarios.replays.export import export
from scenarios.replays.sending import replay

TEXT = (Path(__file__).parents[1] / "docs/replay.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def dirty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's run, in a temporary working directory."""
    monkeypatch.chdir(tmp_path)
    run_to_folder(Scenario.parse(blocks("yaml")[0]), "runs/dirty", analyse=False)
    return Path("runs/dirty")


@pytest.mark.slow
def test_the_code_of_the_page_gives_its_figures(dirty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The collector receives every line, the Python call sends all events, and counts and tables match the page."""
    collector, call = blocks("python")
    names = {"__name__": "collector"}
    exec(compile(collector, "collector.py", "exec"), names)  # noqa: S102 - our own code, from our own page
    server = ThreadingHTTPServer(("127.0.0.1", 0), names["Collector"])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    half = replay(dirty, to=f"http://127.0.0.1:{server.server_port}", speed="max", until=noon)
    server.shutdown()
    server.server_close()
    assert f"{half.sent:,} lines sent to http://127.0.0.1:8080 in 12" in TEXT
    assert len(Path("collected.ndjson").read_text().splitlines()) == half.sent
    exec(compile(call, "replay.md", "exec"), {})  # noqa: S102
    events = pl.read_parquet(dirty / "events.parquet")
    assert capsys.readouterr().out == f"{events.height} 0 0.0\n"
    store = json.loads((dirty / "manifest.json").read_text())["store"]
    for name, n in store.items():
        assert re.search(rf"^  {name} +{n:,}$", TEXT, flags=re.MULTILINE)
    assert "\n".join(f"{name}: {n:,}" for name, n in export(dirty, to="seeds/segment").items()) in TEXT

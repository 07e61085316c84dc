"""Claims about study, power, compare and warm-up on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from command_line import Ended

from scenarios.warm_up import WarmUp

WORLD = "{name: tiny, clock: {hours: 1}, traffic: {visitors_per_day: 2000}, intent: {intercept: -2.0}}"
TEXT = f"""name: tiny
scenario: {WORLD}
factors: {{tracking.duplicate_rate: [0.0, 0.2]}}
replications: 3
responses: {{visitors: counts.visitors, effect: coefficient("company_email")}}
estimates: [company_email]
"""


@pytest.fixture(autouse=True)
def file() -> Path:
    """A small study file."""
    Path("tiny.yaml").write_text(TEXT)
    return Path("tiny.yaml")


def test_a_study_prints_its_results_and_reruns_its_failures(file: Path) -> None:
    """Responses, estimates and the first failure are printed, whose command repeats it from the folder alone.

    With --json standard output is one object, the manifest as written, with the folder.
    """
    ended = Ended("study", "tiny.yaml", "--jobs", "1")
    assert ended.status == 0
    # On standard error, as another machine would take another time.
    assert re.fullmatch(r"funnelsim: 6 replications of about \S+ s each: about \S+ s on 1 worker\n", ended.err)
    assert "2 design points, 6 replications" in ended.out
    assert "duplicate_rate" in ended.out
    assert "funnelsim study runs/study-tiny/study.yaml --rerun 0:" in ended.out
    folder = Path("runs/study-tiny")
    promised = {"study.yaml", "design.csv", "replications.parquet", "summary.csv", "failures.ndjson", "manifest.json"}
    assert promised <= {path.name for path in folder.iterdir()}
    printed = Ended("study", "tiny.yaml", "--jobs", "1", "--json").json
    assert printed.pop("folder") == str(folder)
    assert printed == json.loads((folder / "manifest.json").read_text())
    assert (printed["kind"], printed["study"], printed["counts"]["replications"]) == ("study", "tiny", 6)
    file.unlink()
    failure = json.loads((folder / "failures.ndjson").read_text().splitlines()[0])
    command = failure["replay"].split()
    assert command[:2] == ["funnelsim", "study"]
    again = Ended(*command[1:])
    assert again.status == 0
    assert f"effect: {failure['message']}" in again.out


def test_a_design_for_sensitivity_prints_its_indices() -> None:
    """Factors and their indices, the most important first, instead of the means at all points; and a file of them."""
    factors = "{intent.intercept: {uniform: [-4, 0]}, tracking.ad_blocker_rate: {uniform: [0, 0.4]}}"
    text = (
        f"name: morris\nscenario: {WORLD}\nfactors: {factors}\ndesign: {{kind: morris, samples: 4}}\nreplications: 5\n"
    )
    Path("morris.yaml").write_text(text + "responses: {asked: counts.demo_requests}\n")
    lines = Ended("study", "morris.yaml", "--jobs", "1").out.splitlines()
    assert lines[2] == "asked: elementary effects of a whole range (μ*, with 95 % interval)"
    assert lines[3].split()[:2] == ["factor", "μ*"]
    assert lines[4].split()[0] == "intent.intercept"
    assert lines[5].split()[:4] == ["tracking.ad_blocker_rate", "0", "[0,", "0]"]
    assert lines[7] == "not distinguishable from noise: tracking.ad_blocker_rate"
    assert not any("design point" in line for line in lines[1:])
    table = pl.read_csv("runs/study-morris/indices.csv")
    assert table.select("response", "factor").row(0) == ("asked", "intent.intercept")


def test_indices_of_pairs_have_a_file_of_their_own() -> None:
    """A design for second-order indices writes one row for each pair of factors."""
    factors = "{intent.intercept: {uniform: [-4, 0]}, tracking.ad_blocker_rate: {uniform: [0, 0.4]}}"
    design = "{kind: saltelli, samples: 8, second_order: true}"
    text = f"name: pairs\nscenario: {WORLD}\nfactors: {factors}\ndesign: {design}\nreplications: 2\n"
    Path("pairs.yaml").write_text(text + "responses: {seen: page_views()}\n")
    assert "second-order Sobol indices (S2)" in Ended("study", "pairs.yaml", "--jobs", "1").out
    (row,) = pl.read_csv("runs/study-pairs/interactions.csv").iter_rows(named=True)
    assert (row["response"], row["factor"], row["with_factor"]) == (
        "seen",
        "intent.intercept",
        "tracking.ad_blocker_rate",
    )
    assert row["second_low"] <= row["second"] <= row["second_high"]


def test_validate_recognises_studies() -> None:
    """A study is recognised by its keys."""
    assert Ended("validate", "tiny.yaml").out == "tiny.yaml: study 'tiny' is valid: 2 design points\n"
    assert "study 'coverage' is valid" in Ended("validate", "coverage").out
    assert "scenario 'baseline' is valid" in Ended("validate", "baseline").out


def test_compare_prints_the_differences_of_two_scenarios() -> None:
    """A scenario differs from itself by exactly 0, in a table, in a report and as JSON."""
    Path("world.yaml").write_text(WORLD)
    same = ("compare", "world.yaml", "world.yaml", "--replications", "3", "--jobs", "1", "--out", "same")
    assert Ended(*same).out.endswith("report: same/report.html\n")
    printed = Ended(*same, "--json").json
    assert printed["folder"] == "same"
    assert [row["difference"] for row in printed["differences"]] == [0.0] * len(printed["differences"])


def test_warm_up_prints_the_hours_and_draws_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hours are printed as the setting of a study, above the days, and the plot is an SVG."""
    level = [50.0] * 20 + [100.0] * 52
    columns = {"hour": range(72), "mean": level, "without_cycle": level, "moving_average": level}
    found = WarmUp("page_views", 2, 20, pl.DataFrame(columns))
    # Three weeks of the scenario itself would take half a minute.
    monkeypatch.setattr("scenarios.cli.studies.find_warm_up", lambda *_, **__: found)
    ended = Ended("warm-up", "baseline", "--out", "plot.svg")
    assert ended.status == 0
    assert "the warm-up lasts 20 hours (MSER-5): warm_up_hours: 20" in ended.out
    days = [words for words in map(str.split, ended.out.splitlines()) if words and words[0].isdecimal()]
    assert days == [["1", "50.0"], ["2", "100.0"], ["3", "100.0"]]
    assert Path("plot.svg").read_text().startswith("<svg")
    assert Ended("warm-up", "baseline", "--json").json["warm_up_hours"] == 20


def test_power_of_an_experiment_says_what_it_needs():
    """For each arm what its traffic detects, what the scenario's lift needs, and the power; with --json the same."""
    world = """{name: ab, clock: {hours: 4}, traffic: {visitors_per_day: 3000}, intent: {intercept: -2.0}, experiments:
      {form: {arms: {control: {share: 0.5}, same: {share: 0.2}, short: {share: 0.3, log_odds: 1.0}}}}}"""
    Path("ab.yaml").write_text(world)
    command = ("power", "ab.yaml", "--experiment", "form", "--replications", "4", "--jobs", "1")
    ended = Ended(*command)
    assert ended.status == 0
    assert re.search(
        r"form, short against control, in 0.166667 days: [\d,]+ visitors against [\d,]+, conver", ended.out
    )
    assert re.search(
        r"needed for a lift of [\d.]+%: [\d,]+ visitors against [\d,]+, [\d.]+ days \(power 0.8", ended.out
    )
    assert "the arm changes nothing, so that no traffic shows a lift; --lift assumes one" in ended.out
    assert "by the closed form" in ended.out
    assert [row["arm"] for row in Ended(*command, "--json").json["arms"]] == ["same", "short"]

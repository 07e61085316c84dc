"""Claims about the first files and the check of the installation: new and doctor."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import jsonschema
import pytest
from command_line import Ended
from ruamel.yaml import YAML

from scenarios.cli import diagnosis
from scenarios.cli.scenario_files import new_scenario
from scenarios.scenario import Scenario
from scenarios.study import Study


def uncommented(text: str) -> str:
    """The file with '# ' removed from all lines but the first, which is for editors."""
    return re.sub(r"(?m)^( *)# ", r"\1", text).partition("\n")[2]


@pytest.mark.parametrize(
    ("arguments", "valid", "following"),
    [
        (["--extends", "launch-spike"], "scenario 'my-first' is valid", "run"),
        (["--study", "--extends", "enterprise"], "study 'my-first' is valid: 2 design points", "study"),
    ],
)
def test_a_new_file_is_valid(arguments: list[str], valid: str, following: str) -> None:
    """It is named after itself, agrees with the schema that its first line names, and is never overwritten."""
    assert f"next: funnelsim {following} My First.yaml" in Ended("new", "My First.yaml", *arguments).out
    assert Ended("validate", "My First.yaml").out == f"My First.yaml: {valid}\n"
    text = Path("My First.yaml").read_text()
    schema = re.fullmatch(r"# yaml-language-server: \$schema=\./(.+)", text.splitlines()[0])[1]
    plain = json.loads(json.dumps(YAML(typ="safe").load(text), default=lambda time: time.isoformat()))
    jsonschema.validate(plain, json.loads(Path(schema).read_text()))
    again = Ended("new", "My First.yaml", *arguments)
    assert (again.status, Path("My First.yaml").read_text()) == (2, text)
    assert "exists already" in again.err
    assert "mine: must end in .yaml" in Ended("new", "mine", *arguments).err


def test_every_suggestion_is_valid() -> None:
    """With '# ' removed from all lines each file is still valid; the one setting that a study then varies must go."""
    new_scenario("mine.yaml")
    scenario = Scenario.parse(uncommented(Path("mine.yaml").read_text()))
    assert scenario.description.startswith("What this scenario is about")
    assert "spring" in scenario.traffic.campaigns
    assert scenario.tracking.bots_per_day == 50
    assert scenario.intent.account_sd == 0.5
    assert list(scenario.experiments) == ["pricing-page"]
    assert len(scenario.claims) == 1
    assert Ended("new", "s.yaml", "--study", "--extends", "enterprise").status == 0
    text = uncommented(Path("s.yaml").read_text())
    study = Study.parse(text.replace("  traffic.visitors_per_day: 5000\n", ""))
    assert (len(study.points), study.settings.scenario) == (4, "enterprise")
    assert "strongest signal" in study.settings.responses


def test_doctor_reports_what_is_installed() -> None:
    """Versions as installed, every extra of the project but that of its developers, cores, memory, temporary files."""
    found = Ended("doctor", "--json").json
    assert found["versions"]["polars"] == metadata.version("polars")
    assert set(found["extras"]) == set(metadata.metadata("funnelsim").get_all("Provides-Extra")) - {"dev"}
    assert found["cores"] >= 1
    assert found["is_well"] is True
    assert Ended("doctor").out.endswith("the installation is complete\n")


def test_doctor_works_where_libraries_are_missing() -> None:
    """It needs none of the libraries that only other commands need."""
    missing = ["polars", "numpy", "rich", "simpy", "statsmodels", "ruamel.yaml"]
    script = f"import sys; sys.modules.update(dict.fromkeys({missing})); import runpy; runpy.run_module('funnelsim')"
    done = subprocess.run([sys.executable, "-c", script, "doctor"], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("the installation is complete\n")


def test_doctor_reports_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library, and a folder that cannot be written to, are reported with what to do; status 1."""
    known = diagnosis._version
    monkeypatch.setattr(diagnosis, "_version", lambda name: None if name in {"simpy", "ray"} else known(name))
    monkeypatch.setattr(diagnosis.tempfile, "gettempdir", lambda: "/nowhere")
    ended = Ended("doctor")
    assert ended.status == 1
    assert "pip install simpy" in ended.out
    assert "pip install 'funnelsim[ray]'" in ended.out
    assert "CANNOT BE WRITTEN TO: set TMPDIR" in ended.out

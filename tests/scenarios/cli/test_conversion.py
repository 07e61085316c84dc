"""The command line says where a change leaves conversion at its target, because the intercept gives way."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Ended

WORLD = "{name: small, clock: {hours: 1}, traffic: {visitors_per_day: 500}, intent: {target_conversion: 0.1}}"
STRONGER = "{name: stronger, extends: small.yaml, intent: {coefficients: {security_page_view: 2.0}}}"
STUDY = """
{name: varied, scenario: small.yaml, factors: {intent.coefficients.security_page_view: [0.9, 2.0]}, replications: 2,
responses: {n: counts.demo_requests}}
"""


@pytest.fixture(autouse=True)
def _files(_own_folder: None) -> None:
    for name, text in (("small", WORLD), ("stronger", STRONGER), ("varied", STUDY)):
        Path(f"{name}.yaml").write_text(text)


def said(text: str) -> str:
    """The sentence about the intercept in an output, from its first word on."""
    start = text.lower().index("intercept re-solved from -")
    return text[start : text.index("to let conversion move") + 22]


@pytest.mark.slow
def test_validate_run_compare_and_study_say_the_same() -> None:
    """Validation, a run and its report, a comparison and a study have the same sentence; the report of each too."""
    sentence = said(Ended("validate", "stronger.yaml").out)
    assert "so that 10 % convert; set intent.intercept=-" in sentence
    ran = Ended("run", "small.yaml", "--set", "intent.coefficients.security_page_view=2.0", "--out", "run")
    assert said(ran.out) == sentence
    assert said(Path("run/report.html").read_text())[1:] == sentence[1:]
    two = ("compare", "small.yaml", "stronger.yaml", "--replications", "2", "--jobs", "1", "--out", "two")
    assert said(Ended(*two).out) == sentence
    assert Ended(*two, "--json").json["remarks"] == [sentence]
    assert f"Stronger against small: {sentence}." in Path("two/report.html").read_text()
    assert said(Ended("validate", "varied.yaml").out) == sentence
    assert said(Ended("study", "varied.yaml", "--jobs", "1", "--out", "varied").out) == sentence
    assert f"Design point 1: {sentence}." in Path("varied/report.html").read_text()


def test_nothing_is_said_where_conversion_moves() -> None:
    """A scenario as it is, and a change with an intercept, have nothing to say."""
    assert "re-solved" not in Ended("validate", "small.yaml").out
    assert "re-solved" not in Ended("validate", "stronger.yaml", "--set", "intent.intercept=-4.5").out

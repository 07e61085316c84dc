"""Claims about components on the command line: plugins, check-component and compare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Ended
from own_components import CARELESS, GREETER, own_module

from scenarios import InputError, Scenario, check_component

WORLD = "extends: baseline\nclock: {hours: 3}\ntraffic: {visitors_per_day: 2000}\n"


@pytest.fixture
def greeter(monkeypatch: pytest.MonkeyPatch) -> str:
    """A scenario with a component of one's own, whose file is beside it."""
    own_module(Path("own_parts.py").absolute(), GREETER, monkeypatch)
    Path("own.yaml").write_text(f"name: own\n{WORLD}components: {{g: {{use: 'own_parts:Greeter', effect: 2.0}}}}\n")
    return "own.yaml"


def test_a_plugin_is_imported_only_if_it_is_named(greeter: str) -> None:
    """Without the option every command refuses the file and says what to do; with it, it is a scenario like any."""
    ended = Ended("validate", greeter)
    assert ended.status == 2
    assert "components.g.use: module 'own_parts' belongs to no package that registers" in ended.err
    assert "--plugin own_parts.py" in ended.err
    assert Ended("validate", greeter, "--plugin", "own_parts.py").status == 0


def test_a_plugin_that_ends_the_program_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command names the module that has failed, and the place in the file that names it."""
    own_module(Path("own_exit.py").absolute(), "import sys\nsys.exit()\n", monkeypatch)
    Path("own.yaml").write_text(f"name: own\n{WORLD}components: {{g: {{use: 'own_exit:Greeter'}}}}\n")
    ended = Ended("run", "own.yaml", "--plugin", "own_exit.py")
    assert ended.status == 2
    assert ended.err == "funnelsim: own.yaml:5:18: components.g.use: module 'own_exit' cannot be imported: SystemExit\n"


@pytest.mark.parametrize("name", ["nope", "nope.inner", "scenarios.nope"])
def test_a_plugin_that_does_not_exist_is_refused_at_once(name: str) -> None:
    """Even if no scenario names it; the message says where it was looked for."""
    ended = Ended("validate", "baseline", "--plugin", name)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert f"--plugin: there is no module {name!r}, neither installed nor as {name}.py in {Path.cwd()}" in ended.err


@pytest.mark.parametrize(
    "command", ["run", "show", "study", "compare", "validate", "power", "warm-up", "check-component"]
)
def test_commands_that_read_scenarios_take_plugins(command: str) -> None:
    """A plugin that is not there is wrong input of each of them."""
    ended = Ended(command, "--plugin", "nothing.py", "baseline")
    assert (ended.status, "--plugin: " in ended.err, "there is no such file" in ended.err) == (2, True, True)
    assert "--plugin" in Ended(command, "--help").out


def test_a_component_that_keeps_the_rules_passes(greeter: str) -> None:
    """The table says what holds; the status is 0, and with --quiet nothing is printed."""
    ended = Ended("check-component", greeter, "--plugin", "own_parts.py")
    assert (ended.status, ended.err) == (0, "")
    lines = [line.rsplit(maxsplit=1) for line in ended.out.splitlines() if line.startswith("  ")]
    assert [held for _, held in lines] == ["holds", *["yes"] * 8]
    assert re.search(r"\n\d\d of 177 visitors were on the clock; in the other run, all of them", ended.out)
    assert Ended("check-component", greeter, "--plugin", "own_parts.py", "--quiet").out == ""


def test_a_component_that_depends_on_who_is_asked_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is 1, and a plain explanation names the first event that differs."""
    own_module(Path("own_careless.py").absolute(), CARELESS, monkeypatch)
    Path("own.yaml").write_text(f"name: own\n{WORLD}components: {{c: {{use: 'own_careless:Careless'}}}}\n")
    ended = Ended("check-component", "own.yaml", "--plugin", "own_careless.py")
    assert ended.status == 1
    assert "the events are the same                             NO" in ended.out
    assert "first 'Counted' of visitor" in ended.out
    assert "numbers that are not from self.rng()" in ended.out
    printed = Ended("check-component", "own.yaml", "--plugin", "own_careless.py", "--json")
    assert (printed.status, printed.json["passed"]) == (1, False)


def test_what_a_component_does_behind_the_events_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A component that changes what a visitor has seen, without an event, is caught by the rebuilt visits."""
    act = "        if page.name == 'pricing':\n            visitor.visit.pages[-1] = 0\n"
    meddling = CARELESS.split("        Careless.n")[0] + act
    own_module(Path("own_meddling.py").absolute(), meddling, monkeypatch)
    Path("own.yaml").write_text(f"name: own\n{WORLD}components: {{c: {{use: 'own_meddling:Careless'}}}}\n")
    ended = Ended("check-component", "own.yaml", "--plugin", "own_meddling.py")
    assert ended.status == 1
    assert "not true that without faults, the events tell the true visits" in ended.out
    assert "rows differ in pricing_page_view" in ended.out


@pytest.mark.parametrize(
    ("what", "instead", "difference"),
    [
        ("fs.Effect(self.settings.effect,", "fs.Effect(0.3,", "effect 2, terms 0.3"),
        ("return self.settings.effect if", "return 0.1 * len(visitor.visits) if", "effect 0.1, terms 2"),
        (
            'fs.event_signal("Greeted")',
            '{"kind": "page_category", "categories": ["security", "pricing"]}',
            "effect 0, terms 2",
        ),
        ("return plan.views(self.settings.page)", 'return plan.views("pricing") & (plan.uniforms("a") < 0.0)', ""),
    ],
)
def test_terms_that_are_not_what_the_effect_does_are_found(
    what: str, instead: str, difference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another size, one that varies, other visitors: each fails with the first decision; so does touching nobody."""
    own_module(Path("own_terms.py").absolute(), GREETER.replace(what, instead), monkeypatch)
    Path("own.yaml").write_text(f"name: own\n{WORLD}components: {{g: {{use: 'own_terms:Greeter', effect: 2.0}}}}\n")
    ended = Ended("check-component", "own.yaml", "--plugin", "own_terms.py")
    assert ended.status == 1
    if difference:
        found = (
            r"not true that the effect of 'g' is that of its terms: \d+ of \d+ decisions differ, first that of visitor"
        )
        assert re.search(rf"{found} \w{{8}} after visit \d: {difference}", ended.out)
    else:
        assert "not true that each component touches somebody: 'g': nobody" in ended.out
        assert "nothing is proved of the component" in ended.out


def test_a_component_is_checked_beside_a_signal_of_the_scenario() -> None:
    """A signal of the user's own that visitors decide by is among the true visits, and among those of the events."""
    steps = "{kind: sequence, steps: [security, pricing]}"
    own = f"intent: {{coefficients: {{in_order: 0.7}}}}\nanalytics: {{signals: {{in_order: {steps}}}}}\n"
    Path("own.yaml").write_text(f"name: own\n{WORLD}{own}components: {{d: {{use: live_chat}}}}\n")
    assert Ended("check-component", "own.yaml").status == 0


CRASHING = """
import funnelsim as fs

class Crashing(fs.Component):
    def touches(self, plan):
        return plan.everybody

    def on_view(self, visitor, page):
        visitor.statee["x"] = 1
"""


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ('visitor.statee["x"] = 1', r"own_crash\.py:9, in on_view: AttributeError: 'Visitor' object has no attribute "),
        ("yield 5", r"own_crash\.py:9, in on_view: yield an event, such as self\.env\.timeout\(minutes=5\), not 5"),
        ("yield from (None for _ in 'a')", r"own_crash\.py:9, in <genexpr>: yield an event, .*, not None"),
    ],
)
def test_an_error_in_the_code_of_a_component_says_where(
    what: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with file, line and method of the user's own code, in place of a traceback through the simulator."""
    own_module(Path("own_crash.py").absolute(), CRASHING.replace('visitor.statee["x"] = 1', what), monkeypatch)
    Path("own.yaml").write_text(f"name: own\n{WORLD}components: {{g: {{use: 'own_crash:Crashing'}}}}\n")
    ended = Ended("run", "own.yaml", "--plugin", "own_crash.py", "--quiet")
    assert (ended.status, ended.err.count("\n")) == (1, 1)
    assert re.match(f"funnelsim: {message}", ended.err)


def test_a_study_without_any_result_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """If every replication fails the status is 1, also with --json, and the summary says so even with --quiet."""
    own_module(Path("own_crash.py").absolute(), CRASHING, monkeypatch)
    Path("own.yaml").write_text(f"name: own\n{WORLD}components: {{g: {{use: 'own_crash:Crashing'}}}}\n")
    responses = "replications: 2\nresponses: {visitors: counts.visitors}\n"
    Path("study.yaml").write_text(f"name: s\nscenario: own.yaml\nplugins: [own_crash.py]\n{responses}")
    ended = Ended("study", "study.yaml", "--jobs", "1", "--quiet")
    assert ended.status == 1
    assert "every replication failed: no response has a value" in ended.out
    assert Ended("study", "study.yaml", "--jobs", "1", "--json").status == 1


def test_a_scenario_without_components_has_nothing_to_check() -> None:
    """That is wrong input, not a success."""
    assert "names no component" in Ended("check-component", "baseline").err
    with pytest.raises(InputError, match="names no component"):
        check_component(Scenario.load("baseline"))


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (("(0.0, 5.0)", "(0.0, 0.1)"), 2, "the true effect of 'greeted' is 0.5, outside its effect_range of 0 to 0.1"),
        (
            ("if self.name in visitor.state else 0.0", "+ 5.0"),
            1,
            "effect() gave 5.5, outside its effect_range of 0 to 5",
        ),
    ],
)
def test_an_error_of_a_component_is_one_line(
    change: tuple[str, str], status: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback: the message says which component has done what, before the run where that can be known."""
    own_module(Path("own_wild.py").absolute(), GREETER.replace(*change), monkeypatch)
    Path("own.yaml").write_text(f"name: own\n{WORLD}components: {{g: {{use: 'own_wild:Greeter'}}}}\n")
    ended = Ended("run", "own.yaml", "--plugin", "own_wild.py", "--quiet")
    assert (ended.status, ended.err.count("\n")) == (status, 1)
    assert f"component 'g': {message}" in ended.err


def test_compare_shows_the_settings_of_components_that_differ(greeter: str) -> None:
    """Beside the responses: which component, and what it has in each scenario."""
    Path("other.yaml").write_text(f"name: other\n{WORLD}components: {{g: {{use: 'own_parts:Greeter'}}}}\n")
    options = ("--plugin", "own_parts.py", "--replications", 2, "--jobs", 1, "--response", "counts.demo_requests")
    ended = Ended("compare", greeter, "other.yaml", *options)
    assert ended.status == 0
    assert "components.g.effect  2.0    0.5" in ended.out
    assert "components.g.page" not in ended.out

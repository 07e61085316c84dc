"""Claims about trust: whose code a scenario file can run."""

from pathlib import Path

import pytest
from own_components import GREETER, own_module

from simulator.settings.plugins import COMPONENTS, DECISIONS, PROBES, allow_plugins, class_named

LEAVES_A_TRACE = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n"


@pytest.fixture
def greeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with a component, which leaves a file when it is imported."""
    return own_module(tmp_path / "own_greeter.py", LEAVES_A_TRACE + GREETER, monkeypatch)


def test_a_module_that_nobody_has_allowed_is_not_imported(greeter: Path, monkeypatch: pytest.MonkeyPatch):
    """A file from a stranger runs no code, even where Python could import the module."""
    monkeypatch.syspath_prepend(greeter.parent)
    with pytest.raises(ValueError, match=r"belongs to no package that registers.*--plugin own_greeter\.py"):
        class_named("own_greeter:Greeter", COMPONENTS)
    assert not greeter.with_suffix(".ran").exists()


def test_a_module_that_is_allowed_is_imported(greeter: Path):
    """By the name of its file, which need not be on Python's path."""
    allow_plugins(greeter)
    assert class_named("own_greeter:Greeter", COMPONENTS)("g", effect=2.0).settings.effect == 2.0
    assert greeter.with_suffix(".ran").exists()


def test_a_program_is_not_imported_even_if_its_package_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``__main__`` of a package runs the program, with the words of this command line."""
    (tmp_path / "own_tool").mkdir()
    trace = own_module(tmp_path / "own_tool" / "__init__.py", "", monkeypatch).with_name("__main__.py")
    trace.write_text(LEAVES_A_TRACE)
    monkeypatch.syspath_prepend(tmp_path)
    allow_plugins("own_tool")
    with pytest.raises(ValueError, match=r"'own_tool\.__main__' is a program"):
        class_named("own_tool.__main__:X", COMPONENTS)
    assert not trace.with_suffix(".ran").exists()


@pytest.mark.parametrize("end", ["raise SystemExit(3)", "raise RuntimeError('no licence')", "1 / 0"])
def test_a_module_that_cannot_be_imported_is_named(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever it raises: an exit without a message would explain nothing."""
    allow_plugins(own_module(tmp_path / "own_end.py", end, monkeypatch))
    with pytest.raises(ValueError, match=r"module 'own_end' cannot be imported: (SystemExit: 3|RuntimeError|ZeroDiv)"):
        class_named("own_end:X", COMPONENTS)


def test_a_name_is_looked_for_in_the_working_folder(greeter: Path, monkeypatch: pytest.MonkeyPatch):
    """As a file beside the scenario has it, where only its name is given."""
    monkeypatch.chdir(greeter.parent)
    allow_plugins("own_greeter")
    assert class_named("own_greeter:Greeter", COMPONENTS).__name__ == "Greeter"


def test_an_allowed_file_never_takes_the_place_of_another_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file with the name of a module that exists is refused, whichever Python would find."""
    path = own_module(tmp_path / "calendar.py", GREETER, monkeypatch)
    with pytest.raises(ValueError, match=r"another module 'calendar'.*rename"):
        allow_plugins(path)
    with pytest.raises(ValueError, match="there is no such file"):
        allow_plugins(tmp_path / "nothing.py")


@pytest.mark.parametrize(
    ("use", "group", "message"),
    [
        ("live_cht", COMPONENTS, "did you mean 'live_chat'"),
        ("queue_length", COMPONENTS, "is a probe; name it under 'probes'"),
        ("live_chat", PROBES, "is a component; name it under 'components'"),
        ("simulator.components.decisions:Probit", COMPONENTS, "is a decision model; name it under 'decision'"),
        ("simulator.components.live_chat:LivChat", COMPONENTS, "did you mean 'LiveChat'"),
        ("subprocess:Popen", COMPONENTS, "belongs to no package that registers"),
        ("numpy:array", DECISIONS, r"belongs to no package that registers.*--plugin numpy,"),
        ("IPython.__main__:X", COMPONENTS, r"belongs to no package that registers.*--plugin IPython\.__main__"),
        ("simulator.__main__:X", COMPONENTS, "is a program, so it is not imported"),
        ("simulator.errors:ComponentError", DECISIONS, "is no decision model"),
        ("simulator.nothing:Thing", PROBES, "cannot be imported: ModuleNotFoundError"),
        ("simulator.errors:Thing", PROBES, "there is no class 'Thing'; there are none"),
    ],
)
def test_what_is_no_class_of_the_kind_is_refused(use: str, group: str, message: str):
    """A scenario cannot name any callable there is, and a slip of the pen is recognised."""
    with pytest.raises(ValueError, match=message):
        class_named(use, group)

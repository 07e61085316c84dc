"""Modules with components of a user's own, in files that no package has installed."""

import sys
from pathlib import Path

import pytest

from simulator.settings import plugins

GREETER = """
import funnelsim as fs

class Greeter(fs.Component):
    \"\"\"Greets visitors of a page.\"\"\"

    class Settings(fs.Settings):
        page: fs.PageName = "pricing"
        effect: fs.LogOdds = 0.5

    events = ("Greeted",)
    effect_range = (0.0, 5.0)

    def touches(self, plan):
        return plan.views(self.settings.page)

    def on_view(self, visitor, page):
        if page.name == self.settings.page and self.name not in visitor.state:
            visitor.state[self.name] = True
            visitor.track("Greeted")

    def effect(self, visitor):
        return self.settings.effect if self.name in visitor.state else 0.0

    def terms(self):
        return {"greeted": fs.Effect(self.settings.effect, fs.event_signal("Greeted"))}
"""
"""A component written with ``import funnelsim as fs`` alone."""

CARELESS = """
import funnelsim as fs

class Careless(fs.Component):
    events = ("Counted",)
    n = 0

    def touches(self, plan):
        return plan.views("pricing")

    def on_view(self, visitor, page):
        Careless.n += 1  # shared by all runs of the process
        if Careless.n % 3 == 0:
            visitor.track("Counted")
"""
"""A component whose acts depend on what else has happened in the process."""


def own_module(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a module; what imports it leaves no traces after the test."""
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(plugins, "_ALLOWED", {"__main__"})
    # Set and deleted: afterwards the module is gone again, whoever has imported it.
    monkeypatch.setitem(sys.modules, path.stem, sys)
    del sys.modules[path.stem]
    return path

"""The table of contents of each room."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOMS = ("analytics", "simulator", "scenarios")


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_the_table_of_contents_is_there(room: str) -> None:
    """What `__all__` names can be imported from the room."""
    package = import_module(room)
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_the_table_of_contents_names_all_that_is_imported(room: str) -> None:
    """What `__init__.py` imports from its room's modules stands in `__all__`."""
    tree = ast.parse((Path(__file__).parents[1] / room / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    inner = {alias.name for node in imports if (node.module or "").startswith(f"{room}.") for alias in node.names}
    assert inner == set(import_module(room).__all__)


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_of_the_table_of_contents_is_that_of_a_module(room: str) -> None:
    """Else it would stand for the one or the other, as the module has been imported before or not."""
    modules = {path.stem for path in (Path(__file__).parents[1] / room).glob("*.py")}
    assert modules.isdisjoint(import_module(room).__all__)

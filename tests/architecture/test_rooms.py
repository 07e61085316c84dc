"""Claims about the rooms of the house and the arrows between them."""

import ast
import importlib
import subprocess
import sys
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("analytics", "simulator", "scenarios")
MODULES = sorted(path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
CHANCE_AND_CLOCK = {
    "random",
    "uuid",
    "secrets",
    "time.time",
    "time.time_ns",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "os.urandom",
    "os.getpid",
    "numpy.random.seed",
    "numpy.random.default_rng",
    "numpy.random.rand",
}
"""What would make a run depend on something besides its seed."""
ALLOWED = {
    "analytics.durable.files": {"os.getpid"},  # a locked store names the process that has it
    "analytics.ingestion": {"datetime.datetime.now"},  # live events arrive when they are read
}
"""Uses that no result of a simulation depends on."""


@cache
def graph() -> grimp.ImportGraph:
    """Who imports whom when loaded, imports in functions included; what is only for type checking loads nothing."""
    return grimp.build_graph(*ROOMS, cache_dir=None, exclude_type_checking_imports=True)


def name_of(path: Path) -> str:
    """Dotted name of a module's file."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def test_the_rooms_import_only_what_they_may():
    """The import-linter contracts of pyproject.toml are kept."""
    command = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: 4 kept, 0 broken." in done.stdout


def test_no_module_imports_itself_by_way_of_others():
    """There is no cycle of imports: no module can be reached from those that it imports."""
    imports = graph()
    for module in imports.modules:
        for imported in imports.find_modules_directly_imported_by(module):
            assert imports.find_shortest_chain(imported, module) is None, f"{module} and {imported} import each other"


def test_no_module_imports_the_root_of_its_own_room():
    """Modules import each other by their own names, not through the table of contents of their package."""
    for module in graph().modules:
        room = module.split(".")[0]
        assert module == room or room not in graph().find_modules_directly_imported_by(module), module


def test_the_graph_sees_every_module():
    """The claims above are about all modules that there are."""
    assert {name_of(path) for path in MODULES} == graph().modules


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is(path: Path):
    """Each module has a docstring whose first line is a sentence."""
    docstring = ast.get_docstring(tree_of(path))
    assert docstring
    assert docstring.split("\n\n")[0].rstrip().endswith((".", ":", "?"))


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name of a module stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            # `import a.b` binds a, which the dotted use then spells out.
            names |= {
                alias.asname or alias.name.split(".")[0]: alias.name if alias.asname else alias.name.split(".")[0]
                for alias in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def used_names(tree: ast.Module) -> set[str]:
    """Full dotted names of all that a module imports and of the attributes that it uses of that."""
    names, used = imported_names(tree), set()
    for node in ast.walk(tree):
        parts, part = [], node
        while isinstance(part, ast.Attribute):
            parts.append(part.attr)
            part = part.value
        if isinstance(part, ast.Name) and part.id in names:
            used.add(".".join([names[part.id], *reversed(parts)]))
    return used | set(names.values())


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] != "scenarios"], ids=name_of)
def test_nothing_depends_on_chance_or_the_wall_clock(path: Path):
    """No module of simulator or analytics draws unseeded numbers or identifiers, or asks what time it is."""
    used = used_names(tree_of(path)) - ALLOWED.get(name_of(path), set())
    assert not {name for name in used if any(f"{name}.".startswith(f"{bad}.") for bad in CHANCE_AND_CLOCK)}


def test_the_scan_would_find_what_it_looks_for():
    """Names are followed through aliases, from-imports and attributes."""
    source = (
        "import numpy as np\nfrom datetime import datetime as dt\nimport uuid\nnp.random.rand()\ndt.now()\nuuid.uuid4()"
    )
    assert {"numpy.random.rand", "datetime.datetime.now", "uuid.uuid4"} <= used_names(ast.parse(source))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_table_of_contents_is_sorted_and_true(path: Path):
    """Where a module has an __all__, it is sorted, without repetition, and each name can be imported."""
    assigned = [node for node in tree_of(path).body if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = {
        ast.unparse(t) for node in assigned for t in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    if "__all__" not in targets:
        return
    module = importlib.import_module(name_of(path))
    names = list(module.__all__)
    # Constants, then classes, then functions, each in order: ruff's RUF022.
    assert names == sorted(set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(module, name) for name in names)

"""Claims about the packages, the dependencies between them, and what each module says of itself."""

import ast
import importlib
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PACKAGES = ("analytics", "simulator", "scenarios", "funnelsim")
MODULES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
MOST_ENTRIES = 18
MOST_LINES = 400
MOST_FUNCTION_LINES = 40
CHANCE_AND_CLOCK = {
    "random", "uuid", "secrets", "time.time", "time.time_ns", "datetime.datetime.now", "datetime.datetime.utcnow",
    "datetime.datetime.today", "datetime.date.today", "os.urandom", "os.getpid", "numpy.random.seed",
    "numpy.random.default_rng", "numpy.random.rand",
}  # fmt: skip
"""What would make a run depend on something besides its seed."""
ALLOWED = {
    "analytics.durable.files": {"os.getpid"},  # a locked store names the process that has it
    "analytics.ingestion": {"datetime.datetime.now"},  # live events arrive when they are read
    "analytics.logit.score_bootstrap": {"numpy.random.default_rng"},  # always of seed 0
}
"""Uses that no result of a simulation depends on."""


@cache
def graph() -> grimp.ImportGraph:
    """Who imports whom: imports in functions, for type checking and through the lazy surface of a package count too."""
    imports = grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=False)
    for path in MODULES:
        for name in used_names(tree_of(path)):
            defined_in = origins().get(name)
            if defined_in and defined_in != name_of(path):
                imports.add_import(importer=name_of(path), imported=defined_in)
    return imports


@cache
def origins() -> dict[str, str]:
    """The modules that define the public names of packages, by the full name; from the stubs."""
    found = {}
    for folder in FOLDERS:
        package = ".".join(folder.parts)
        for node in ast.walk(ast.parse((ROOT / folder / "__init__.pyi").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                module = f"{package}.{node.module}" if node.module else package
                found |= {f"{package}.{alias.name}": module for alias in node.names}
    return found


def name_of(path: Path) -> str:
    """Dotted name of a module's file."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def entries(folder: Path) -> set[str]:
    """Modules and subpackages of a package: what one sees at first sight."""
    modules = {path.stem for path in MODULES if path.parent == folder} - {"__init__"}
    return modules | {path.name for path in FOLDERS if path.parent == folder}


def test_the_contracts_of_import_linter_are_kept():
    """Layers within and between packages, no circles, and libraries that stay where they are used."""
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    command = [sys.executable, "-c", code, "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken\.", done.stdout)


def test_no_module_imports_itself_by_way_of_others():
    """There is no cycle of imports: no module can be reached from those that it imports."""
    imports = graph()
    for module in imports.modules:
        for imported in imports.find_modules_directly_imported_by(module):
            assert imports.find_shortest_chain(imported, module) is None, f"{module} and {imported} import each other"


def test_no_module_imports_the_root_of_a_package():
    """Modules import each other by their own names, not through the surface of all, which only `funnelsim` uses."""
    for module in graph().modules - {"funnelsim"}:
        assert graph().find_modules_directly_imported_by(module).isdisjoint(PACKAGES), module


def test_what_is_loaded_lazily_counts_as_imported():
    """The graph has the arrow to the module that defines a name which is had from a package, and used when it is."""
    assert "analytics.html.notebook" in graph().find_modules_directly_imported_by("scenarios.scenario")
    assert "scenarios.replays.http" in graph().find_modules_directly_imported_by("scenarios.replays.sending")


def test_the_graph_sees_every_module():
    """The claims above are about all modules that there are."""
    assert {name_of(path) for path in MODULES} == graph().modules


def hidden_imports(tree: ast.Module) -> Iterator[str]:
    """Names of our own packages that are imported as texts, so that no graph sees them.

    The name of a package may be a text for its templates; that of a module serves to import it, by whatever function.
    """
    files = {name_of(path) for path in MODULES if path.stem != "__init__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.partition(":")[0] in files:
            yield node.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {
            "import_module",
            "__import__",
        }:
            names = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            yield from (name for name in names if isinstance(name, str) and name.split(".")[0] in PACKAGES)


def test_no_import_of_our_own_is_hidden_in_a_text():
    """``import_module("analytics…")`` would hide a dependency from the tests above."""
    assert {name_of(path): found for path in MODULES if (found := [*hidden_imports(tree_of(path))])} == {}
    assert [*hidden_imports(ast.parse('importlib.import_module("analytics.store")'))] == ["analytics.store"]
    assert [*hidden_imports(ast.parse('later = load(NAME := "analytics.store.window")'))] == ["analytics.store.window"]


def test_every_module_says_what_it_is():
    """Each module has a docstring whose first paragraph is a sentence."""
    for path in MODULES:
        docstring = ast.get_docstring(tree_of(path)) or ""
        assert docstring.split("\n\n")[0].rstrip().endswith((".", ":", "?")), path


def code_lines(path: Path) -> set[int]:
    """Numbers of the lines with code: not blank, and more than a comment or a docstring."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    with (ROOT / path).open(encoding="utf-8") as file:
        tokens = [token for token in tokenize.generate_tokens(file.readline) if token.type not in layout]
    code = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            code -= set(range(node.lineno, (node.end_lineno or 0) + 1))
    return code


def test_nothing_is_larger_than_a_reader_can_take_in():
    """At most 18 modules and subpackages beside each other, 400 lines a module, 40 lines of code a function.

    Modules are split by concept, and one longer than that holds several.
    """
    assert {str(folder): len(entries(folder)) for folder in FOLDERS if len(entries(folder)) > MOST_ENTRIES} == {}
    lengths = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}
    functions = {}
    for path in MODULES:
        code = code_lines(path)
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = len(code & set(range(node.lineno, (node.end_lineno or 0) + 1)))
                functions[f"{path}:{node.lineno} {node.name}"] = length
    assert {name: length for name, length in functions.items() if length > MOST_FUNCTION_LINES} == {}


def test_every_subpackage_names_its_modules():
    """The docstring of a subpackage names each of its modules, in the order in which one would read them."""
    for folder in FOLDERS:
        if len(folder.parts) > 1:
            docstring = ast.get_docstring(tree_of(folder / "__init__.py")) or ""
            assert set(re.findall(r"``(\w+)``", docstring)) >= entries(folder), folder


def test_every_public_name_can_be_had():
    """What the stub of a package lists can be imported from it, and no such name is that of a module or subpackage.

    A name that is both would stand for the one or the other, as the module has been imported before or not.
    """
    for folder in FOLDERS:
        package = importlib.import_module(".".join(folder.parts))
        assert [name for name in package.__all__ if not hasattr(package, name)] == []
        assert entries(folder).isdisjoint(package.__all__), folder


def test_what_other_packages_import_is_public():
    """What one subpackage imports from a module of another stands in the stub of that other, its public surface."""
    for path in MODULES:
        here = name_of(path).rpartition(".")[0]
        for node in ast.walk(tree_of(path)):
            package, _, _ = (node.module or "").rpartition(".") if isinstance(node, ast.ImportFrom) else ("", "", "")
            # A subpackage within another is a part of it.
            if package.count(".") == 1 and package.split(".")[0] in PACKAGES and f"{package}." not in f"{here}.":
                public = {*importlib.import_module(package).__all__, *entries(Path(*package.split(".")))}
                assert {name.name for name in node.names} <= public, (path, node.lineno)


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name of a module stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            # `import a.b` binds a, which the dotted use then spells out.
            for alias in node.names:
                bound = alias.asname or alias.name.split(".")[0]
                names[bound] = alias.name if alias.asname else bound
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


def test_nothing_depends_on_chance_or_the_wall_clock():
    """No module of simulator or analytics draws unseeded numbers or identifiers, or asks what time it is.

    Names are followed through aliases, from-imports and attributes.
    """
    source = (
        "import numpy as np\nfrom datetime import datetime as dt\nimport uuid\nnp.random.rand()\ndt.now()\nuuid.uuid4()"
    )
    assert {"numpy.random.rand", "datetime.datetime.now", "uuid.uuid4"} <= used_names(ast.parse(source))
    for path in MODULES:
        if path.parts[0] in {"simulator", "analytics"}:
            used = used_names(tree_of(path)) - ALLOWED.get(name_of(path), set())
            bad = {name for name in used if any(f"{name}.".startswith(f"{each}.") for each in CHANCE_AND_CLOCK)}
            assert not bad, path

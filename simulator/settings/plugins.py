"""Classes that scenario files name: how they are found, and whose modules may be imported for them."""

from __future__ import annotations

import importlib
import sys
from functools import cache, reduce
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from simulator.settings.base import unknown

COMPONENTS: Final = "funnelsim.components"
"""Group of entry points under which packages, this one included, register their components by short names."""

DECISIONS: Final = "funnelsim.decisions"
"""Group of entry points of decision models."""

PROBES: Final = "funnelsim.probes"
"""Group of entry points of probes."""

ROUTING: Final = "funnelsim.routing"
"""Group of entry points of routing policies of the sales desk."""

SOURCES: Final = "funnelsim.sources"
"""Group of entry points of traffic sources."""

NAVIGATION: Final = "funnelsim.navigation"
"""Group of entry points of navigation models."""

_SECTIONS: Final = {
    COMPONENTS: "components",
    DECISIONS: "decision",
    PROBES: "probes",
    ROUTING: "sales.routing",
    SOURCES: "traffic.sources",
    NAVIGATION: "site.navigation",
}
_KINDS: Final = {
    COMPONENTS: "component",
    DECISIONS: "decision model",
    PROBES: "probe",
    ROUTING: "routing policy",
    SOURCES: "traffic source",
    NAVIGATION: "navigation model",
}

# Naming a class of the program that is running imports nothing.
_ALLOWED: Final = {"__main__"}


def allow_plugins(*modules: str | Path) -> None:
    """Allow scenario files to name classes of these modules.

    Without this, a scenario file from a stranger runs no code but that of packages that register classes here.

    Args:
        modules: Names of modules, or files such as ``my_components.py``; a package allows all its modules. A name that
            Python does not know is looked for in the working folder.

    Raises:
        ValueError: There is no such module or file, or the name of the file is that of another module.

    >>> allow_plugins("simulator.components")
    """
    for module in modules:
        file = Path(module)
        if file.suffix != ".py":
            if _exists(str(module)):
                _ALLOWED.add(str(module))
                continue
            # The command, unlike `python -m`, does not look for modules where it is called.
            file = Path(f"{module}.py")
            if not file.is_file():
                raise ValueError(
                    f"there is no module {str(module)!r}, neither installed nor as {file} in {Path.cwd()}; check the "
                    "name, or give the path of its file"
                )
        _ALLOWED.add(_module_of(file))


def _exists(module: str) -> bool:
    """Whether Python can find a module; this imports the packages around it, but not the module itself."""
    # What is loaded may have no specification, as __main__ has not.
    if module in sys.modules:
        return True
    try:
        return find_spec(module) is not None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a package may raise anything
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            return False
        raise ValueError(_why_not(module, error)) from None


def _why_not(module: str, error: BaseException) -> str:
    return f"module {module!r} cannot be imported: {type(error).__name__}: {error}".removesuffix(": ")


def _module_of(file: Path) -> str:
    """Name under which the module in a file can be imported from now on, here and in workers of this machine."""
    file = file.resolve()
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file")
    # At the end of the path: the file cannot take the place of an installed module.
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
        importlib.invalidate_caches()
    found = find_spec(file.stem)
    if found is None or found.origin is None or Path(found.origin).resolve() != file:
        where = found.origin if found else None
        raise ValueError(f"{file}: there is another module {file.stem!r} ({where}); rename the file")
    return file.stem


@cache
def registered(group: str) -> dict[str, metadata.EntryPoint]:
    """Entry points of a group by name, those of all installed packages.

    Args:
        group: One of the groups of this module.

    >>> "live_chat" in registered(COMPONENTS)
    True
    """
    return {entry.name: entry for entry in metadata.entry_points(group=group)}


@cache
def _registering() -> frozenset[str]:
    """Top-level packages that register classes in one of our groups, this one's own included."""
    entries = (entry for group in _KINDS for entry in metadata.entry_points(group=group))
    return frozenset({"funnelsim", *(entry.module.partition(".")[0] for entry in entries)})


@cache
def distributions() -> dict[str, list[str]]:
    """Installed distributions by top-level module; reading their metadata takes a tenth of a second."""
    return dict(metadata.packages_distributions())


def class_named(use: str, group: str) -> type[Any]:
    """Class that a scenario file names.

    Args:
        use: A registered name, or ``package.module:Class``.
        group: Group of entry points with the registered names.

    Raises:
        ValueError: There is no such class, or its module is neither of a package that registers classes nor allowed.

    >>> class_named("live_chat", COMPONENTS).__name__
    'LiveChat'
    """
    found = imported(use) if ":" in use else _registered(use, group)
    actual = getattr(found, "registered_as", None)
    if not isinstance(found, type) or actual not in _KINDS:
        raise ValueError(f"{use!r} is no {_KINDS[group]}: no class that is derived from the base class of those")
    if actual != group:
        raise ValueError(f"{use!r} is a {_KINDS[actual]}; name it under {_SECTIONS[actual]!r}")
    return found


def _registered(use: str, group: str) -> object:
    for other, kind in _KINDS.items():
        if other != group and use in registered(other) and use not in registered(group):
            raise ValueError(f"{use!r} is a {kind}; name it under {_SECTIONS[other]!r}")
    if use not in registered(group):
        raise ValueError(f"{unknown(_KINDS[group], use, registered(group))} (or package.module:Class)")
    return imported(registered(group)[use].value)


def imported(path: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Import what stands at ``package.module:Class``.

    Raises:
        ValueError: There is no such thing, or its module is neither of a package that registers classes nor allowed.
    """
    module, _, name = path.partition(":")
    if not _is_allowed(module):
        top = module.partition(".")[0]
        file = module if top != module or top in distributions() else f"{module}.py"
        raise ValueError(
            f"module {module!r} belongs to no package that registers classes for funnelsim, so it is not imported; if "
            f"you trust it, name it: --plugin {file}, plugins: [{file}] in a study, or allow_plugins({module!r})"
        )
    if "__main__" in module.split(".") and module != "__main__":
        raise ValueError(f"module {module!r} is a program, so it is not imported; put the class into another module")
    try:
        loaded = import_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything
        raise ValueError(_why_not(module, error)) from None
    try:
        # A class may stand within another.
        return reduce(getattr, name.split("."), loaded)
    except AttributeError:
        named = [key for key, value in vars(loaded).items() if hasattr(value, "registered_as")]
        raise ValueError(f"in module {module!r} {unknown('class', name, named)}") from None


def _is_allowed(module: str) -> bool:
    packages = {module[:place] for place, sign in enumerate(module) if sign == "."} | {module}
    return bool(packages & _ALLOWED) or module.partition(".")[0] in _registering()

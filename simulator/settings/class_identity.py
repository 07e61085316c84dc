"""Identity of the classes in a world: by it, runs are told apart and workers are checked for the same source."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from types import CodeType, FunctionType

from simulator.errors import ComponentError
from simulator.settings.plugins import allow_plugins, distributions, imported
from simulator.settings.world import WorldParts

_PLAIN = (str, int, float, tuple, type(None))
"""Types of class attributes whose ``repr`` says all, and is the same in every process."""


@dataclass(frozen=True)
class ClassIdentity:
    """Which class it is, and of which source.

    Attributes:
        path: ``module:Class``.
        package: The installed package that it belongs to; None for a file of one's own.
        version: Version of the package.
        source_sha256: Sha256 of the file of its module; None where there is no file, as in a notebook.
        code_sha256: Sha256 of its methods as they are loaded, which shows a method that was replaced while running.
    """

    path: str
    package: str | None
    version: str | None
    source_sha256: str | None
    code_sha256: str

    def to_dict(self) -> dict[str, str | None]:
        """Plain data, for a manifest."""
        return {"class": self.path, **{name: value for name, value in vars(self).items() if name != "path"}}

    def __str__(self) -> str:
        package = f"{self.package} {self.version}, " if self.package else ""
        return f"{self.path} ({package}source {_short(self.source_sha256)}, code {_short(self.code_sha256)})"


def identity_of(cls: type) -> ClassIdentity:
    """Identity of a class.

    Args:
        cls: Class of a component, a probe, a decision model or a visitor.

    >>> from simulator.components.live_chat import LiveChat
    >>> identity_of(LiveChat).path
    'simulator.components.live_chat:LiveChat'
    """
    package, version = _package(cls.__module__.partition(".")[0])
    # Never kept: somebody may replace a method at any time.
    code = _sha256(line.encode() for each in cls.__mro__ if each.__module__ != "builtins" for line in _loaded(each))
    return ClassIdentity(f"{cls.__module__}:{cls.__qualname__}", package, version, _source_sha256(cls), code)


def identities_of(world: WorldParts) -> dict[str, ClassIdentity]:
    """Identities of the classes that a world names, by places such as ``components.chat``.

    Args:
        world: Settings of the world.
    """
    return {".".join(place): identity_of(part.cls) for place, part in world.classes.items()}


def require_same(classes: Mapping[str, ClassIdentity]) -> None:
    """Check that this process has the same classes; workers call it before they work.

    Args:
        classes: Identities in the process that has given the task, by their places in the scenario.

    Raises:
        ComponentError: A class cannot be imported here, or its source differs.
    """
    for place, theirs in classes.items():
        module, _, name = theirs.path.partition(":")
        # The process that gave the task has allowed it.
        allow_plugins(module)
        try:
            ours = identity_of(imported(theirs.path))
        except ValueError as error:
            advice = "; workers import classes by name: put it into a module" if module == "__main__" else ""
            raise ComponentError(f"{place}: this worker has no {name} of {module}: {error}{advice}") from None
        if ours != theirs:
            raise ComponentError(
                f"{place}: this worker has another {name}: {ours}, where the task has {theirs}; "
                "give all workers the same files, and replace no methods while running"
            )


def require_importable(classes: Mapping[str, ClassIdentity]) -> None:
    """Check that workers in processes of their own can import the classes.

    Args:
        classes: Identities of the classes, by their places in the scenario.

    Raises:
        ComponentError: A class is defined in a notebook, in the script itself or within a function.
    """
    for place, each in classes.items():
        if each.path.startswith("__main__:") or "<locals>" in each.path:
            raise ComponentError(
                f"{place}: {each.path.partition(':')[2]} is defined in a notebook, a script or a function; workers "
                "import classes by name: put it into a module, or use one process (jobs=1)"
            )


def _short(sha256: str | None) -> str:
    return sha256[:12] if sha256 else "unknown"


def _sha256(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


@cache
def _package(top_level: str) -> tuple[str | None, str | None]:
    found = distributions().get(top_level)
    return (found[0], metadata.version(found[0])) if found else (None, None)


# By class, not by module: a module that is loaded again has new classes. Read once, near to when it was loaded.
@lru_cache(maxsize=256)
def _source_sha256(cls: type) -> str | None:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    try:
        return _sha256([Path(file).read_bytes() if file else inspect.getsource(cls).encode()])
    except (OSError, TypeError):
        return None


def _loaded(cls: type) -> Iterator[str]:
    """Methods and plain attributes of a class as they are loaded, without those of its bases."""
    yield cls.__qualname__
    for name, value in sorted(vars(cls).items()):
        function = _function(value)
        if function is not None:
            yield name
            yield from _code(function.__code__)
        elif isinstance(value, type) and value.__qualname__ == f"{cls.__qualname__}.{name}":
            yield from _loaded(value)
        elif isinstance(value, _PLAIN) and not name.startswith("__"):
            yield f"{name}={value!r}"


def _function(value: object) -> FunctionType | None:
    """The function in a method, a property, a cached property or a class method."""
    for wrapped in ("fget", "func", "__func__"):
        value = getattr(value, wrapped, value)
    return value if isinstance(value, FunctionType) else None


def _code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            # The order of a set differs between processes.
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)

"""Identity of the classes in a world: by it, runs are told apart and workers are checked for the same source."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from simulator.errors import ComponentError
from simulator.settings.class_content import ClassContent
from simulator.settings.plugins import allow_plugins, distributions, imported
from simulator.settings.world import WorldParts


@dataclass(frozen=True)
class ClassIdentity:
    """Which class it is, and of which source.

    Attributes:
        path: ``module:Class``.
        package: The installed package that it belongs to; None for a file of one's own.
        version: Version of the package.
        source_sha256: Sha256 of the file of its module; None where there is no file, as in a notebook.
        code_sha256: Sha256 of its content as it is loaded (:class:`simulator.settings.class_content.ClassContent`):
            with its bases and the functions and data of modules that its methods name, and the files of all these. It
            shows what was replaced while running.
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
    code = _sha256(f"{line}\n".encode() for line in ClassContent(cls, _source_sha256).lines())
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
        try:
            # The process that gave the task has allowed it.
            allow_plugins(module)
            ours = identity_of(imported(theirs.path))
        except ValueError as error:
            advice = "; workers import classes by name: put it into a module" if module == "__main__" else ""
            raise ComponentError(f"{place}: this worker has no {name} of {module}: {error}{advice}") from None
        if ours != theirs:
            raise ComponentError(
                f"{place}: this worker has another {name}: {ours}, where the task has {theirs}; "
                "give all workers the same files, and change no methods and no data of classes or modules while running"
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


# By class or function, not by module: one that is loaded again has new ones. Read once, near to when it was loaded.
@lru_cache(maxsize=1024)
def _source_sha256(loaded: Any) -> str | None:  # noqa: ANN401 - a class or function
    file = getattr(sys.modules.get(loaded.__module__), "__file__", None)
    try:
        return _sha256([Path(file).read_bytes() if file else inspect.getsource(loaded).encode()])
    except (OSError, TypeError):
        return None

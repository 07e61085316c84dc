"""Components, probes, the decision model and the routing policy of a world, as scenario files name them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module, metadata
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from simulator.settings.base import unknown

COMPONENTS = "funnelsim.components"
"""Group of entry points under which packages, this one included, register their components by short names."""

DECISIONS = "funnelsim.decisions"
"""Group of entry points of decision models."""

ROUTING = "funnelsim.routing"
"""Group of entry points of routing policies of the sales desk."""

PROBES = "funnelsim.probes"
"""Group of entry points of probes."""

_PLUGINS: set[str] = set()


def allow_plugins(modules: Iterable[str]) -> None:
    """Allow classes of these modules to be named in scenario files, although no installed package has them.

    Args:
        modules: Names of modules that can be imported, such as ``my_components``.
    """
    _PLUGINS.update(modules)


@cache
def registered(group: str) -> dict[str, metadata.EntryPoint]:
    """Entry points of a group by name, those of all installed packages."""
    return {entry.name: entry for entry in metadata.entry_points(group=group)}


@cache
def _installed() -> frozenset[str]:
    """Top-level modules of the installed packages."""
    return frozenset(metadata.packages_distributions())


def class_named(use: str, group: str) -> type[Any]:
    """Class that a scenario file names.

    Args:
        use: A registered name, or ``package.module:Class``.
        group: Group of entry points with the registered names.

    Raises:
        ValueError: There is no such class, or its module is neither part of an installed package nor allowed.

    >>> class_named("live_chat", COMPONENTS).__name__
    'LiveChat'
    """
    module, is_path, name = use.partition(":")
    if not is_path:
        entries = registered(group)
        if use not in entries:
            kind = group.rpartition(".")[2].removesuffix("s")
            raise ValueError(f"{unknown(kind, use, entries)}; a class of your own is named as package.module:Class")
        found: type[Any] = entries[use].load()
        return found
    # A file from a stranger must not run code otherwise.
    if module not in _PLUGINS and module.partition(".")[0] not in _installed():
        raise ValueError(
            f"module {module!r} belongs to no installed package; if you trust it, name it: --plugin {module}"
        )
    try:
        return getattr(import_module(module), name)  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{use!r} cannot be imported: {error}") from None


class PartSettings(BaseModel):
    """A component or probe, as a scenario file has it: the class by ``use``, and beside it the settings of the class.

    Attributes:
        use: A registered name, or ``package.module:Class``.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    use: Annotated[str, StringConstraints(min_length=1)]

    @classmethod
    def group(cls) -> str:
        """Group of entry points with the registered names."""
        raise NotImplementedError

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, given: object) -> object:
        """Let the class check its own settings; a fault keeps its place in the file."""
        if not isinstance(given, dict) or not isinstance(given.get("use"), str):
            return given
        settings = {name: value for name, value in given.items() if name != "use"}
        checked = class_named(given["use"], cls.group()).Settings.model_validate(settings)
        return {"use": given["use"], **checked.model_dump()}

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the class."""
        return dict(self.model_extra or {})

    @classmethod
    def of(cls, part: Any) -> Self:  # noqa: ANN401 - a component or a probe, which are further up
        """Settings that name the class of an object, with the object's own settings."""
        return cls(use=f"{type(part).__module__}:{type(part).__qualname__}", **part.settings.model_dump())

    def build(self, name: str) -> Any:  # noqa: ANN401 - a component or a probe, which are further up
        """Object of the class, with these settings.

        Args:
            name: Its name in the model.
        """
        return class_named(self.use, self.group())(name, **self.settings)


class ComponentSettings(PartSettings):
    """A component of a world."""

    @classmethod
    def group(cls) -> str:
        """Group of entry points of components."""
        return COMPONENTS


class DecisionSettings(PartSettings):
    """The decision model of a world."""

    @classmethod
    def group(cls) -> str:
        """Group of entry points of decision models."""
        return DECISIONS


class RoutingSettings(PartSettings):
    """The routing policy of the sales desk."""

    @classmethod
    def group(cls) -> str:
        """Group of entry points of routing policies."""
        return ROUTING


class ProbeSettings(PartSettings):
    """A probe of a world."""

    @classmethod
    def group(cls) -> str:
        """Group of entry points of probes."""
        return PROBES

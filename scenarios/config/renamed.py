"""Old names of settings, which are accepted for one version with a warning that gives the new name.

A model of settings lists its old names in the class variable ``renamed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from analytics.renaming import warn_of_old_name
from scenarios.config.model_paths import Types, types_at, types_inside
from scenarios.config.yaml_source import Path, YamlSource, dotted
from scenarios.errors import Fault, ScenarioError


def current_path(model: type[BaseModel], path: Path, where: str) -> Path:
    """Return the path of a setting by the names that settings have now, and warn of each old one.

    Args:
        model: Model of the settings that the path leads through.
        path: Keys, old or new.
        where: Who states it, for the warning.
    """
    types: Types = (model,)
    current: Path = ()
    for part in path:
        name = _renamed(types).get(str(part), part)
        if name != part:
            warn_of_old_name(f"{where}: {dotted((*current, part))}", repr(name))
        current = (*current, name)
        types = types_inside(types, name)
    return current


def current_value(model: type[BaseModel], path: Path, value: Any, where: str) -> Any:  # noqa: ANN401 - any plain data
    """Return a value that is set at a path, with the current names of the settings in it; warn of each old one."""
    return _Renaming(_Statement(where, value, {})).value(value, types_at(model, path), ())


def with_current_names(model: type[BaseModel], source: YamlSource) -> YamlSource:
    """Return the content of a file under the current names of settings, and warn of each old one.

    Args:
        model: Model of the settings in the file.
        source: The file.

    Raises:
        ScenarioError: A setting is given by its old and by its new name.
    """
    renaming = _Renaming(source)
    data = renaming.value(source.data, (model,), ())
    return renaming.source(data)


def with_current_paths(model: type[BaseModel], source: YamlSource, section: str) -> YamlSource:
    """Return the content of a file with current names in a section whose keys are dotted paths of settings.

    Args:
        model: Model of the settings that the paths lead through.
        source: The file.
        section: Top-level key of the section, such as ``factors``.
    """
    stated = source.data.get(section)
    if not isinstance(stated, Mapping):
        return source
    renaming, entries = _Renaming(source), dict[str, Any]()
    for key, value in stated.items():
        where = source.where((section, key))
        path = current_path(model, tuple(str(key).split(".")), where)
        name = ".".join(map(str, path))
        if name in entries or (name != key and name in stated):
            raise ScenarioError([Fault(where, f"{section}.{key}", f"is the old name of {name!r}: give one of the two")])
        renaming.moves[section, key] = name
        entries[name] = current_value(model, path, value, where)
    return renaming.source({**source.data, section: entries})


class _Statement(YamlSource):
    """A single value and who states it, such as ``--set intent={…}``: all of it stands in that one place."""

    def where(self, path: Path) -> str:  # noqa: ARG002 - the same for all
        """Return who states the value."""
        return self.name


class _Renaming:
    """Old names in one file, and where the values that they name stand.

    Args:
        source: The file.
    """

    def __init__(self, source: YamlSource) -> None:
        self._source = source
        self.moves: dict[Path, str] = {}

    def value(self, value: Any, types: Types, path: Path) -> Any:  # noqa: ANN401 - any plain data
        """Return a value with current names; the path to it is by the names of the file."""
        if isinstance(value, list):
            return [self.value(item, types_inside(types, n), (*path, n)) for n, item in enumerate(value)]
        if not isinstance(value, Mapping):
            return value
        renamed, result = _renamed(types), dict[Any, Any]()
        for key, inner in value.items():
            name = str(renamed.get(key, key))
            if name != key:
                self._note((*path, key), name, taken=name in value)
            result[name] = self.value(inner, types_inside(types, name), (*path, key))
        return result

    def source(self, data: Any) -> YamlSource:  # noqa: ANN401 - any plain data
        """Return the file with other data, whose values stand where they stood under their old names."""
        places = {self._moved(path): place for path, place in self._source.places.items()}
        return YamlSource(self._source.name, data, places)

    def _note(self, path: Path, name: str, *, taken: bool) -> None:
        where = self._source.where(path)
        if taken:
            raise ScenarioError([Fault(where, dotted(path), f"is the old name of {name!r}: give one of the two")])
        warn_of_old_name(f"{where}: {dotted(path)}", repr(name))
        self.moves[path] = name

    def _moved(self, path: Path) -> Path:
        return tuple(self.moves.get(path[: n + 1], part) for n, part in enumerate(path))


def _renamed(types: Types) -> dict[str, str]:
    """Old names and new ones of the settings of all models among these types."""
    return {old: new for each in types for old, new in getattr(each, "renamed", {}).items()}

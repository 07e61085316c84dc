"""Settings that come from several places, laid over one another, each value remembering who stated it.

A scenario file may extend another, and the command line may set single values: later layers win. Mappings are merged
key by key, everything else (lists too) is replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from scenarios.errors import Fault, ScenarioError
from scenarios.yaml_source import Path, YamlSource, dotted

__all__ = ["Layers"]


class Layers:
    """Nested settings under construction.

    Args:
        name: Name of the file whose settings these are; the place of what nobody stated.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.data: dict[str, Any] = {}
        self._where: dict[Path, str] = {}

    def where(self, path: Path) -> str:
        """Return the place that states a value, or the nearest value around it."""
        while path and path not in self._where:
            path = path[:-1]
        return self._where.get(path, f"{self.name}:1:1")

    def lay_file(self, source: YamlSource) -> None:
        """Lay a file over what there is.

        Args:
            source: The file; its data must be a mapping.
        """
        for key, value in source.data.items():
            # A section whose lines are all commented out says nothing; it does not say "null".
            if value is not None:
                self._merge(self.data, (key,), value, source)

    def fill(self, defaults: Mapping[str, Any]) -> None:
        """Add what nobody has stated, without a place of its own: later layers then change it key by key.

        Args:
            defaults: The whole settings as they stand.
        """
        _fill(self.data, defaults)

    def drop(self, *keys: str) -> None:
        """Forget what top-level keys say."""
        for key in keys:
            self.data.pop(key, None)
            self._forget((key,))

    def lay_value(self, path: Path, value: object, where: str) -> None:
        """Lay a single value over what there is, as ``--set`` does.

        Args:
            path: Keys that lead to the value; within an existing list, positions written as digits.
            value: Plain data.
            where: Who sets it, for messages.

        Raises:
            ScenarioError: The path leads through a value that holds no others, or past the end of a list.
        """
        container: Any = self.data
        taken: Path = ()
        for part in path[:-1]:
            key = _key_in(container, part, taken, where)
            taken = (*taken, key)
            inner = _value_at(container, key)
            if inner is None:
                inner = container[key] = {}
                self._where[taken] = where
            elif not isinstance(inner, dict | list):
                raise ScenarioError([Fault(where, dotted(taken), f"is the single value {inner!r}")])
            container = inner
        self._merge_at(container, (*taken, _key_in(container, path[-1], taken, where)), value, where)

    def _merge_at(self, container: Any, path: Path, value: object, where: str) -> None:  # noqa: ANN401
        old = _value_at(container, path[-1])
        if isinstance(old, dict) and isinstance(value, Mapping):
            for key, inner in value.items():
                self._merge_at(old, (*path, str(key)), inner, where)
            return
        self._forget(path)
        self._where[path] = where
        container[path[-1]] = deepcopy(value)

    def _merge(self, container: dict[str, Any], path: Path, value: object, source: YamlSource) -> None:
        key = str(path[-1])
        if isinstance(value, dict) and isinstance(container.get(key), dict):
            for inner_key, inner in value.items():
                self._merge(container[key], (*path, inner_key), inner, source)
            if source.name == self.name:
                # What is missing in a section should be told where the reader's own file opens that section.
                self._where[path] = source.where(path)
            return
        self._forget(path)
        self._note(path, value, source)
        container[key] = deepcopy(value)

    def _note(self, path: Path, value: object, source: YamlSource) -> None:
        self._where[path] = source.where(path)
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in inner:
            self._note((*path, key), item, source)

    def _forget(self, path: Path) -> None:
        """Drop the places of a value that is being replaced, and of all it held."""
        depth = len(path)
        for known in [known for known in self._where if known[:depth] == path]:
            del self._where[known]


def _key_in(container: object, part: str | int, taken: Path, where: str) -> str | int:
    """Turn one part of a path into a key of this container: a position when it is a list."""
    if not isinstance(container, list):
        return str(part)
    if str(part).isdecimal() and int(part) < len(container):
        return int(part)
    allowed = f"positions 0 to {len(container) - 1}" if container else "nothing; set the list as a whole"
    raise ScenarioError([Fault(where, dotted(taken), f"has no {part!r}: it is a list with {allowed}")])


def _value_at(container: Any, key: str | int) -> Any:  # noqa: ANN401 - any plain data
    """Return the value of a key, or None; the positions of a list have been checked before."""
    return container.get(key) if isinstance(container, dict) else container[key]


def _fill(data: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    for key, default in defaults.items():
        if key not in data:
            data[key] = deepcopy(default)
        elif isinstance(data[key], dict) and isinstance(default, Mapping):
            _fill(data[key], default)

"""Settings from several places, laid over one another; each value keeps the place that stated it.

A scenario file may extend another, and the command line may set single values: later layers win. Mappings are merged
key by key, everything else (lists too) is replaced as a whole. Null removes an entry of a dictionary, such
as a channel, and an empty dictionary removes them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel

from scenarios.config.model_paths import Types, is_dictionary, types_at, types_inside
from scenarios.config.renamed import current_path, current_value, with_current_names
from scenarios.config.yaml_source import Path, YamlSource, dotted
from scenarios.errors import Fault, ScenarioError

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class _Layer:
    """A file or an override that states settings.

    Args:
        where: Returns the place that states the value at a path.
        is_own: Whether it is the file whose settings these are, and not one that it extends.
    """

    where: Callable[[Path], str]
    is_own: bool = False


class Layers:
    """Nested settings under construction.

    Args:
        name: Name of the file whose settings these are; the place of values that no layer states.
        model: Model of the settings, which defines dictionaries and alternatives.
    """

    def __init__(self, name: str, model: type[BaseModel]) -> None:
        self.name = name
        self.data: dict[str, Any] = {}
        self._model = model
        self._inherited: dict[Path, list[str]] = {}
        self._where: dict[Path, str] = {}

    def where(self, path: Path) -> str:
        """Return the place that states a value, or the nearest value around it.

        Args:
            path: The path of the value.

        Returns:
            ``file:line:column``, or the override that sets it.
        """
        while path and path not in self._where:
            path = path[:-1]
        # A value that no layer states is missing from the file as a whole, so its fault is at the top.
        return self._where.get(path, f"{self.name}:1:1")

    def lay_file(self, source: YamlSource) -> None:
        """Lay a file over the settings so far.

        Args:
            source: The file; its data must be a mapping.
        """
        source = with_current_names(self._model, source)
        # A section whose lines are all commented out reads as null, but states nothing.
        known = self._model.model_fields
        stated = {key: value for key, value in source.data.items() if value is not None or key not in known}
        layer = _Layer(source.where, is_own=source.name == self.name)
        self._merge(self.data, (), stated, layer)

    def inherited(self, path: Path) -> list[str]:
        """Entries of a dictionary that the last layer to change it did not name, and so left as they were.

        Args:
            path: The path of the dictionary.

        Returns:
            Their keys, in order; empty where the path is no dictionary.
        """
        return self._inherited.get(path, [])

    def fill(self, defaults: Mapping[str, Any]) -> None:
        """Add defaults that no layer states, without a place of their own: later layers change them key by key.

        Args:
            defaults: The whole settings as they stand.
        """
        _fill(self.data, defaults)

    def drop(self, *keys: str) -> None:
        """Remove top-level keys.

        Args:
            keys: The keys; those that are not there do not matter.
        """
        for key in keys:
            self.data.pop(key, None)
            self._forget((key,))

    def lay_value(self, path: Path, value: object, where: str) -> Path:
        """Lay a single value over the settings so far, as ``--set`` does.

        Args:
            path: Keys that lead to the value; within an existing list, positions written as digits.
            value: Plain data.
            where: Who sets it, for messages.

        Returns:
            The path by the current names of settings.

        Raises:
            ScenarioError: The path leads through a value that holds no others, or past the end of a list.
        """
        path = current_path(self._model, path, where)
        value = current_value(self._model, path, value, where)
        container: Any = self.data
        taken: Path = ()
        for part in path[:-1]:
            key = _key_in(container, part, taken, where)
            taken = (*taken, key)
            inner = _value_at(container, key)
            if inner is None:
                inner = container[key] = {}
                self._where[taken] = where
            # Replacing a number by a mapping would hide a mistyped path such as seed.more=1.
            elif not isinstance(inner, dict | list):
                raise ScenarioError([Fault(where, dotted(taken), f"is the single value {inner!r}")])
            container = inner
        self._merge(container, taken, {_key_in(container, path[-1], taken, where): value}, _Layer(lambda _: where))
        return path

    def _merge(self, container: Any, path: Path, stated: Mapping[Any, Any], layer: _Layer) -> None:  # noqa: ANN401
        """Lay entries over those of a mapping, or items over those of a list.

        Args:
            container: The mapping or list; it is changed.
            path: The path of the container.
            stated: New values by key or position; None removes an entry of a dictionary.
            layer: The layer that states them.
        """
        self._drop_of_other_class(container, path, stated, types_at(self._model, path))
        # The class of a component may stand in this layer or in an earlier one.
        types = types_at(self._model, path, _overlaid(self.data, path, stated))
        may_remove = is_dictionary(types)
        self._drop_alternatives(container, path, stated, types)
        if may_remove:
            self._inherited[path] = [key for key in container if key not in stated]
        named = {**container, **stated} if isinstance(container, dict) else None
        for key, value in stated.items():
            if may_remove and value is None and key in container:
                self._forget((*path, key))
                del container[key]
            else:
                inner = types_inside(types, key, named)
                self._lay(container, (*path, key), value, layer, inner)

    def _lay(self, container: Any, path: Path, value: object, layer: _Layer, types: Types) -> None:  # noqa: ANN401
        key = path[-1]
        # An empty dictionary, as of personas or channels, means that there are none.
        says_none = isinstance(value, Mapping) and not value and is_dictionary(types)
        merges = isinstance(_value_at(container, key), dict) and isinstance(value, Mapping) and not says_none
        if not merges:
            # A search through all places, which a value that is new has none of.
            if isinstance(container, list) or key in container:
                self._forget(path)
            container[key] = {} if isinstance(value, Mapping) else _as_time(deepcopy(value), types)
        # A fault about a missing key should point to the line where the user's own file opens the section.
        if layer.is_own or not merges:
            self._where[path] = layer.where(path)
        if isinstance(value, Mapping):
            self._merge(container[key], path, value, layer)
        elif isinstance(value, list):
            self._note_items(path, value, layer)

    def _drop_alternatives(self, container: Any, path: Path, stated: Mapping[Any, Any], types: Types) -> None:  # noqa: ANN401
        """Remove the alternatives of a setting that a layer states, where settings exclude each other.

        Args:
            container: The section; it is changed.
            path: The path of the section.
            stated: What the layer states in the section.
            types: Types of the section, whose models list their alternatives.
        """
        for group in (group for each in types for group in getattr(each, "alternatives", ())):
            if any(stated.get(name) is not None for name in group):
                # Two of a group stated together stay, so that validation can report both.
                for name in set(group) - set(stated):
                    container.pop(name, None)
                    self._forget((*path, name))

    def _drop_of_other_class(self, container: Any, path: Path, stated: Mapping[Any, Any], types: Types) -> None:  # noqa: ANN401
        """Remove the settings of a component where a layer names another class: they were those of the first.

        Args:
            container: The component; it is changed.
            path: The path of the component.
            stated: What the layer states of the component.
            types: Types of the component.
        """
        keys = {key for each in types if (key := getattr(each, "selected_by", None)) is not None}
        if any(key in stated and stated[key] != container.get(key) for key in keys):
            for name in [name for name in container if name not in stated]:
                del container[name]
                self._forget((*path, name))

    def _note_items(self, path: Path, value: object, layer: _Layer) -> None:
        """Record the places of everything in a list."""
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in inner:
            self._where[*path, key] = layer.where((*path, key))
            self._note_items((*path, key), item, layer)

    def _forget(self, path: Path) -> None:
        """Drop the places of a value that is being replaced, and of all it held."""
        depth = len(path)
        # A list, because the dictionary changes while it is read.
        for known in [known for known in self._where if known[:depth] == path]:
            del self._where[known]


def _overlaid(data: Any, path: Path, stated: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - any plain data
    """The data with what is stated at a path; only the mappings on the way are copies."""
    if not path:
        return {**data, **stated} if isinstance(data, dict) else stated
    inner = _overlaid(_value_at(data, path[0]), path[1:], stated)
    return {**data, path[0]: inner} if isinstance(data, dict) else data


def _key_in(container: object, part: str | int, taken: Path, where: str) -> str | int:
    """Turn one part of a path into a key of this container: a position when it is a list.

    Args:
        container: A mapping or a list.
        part: The part as written.
        taken: The path of the container.
        where: The override, for messages.

    Raises:
        ScenarioError: The container is a list without such a position.
    """
    if not isinstance(container, list):
        return str(part)
    if str(part).isdecimal() and int(part) < len(container):
        return int(part)
    allowed = f"positions 0 to {len(container) - 1}" if container else "nothing; set the list as a whole"
    raise ScenarioError([Fault(where, dotted(taken), f"has no {part!r}: it is a list with {allowed}")])


def _value_at(container: Any, key: str | int) -> Any:  # noqa: ANN401 - any plain data
    """Return the value of a key, or None; the positions of a list have been checked before."""
    return container.get(key) if isinstance(container, dict) else container[key]


def _as_time(value: object, types: Types) -> object:
    """Read a date in place of a time as its midnight, in UTC."""
    is_date = datetime in types and isinstance(value, str) and _DATE.fullmatch(value)
    return f"{value}T00:00:00Z" if is_date else value


def _fill(data: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    for key, default in defaults.items():
        if key not in data:
            data[key] = deepcopy(default)
        elif isinstance(data[key], dict) and isinstance(default, Mapping):
            _fill(data[key], default)

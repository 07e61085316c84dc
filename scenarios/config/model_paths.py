"""Types at a path in nested settings, found in the models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from scenarios.config.yaml_source import Path

Types = tuple[Any, ...]
"""Possible types of a value: the branches of a union; models, plain types, aliases such as ``dict[str, float]``."""


def types_at(model: type[BaseModel], path: Path, data: object = None) -> Types:
    """Types that a value at this path may have; none when there is no such path.

    Args:
        model: Model of the whole settings.
        path: Keys, and positions in lists.
        data: The settings, as far as they are known: which settings a component has depends on its class.

    >>> from scenarios.config.settings import ScenarioSettings
    >>> types_at(ScenarioSettings, ("clock", "hours")) != ()
    True
    >>> types_at(ScenarioSettings, ("clock", "hors"))
    ()
    """
    types: Types = (model,)
    for part in path:
        types = types_inside(types, part, data)
        data = _entry(data, part)
    return types


def types_inside(types: Types, part: str | int, value: object = None) -> Types:
    """Types that an entry, such as a field or an item, of a value of one of these types may have.

    Args:
        types: Possible types of the value.
        part: Key or position of the entry.
        value: The value, as far as it is known.
    """
    return tuple(inner for outer in types for inner in _inside(outer, part, value))


def fields_of(types: Types, value: object = None) -> set[str]:
    """Names of the settings of all models among these types.

    Args:
        types: Possible types of a value; those that are no models have no settings.
        value: The value, as far as it is known.
    """
    models = [model for each in types if _is_model(each) for model in (each, _selected(each, value)) if model]
    return {name for model in models for name in model.model_fields}


def value_at(data: object, path: Path) -> object:
    """The value at a path; None where there is none.

    Args:
        data: Mappings and lists.
        path: Keys, and positions in lists.

    >>> value_at({"pages": [{"name": "home"}]}, ("pages", 0, "name"))
    'home'
    """
    for part in path:
        data = _entry(data, part)
    return data


def is_dictionary(types: Types) -> bool:
    """Whether a value is a dictionary whose keys the user chooses, such as the channels."""
    origins: list[object] = [get_origin(each) for each in types]
    return dict in origins or Mapping in origins


def _entry(value: object, part: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None


def _selected(outer: Any, value: object) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """The model of the other settings beside one that selects it, such as the class of a component by ``use``."""
    key = getattr(outer, "selected_by", None)
    if key is None or not isinstance(value, Mapping) or not isinstance(value.get(key), str):
        return None
    try:
        model: type[BaseModel] = outer.model_of(value)
    except ValueError:
        return None  # reported when the settings are checked
    return model


def _inside(outer: Any, part: str | int, value: object) -> Iterable[Any]:  # noqa: ANN401 - any annotation
    if _is_model(outer):
        field = outer.model_fields.get(part)
        if field is None and (model := _selected(outer, value)):
            field = model.model_fields.get(str(part))
        return () if field is None else _branches(field.annotation)
    arguments = get_args(outer)
    # The entries of a dictionary are of its second type, the items of a list or tuple of its first.
    return _branches(arguments[-1] if is_dictionary((outer,)) else arguments[0]) if arguments else ()


def _branches(annotation: Any) -> Types:  # noqa: ANN401 - any annotation
    """Split a union, or a type with annotations, into its types."""
    origin = get_origin(annotation)
    if origin is None or origin in {dict, Mapping, list, tuple, set, frozenset}:
        return (annotation,)
    return tuple(branch for argument in get_args(annotation) for branch in _branches(argument))


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

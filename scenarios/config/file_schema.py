"""The JSON Schema of a file, made from that of a model: a file may leave out what the model needs.

A file is laid over the one that it extends: a part of it may leave out what stands there, and ``null`` removes an
entry of a mapping, or has null where it stands for a section.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_NULL: Final = {"type": "null"}


def file_schema(model_schema: dict[str, Any], title: str) -> dict[str, Any]:
    """Make the schema of a file.

    Args:
        model_schema: Schema of the whole model; it is written on.
        title: What such a file is.

    Returns:
        A JSON Schema, draft 2020-12. A file that extends another may leave out every key but ``name``.
    """
    schema = model_schema
    merged = set(_merged(schema, schema["$defs"]))
    for name in sorted(merged):
        if "kind" not in schema["$defs"][name].get("required", ()):  # the kind selects one of several models
            schema["$defs"][name].pop("required", None)
    for part in (schema, *(schema["$defs"][name] for name in sorted(merged))):
        for key, value in part.get("properties", {}).items():
            part["properties"][key] = _with_removals(value)
    # A section may be empty in YAML, which is null; only the name must be given.
    for key in schema["properties"].keys() - {"name"}:
        schema["properties"][key] = _or_null(schema["properties"][key])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


def _merged(part: dict[str, Any], defs: dict[str, Any]) -> Iterator[str]:
    """Names of the models that are merged key by key: all that are reached through mappings, not through lists.

    Args:
        part: A schema.
        defs: Schemas of the models, by name.
    """
    # Settings of components depend on their class, each under a condition.
    parts = [part, *(condition["then"] for condition in part.get("allOf", ()))]
    for value in (value for each in parts for value in each.get("properties", {}).values()):
        for name in _referred(value):
            yield name
            yield from _merged(defs[name], defs)


def _referred(value: dict[str, Any]) -> Iterator[str]:
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2]
    for inner in _inner(value):
        yield from _referred(inner)


def _inner(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in ("anyOf", "oneOf"):
        yield from value.get(key, ())
    if isinstance(entries := value.get("additionalProperties"), dict):
        yield entries
    yield from value.get("patternProperties", {}).values()


def _with_removals(value: dict[str, Any]) -> dict[str, Any]:
    """Let null stand for each entry of a mapping."""
    changed = dict(value)
    for key in ("anyOf", "oneOf"):
        if key in changed:
            changed[key] = [_with_removals(each) for each in changed[key]]
    if isinstance(entries := changed.get("additionalProperties"), dict):
        changed["additionalProperties"] = _or_null(entries)
    if patterns := changed.get("patternProperties"):
        changed["patternProperties"] = {pattern: _or_null(each) for pattern, each in patterns.items()}
    return changed


def _or_null(value: dict[str, Any]) -> dict[str, Any]:
    # Editors show the description beside `anyOf` while the user types.
    shown: dict[str, Any] = {key: value[key] for key in ("title", "description", "default") if key in value}
    return {**shown, "anyOf": [value, _NULL]}

"""Validation of nested settings: pydantic's errors as faults at the user's own lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scenarios.config.layers import Layers
from scenarios.config.model_paths import fields_of, is_dictionary, types_at, value_at
from scenarios.config.yaml_source import Path, dotted
from scenarios.errors import MOST_FAULTS, Fault, ScenarioError, advice, did_you_mean

Model = TypeVar("Model", bound=BaseModel)

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_PLAIN_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "too_short": "must have at least {min_length} items, not {actual_length}",
    "too_long": "must have at most {max_length} items, not {actual_length}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "dict_type": "must be a mapping (key: value)",
    "model_type": "must be a mapping (key: value)",
    "model_attributes_type": "must be a mapping (key: value)",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "none_required": "must be null",
    "union_tag_not_found": "kind: is missing",
    "union_tag_invalid": "kind: must be one of {expected_tags}",
    "datetime_parsing": "must be a date and time such as 2026-03-03T00:00:00Z",
    "datetime_from_date_parsing": "must be a date and time such as 2026-03-03T00:00:00Z",
    "datetime_type": "must be a date and time such as 2026-03-03T00:00:00Z",
    "timezone_aware": "must name its time zone, as in 2026-03-03T00:00:00Z",
    "date_type": "must be a date such as 2026-03-03",
    "date_parsing": "must be a date such as 2026-03-03",
    "time_parsing": "must be a time of day such as 09:00",
    "time_type": "must be a time of day such as 09:00",
}
"""Messages for pydantic's kinds of error; the braces name entries of the error's context."""


def check(model: type[Model], layers: Layers) -> Model:
    """Turn plain data into settings.

    Args:
        model: The settings' model.
        layers: The data and the places it comes from.

    Raises:
        ScenarioError: Something is wrong; all faults are reported, in the order of the settings.
    """
    try:
        # Strict JSON fits settings files: text is not a number and 1 is not true, but a time may be written as text
        # and a tuple as a list.
        return model.model_validate_json(json.dumps(layers.data), strict=True)
    except ValidationError as error:
        raise ScenarioError(list(_broken_texts(layers)) or _faults(model, layers, error)) from None


def _broken_texts(layers: Layers) -> Iterator[Fault]:
    """Find texts that are no Unicode, because of which the settings as a whole are no JSON.

    Args:
        layers: The data and the places it comes from.
    """
    for path, text in _texts(layers.data, ()):
        if half := _LONE_SURROGATE.search(text):
            reason = f"has half of a character ({ascii(half[0])[1:-1]}, a lone surrogate); write the character itself"
            yield Fault(layers.where(path), dotted(path).encode(errors="backslashreplace").decode(), reason)


def _texts(data: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield all texts within plain data with their paths, keys too."""
    if isinstance(data, str):
        yield path, data
    entries = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list | tuple) else ()
    for key, value in entries:
        if isinstance(key, str):
            yield (*path, key), key
        yield from _texts(value, (*path, key))


def _faults(model: type[BaseModel], layers: Layers, error: ValidationError) -> list[Fault]:
    # Each branch of a union reports an error about the same value; together they are one fault.
    messages: dict[Path, list[str]] = {}
    details = error.errors(include_url=False)
    for detail in details[:MOST_FAULTS]:
        path = _path_in(layers.data, detail["loc"])
        path, message = _narrowed(model, layers.data, path, _message(model, layers.data, path, detail))
        message += _what_stays(layers, path, message)
        seen = messages.setdefault(path, [])
        if message not in seen:
            seen.append(message)
    faults = [Fault(layers.where(path), dotted(path), " or ".join(seen)) for path, seen in messages.items()]
    n_more = len(details) - MOST_FAULTS
    return [*sorted(faults, key=_reading_order), *([Fault(layers.name, "", f"{n_more:,} more")] if n_more > 0 else [])]


def _what_stays(layers: Layers, path: Path, message: str) -> str:
    """List the entries that the user's file does not show, where all entries together are at fault.

    Args:
        layers: The data and the places it comes from.
        path: The path of the fault.
        message: The message of the fault.

    Returns:
        A clause to append to the message; empty where nothing is inherited.
    """
    # Only where shares must sum to 1 can an entry that was never touched be at fault.
    inherited = layers.inherited(path) if "sum to 1" in message else []
    return f"; inherited: {', '.join(inherited)}; null removes an entry" if inherited else ""


def _reading_order(fault: Fault) -> tuple[bool, str, int, int]:
    """Order faults by file, line and column; those of the command line come last."""
    name, *numbers = fault.where.rsplit(":", 2)
    if len(numbers) == 2 and all(number.isdecimal() for number in numbers):  # noqa: PLR2004 - line and column
        return False, name, int(numbers[0]), int(numbers[1])
    return True, "", 0, 0


def _narrowed(model: type[BaseModel], data: object, path: Path, message: str) -> tuple[Path, str]:
    """Follow a validator that names the key it complains of, as in ``channels: shares must sum to 1``.

    Args:
        model: The settings' model.
        data: The data of the settings.
        path: Path of the value that was validated.
        message: Message of the validator.

    Returns:
        The path of the named key, with the rest of the message.
    """
    named = re.match(r"'?([\w.:-]+)'?: (.+)", message, re.DOTALL)
    if named is None:
        return path, message
    inner, types = tuple(named[1].split(".")), types_at(model, path, data)
    value = value_at(data, path)
    stated = isinstance(value, dict) and inner[0] in value
    return ((*path, *inner), named[2]) if stated or inner[0] in fields_of(types, value) else (path, message)


def _path_in(data: object, loc: Path) -> Path:
    """Follow pydantic's location through the data, leaving out what names a branch of a union and not a key.

    Args:
        data: The data that was validated.
        loc: Pydantic's location.
    """
    path: Path = ()
    entered = True
    for position, part in enumerate(loc):
        # Pydantic names the kind of a mapping first; a key inside may have the same name.
        is_kind, entered = entered and isinstance(data, dict) and data.get("kind") == part, False
        if is_kind:
            continue
        if isinstance(data, dict) and part in data:
            data, entered = data[str(part)], True
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif position < len(loc) - 1 or not isinstance(data, dict | list) or "[" in str(part):
            continue
        path = (*path, part)
    return path


def _message(model: type[BaseModel], data: object, path: Path, detail: ErrorDetails) -> str:
    kind, given = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        types, section = types_at(model, path[:-1], data), value_at(data, path[:-1])
        return f"unknown key {path[-1]!r}{advice(str(path[-1]), sorted(fields_of(types, section)))}"
    if kind in {"value_error", "assertion_error"}:
        return re.sub(r"^(Value|Assertion) error, ", "", detail["msg"])
    text = _text(kind, detail)
    if kind in {"missing", "union_tag_not_found"}:
        # An override of a misspelt entry of a dictionary makes a new one, which then lacks all else.
        around = value_at(data, path[:-2])
        is_entry = isinstance(around, dict) and is_dictionary(types_at(model, path[:-2], data))
        others = [key for key in around if key != path[-2]] if isinstance(around, dict) and is_entry else []
        return f"{text}{did_you_mean(str(path[-2]), others)}" if others else text
    if kind == "union_tag_invalid":
        given = detail["ctx"]["tag"]
    return f"{text} (got {_shown(given)}){_guess(detail)}"


def _text(kind: str, detail: ErrorDetails) -> str:
    template = _PLAIN_WORDS.get(kind)
    if template is None:
        return re.sub(r"^Input should ", "must ", detail["msg"])
    context = detail.get("ctx", {})
    return template.format_map({key: _number(value) for key, value in context.items()})


def _number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(value: object) -> str:
    """Show a value as the user wrote it, and not at length."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 - a line of a terminal


def _guess(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    choices = re.findall(r"'([^']*)'", str(context.get("expected", context.get("expected_tags", ""))))
    return did_you_mean(str(context.get("tag", detail["input"])), choices)

"""JSON values one after the other: arrays, pretty-printed and concatenated objects, and bodies of batches.

A small scanner over Python's own decoder rather than a streaming parser: events are small objects, and one object at a
time is all that must be in memory.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Final

from analytics.errors import EventFileError
from analytics.io.adapters.adapter import Json

_CHUNK: Final = 1 << 18

MAX_VALUE: Final = 1 << 26
"""Longest single value that is read, in characters: the body of a batch; Segment's limit for one is 500 KB."""

# What stands between values: white space, commas and brackets of arrays, and the separator of JSON text sequences.
_BETWEEN: Final = re.compile(r"[\s,\[\]\x1e]*")

_BETWEEN_ON_LINE: Final = re.compile(r"[\s,\x1e]*")

_LISTS: Final = ("batch", "events", "results", "data")
_OF_BATCH: Final = ("sentAt", "sent_at", "receivedAt", "context")


def json_values(file: BinaryIO, name: str) -> Iterator[Json]:
    r"""Read JSON values that follow each other, in arrays or not.

    Args:
        file: Open file, in UTF-8.
        name: Its name, for errors.

    Yields:
        The values, those of arrays one by one.

    Raises:
        EventFileError: A value is not JSON or too long, an array is not closed, or the text is not UTF-8.

    >>> list(json_values(io.BytesIO(b'[{"a": 1}, {"a": 2}]  {\n"b": 3}'), "events.json"))
    [{'a': 1}, {'a': 2}, {'b': 3}]
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield from _values(text, name)
    except UnicodeDecodeError as error:
        raise EventFileError(f"{name}: is not UTF-8: {error.reason}") from error
    finally:
        # A reader that stops early may have closed the file before.
        with suppress(ValueError):
            text.detach()


def _values(text: io.TextIOWrapper, name: str) -> Iterator[Json]:
    held, at, open_arrays, n_values = "", 0, 0, 0
    while True:
        between = _BETWEEN.match(held, at)
        end = between.end() if between else at
        open_arrays += held.count("[", at, end) - held.count("]", at, end)
        at = end
        try:
            value, after = _DECODER.raw_decode(held, at)
            # A number that ends where the chunk ends may go on in the next one.
            is_whole = isinstance(value, dict) or after < len(held)
            reason = "it ends too early"
        except (ValueError, RecursionError) as error:
            is_whole, reason = False, getattr(error, "msg", str(error))
        if is_whole:
            n_values, at = n_values + 1, after
            yield value
            continue
        more = text.read(max(_CHUNK, len(held) - at))
        if (more or at < len(held)) and (not more or len(held) - at > MAX_VALUE):
            what = f"is longer than {MAX_VALUE >> 20} MB; write one event on each line" if more else _broken(reason)
            raise EventFileError(f"{name}: record {n_values + 1} {what}")
        if not more:
            break
        held, at = held[at:] + more, 0
    if open_arrays > 0:
        raise EventFileError(f"{name}: the array is not closed after record {n_values}; is the file cut off?")


_DECODER: Final = json.JSONDecoder()


def _broken(reason: str) -> str:
    return f"is not JSON: {reason}; is the file cut off? Mend it, or write one event on each line"


def events_of(value: Json) -> Iterator[Json]:
    """Yield the events in a value: those of a batch, or itself.

    The ``sentAt`` and the ``context`` of a batch are those of its events that lack them.

    >>> body = {"batch": [{"type": "page"}, {"type": "track", "sentAt": "b"}], "sentAt": "a"}
    >>> [event["sentAt"] for event in events_of(body)]
    ['a', 'b']
    """
    inner = None if is_event(value) else batch_of(value)
    if inner is None:
        yield value
        return
    shared = {key: value[key] for key in _OF_BATCH if value.get(key) is not None}
    for event in inner:
        yield _with_defaults(event, shared) if shared and isinstance(event, dict) else event


def events_on_line(line: bytes) -> list[bytes]:
    """The events on a line that is more than one object: several, an array, or the body of a batch; else none.

    >>> events_on_line(b'{"type": "page"}{"type": "track"}'), events_on_line(b'{"type": "page"}')
    ([b'{"type": "page"}', b'{"type": "track"}'], [])
    """
    try:
        text = line.decode("utf-8-sig").strip()
        found = list(_on_line(text))
    except (ValueError, RecursionError):
        return []
    is_one = [part for _, part in found] == [text.strip(", \t")]
    is_usable = any(is_event(event) for event, _ in found) and all(isinstance(event, dict) for event, _ in found)
    return [part.encode() for _, part in found] if is_usable and not is_one else []


def _on_line(text: str) -> Iterator[tuple[Json, str]]:
    """Each event of a line, and its text."""
    at = 0
    while at < len(text):
        value, after = _DECODER.raw_decode(text, at)
        if isinstance(value, list) or (batch_of(value) and not is_event(value)):
            inner = value if isinstance(value, list) else [value]
            yield from ((event, json.dumps(event)) for each in inner for event in events_of(each))
        else:
            yield value, text[at:after]
        at = _BETWEEN_ON_LINE.match(text, after).end()  # type: ignore[union-attr]


def batch_of(value: Json) -> list[Any] | None:
    """The list of events in the body of a batch; None if it is none."""
    lists = (value.get(key) for key in _LISTS) if isinstance(value, dict) else ()
    return next((each for each in lists if isinstance(each, list)), None)


def is_event(value: Json) -> bool:
    """Whether a value is an event of the Segment Spec, by its type."""
    return isinstance(value, dict) and value.get("type") in ("page", "track", "identify", "group", "screen", "alias")


def _with_defaults(event: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    filled = dict(event)
    for key, value in shared.items():
        own = filled.get(key)
        if own is None:
            filled[key] = value
        elif isinstance(own, dict) and isinstance(value, dict):
            filled[key] = _with_defaults(own, value)
    return filled

"""Strict JSON: what a line of events may contain."""

from __future__ import annotations

import json
from typing import Any, Final

from analytics.events.dead_letters import DeadLetterReason, RejectedError

MAX_EVENT_BYTES: Final = 32 * 1024
"""Longest event accepted, in bytes; Segment's own limit."""

MAX_DEPTH: Final = 100
"""Deepest nesting accepted; a limit of our own, so that the result does not depend on the caller's stack."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read_object(raw: bytes) -> dict[str, Any]:
    """Decode one JSON object strictly; lone surrogates become U+FFFD.

    Args:
        raw: The bytes of a line, with or without a byte order mark.

    Returns:
        The object; of two equal keys the last counts.

    Raises:
        RejectedError: It is too large, not UTF-8, not an object, or nested too deeply.
        ValueError: It is not JSON; ``NaN`` and ``Infinity`` are not.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise RejectedError(DeadLetterReason.TOO_LARGE, f"{len(raw)} bytes; at most {MAX_EVENT_BYTES} are accepted")
    try:
        text = raw.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        raise RejectedError(DeadLetterReason.NOT_UTF8, str(error)) from error
    event: Any = _DECODER.decode(text)
    if not isinstance(event, dict):
        raise RejectedError(DeadLetterReason.NOT_AN_OBJECT, f"expected a JSON object, got {shortened(text)}")
    # Brackets are an upper bound for the depth, and much cheaper than a walk.
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _refuse_deep(event)
    if "\\ud" in text or "\\uD" in text:
        # An escape may stand for half a surrogate pair, which no UTF-8 can hold.
        mended_event: dict[str, Any] = _DECODER.decode(mended(canonical(event)))
        return mended_event
    return event


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def canonical(value: object) -> str:
    """A value as compact JSON with sorted keys: one text for equal values.

    >>> canonical({"b": [1, None], "a": "é"})
    '{"a":"é","b":[1,null]}'
    """
    return _ENCODER.encode(value)


def joined(text: str) -> str:
    """A JSON object of plain values as ``key=value``, joined by ``;``; any other text as it is.

    >>> joined('{"price":"A","chat":true}'), joined("price=A")
    ('price=A;chat=true', 'price=A')
    """
    if not text.startswith("{"):
        return text
    try:
        pairs = _DECODER.decode(text).items()
    except ValueError:
        return text
    plain = {key: value if isinstance(value, str) else canonical(value) for key, value in pairs if _is_plain(value)}
    return ";".join(f"{key}={value}" for key, value in plain.items()) or text


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def mended(text: str) -> str:
    r"""Replace each lone surrogate, which UTF-8 cannot represent, by U+FFFD.

    >>> mended("half an emoji: \ud83d")
    'half an emoji: �'
    """
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def shortened(text: str, length: int = 60) -> str:
    """Quote a text for an error message.

    Args:
        text: Any text, however long.
        length: Characters that are shown.

    >>> shortened("x" * 1000, 3)
    "'xxx…'"
    """
    return repr(text if len(text) <= length else text[:length] + "…")


def _refuse_deep(event: dict[str, Any]) -> None:
    level: list[Any] = [event]
    for _ in range(MAX_DEPTH):
        inner = [value.values() if isinstance(value, dict) else value for value in level]
        level = [item for values in inner for item in values if isinstance(item, dict | list)]
        if not level:
            return
    raise RejectedError(DeadLetterReason.TOO_DEEP, f"nested more than {MAX_DEPTH} levels deep")

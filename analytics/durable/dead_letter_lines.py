"""Dead letters and late events as lines of a file, each with its checksum."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any, Final

from analytics.durable.checked_lines import checked_line, read_checked
from analytics.events.dead_letters import DeadLetter, DeadLetterReason

# What a text may take more than its bytes: a megabyte of zeros would be six as escapes.
_MOST_ESCAPED: Final = 2


def dead_letter_entry(letter: DeadLetter) -> dict[str, object]:
    """A dead letter as plain data; bytes that are not UTF-8, or mostly escapes, are in Base64, under ``raw_base64``."""
    entry: dict[str, object] = {
        "position": letter.position,
        "reason": str(letter.reason),
        "detail": letter.detail,
    }
    try:
        raw = letter.raw.decode()
        is_text = len(json.dumps(raw, ensure_ascii=False)) <= _MOST_ESCAPED * len(raw) + 2
    except UnicodeDecodeError:
        is_text = False
    if is_text:
        entry["raw"] = raw
    else:
        entry["raw_base64"] = base64.b64encode(letter.raw).decode()
    return entry


def dead_letters_of(lines: Iterable[bytes]) -> list[DeadLetter]:
    """Parse lines of the file; the inverse of :func:`dead_letter_entry`."""
    return [_letter(entry) for entry in map(json.loads, lines)]


def letter_line(letter: DeadLetter, source: str | None) -> bytes:
    """A line of the file: the letter, its source, and a checksum.

    >>> letter_line(DeadLetter(b"{", DeadLetterReason.NOT_JSON, "cut off", 7), "events.ndjson").decode()[:70]
    '{"source": "events.ndjson", "position": 7, "reason": "not_json", "deta'
    """
    source = letter.source or source
    named: dict[str, object] = {} if source is None else {"source": source}
    return checked_line(named | dead_letter_entry(letter))


def read_letter(line: bytes) -> tuple[DeadLetter, str | None] | None:
    """Parse a line of the file; return the letter and its source, or None if it is not what was written."""
    entry = read_checked(line)
    if entry is None:
        return None
    try:
        return _letter(entry), entry.get("source")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _letter(entry: dict[str, Any]) -> DeadLetter:
    raw = entry["raw"].encode() if "raw" in entry else base64.b64decode(entry["raw_base64"])
    return DeadLetter(raw, DeadLetterReason(entry["reason"]), entry["detail"], entry["position"])

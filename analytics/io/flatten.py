"""Flattening: one Segment-Spec JSON event becomes one row of the event table, or a dead letter with the reason.

The walk is driven by :data:`analytics.events.tracking_plan.COLUMNS`: each column names the path of its value. Fields
outside the tracking plan are kept, as JSON, in the column ``extra``. No content of a line raises an exception here.

Choices that the Segment Spec leaves open:

* The last of two equal keys wins, as in JavaScript's ``JSON.parse``.
* ``NaN`` and ``Infinity`` are not JSON. Half an emoji (a lone surrogate, left by scripts that cut titles) is read as
  U+FFFD, and does not cost the event.
* Numbers, booleans, arrays and objects where a text is expected become their JSON text. An identifier must be a text or
  a number.
* A ``sentAt``, ``timestamp`` or ``originalTimestamp`` that cannot be read is ignored and counted if a readable one of
  the latter two says when the event happened; else, like an unreadable ``receivedAt``, it costs the event.
* A column that belongs to certain calls is read from those calls only: the ``properties.category`` of a shop's track
  call is not the content of a page.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import polars as pl

from analytics.events.dead_letters import DeadLetter, DeadLetterReason, RejectedError
from analytics.events.identifiers import BLANKS, WHO, identifier
from analytics.events.time_values import other_unit, read_ms
from analytics.events.times import epoch_ms, moment
from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA, UTC_MS, CallType, path_tree
from analytics.io.strict_json import canonical, joined, mended, read_object, shortened

FlatEvent = dict[str, str | datetime | None]
"""One row of the event table: a value, or None, for each column of the tracking plan."""

RawEvent = bytes | str | Mapping[str, Any]
"""An event as it comes: a line of JSON, or the object in such a line."""

Row = list[Any]
"""Values in the order of the columns of the event table."""

MAX_ID_LENGTH: Final = 100
"""Longest identifier accepted, in characters."""


@dataclass(frozen=True, eq=False)
class Flattened:
    """A batch of flat events and dead letters.

    Args:
        frame: The usable events, one row each, in the order in which they came; exactly the tracking plan's columns.
        dead_letters: The others.
        ignored_times: How many times of usable events could not be read, by their keys; the events have others.
        ids_of_nobody: How many identifiers of usable events stand for nobody, and are null in the table, by their texts
            in small letters; see :func:`analytics.events.identifiers.identifier`.
    """

    frame: pl.DataFrame
    dead_letters: tuple[DeadLetter, ...] = ()
    ignored_times: Counter[str] = field(default_factory=Counter)
    ids_of_nobody: Counter[str] = field(default_factory=Counter)

    @property
    def n_received(self) -> int:
        """Number of events received, usable or not."""
        return self.frame.height + len(self.dead_letters)


def track_view(event: RawEvent, position: int | None = None) -> FlatEvent | DeadLetter:
    """Flatten one Segment-Spec event, or return a dead letter with the reason why it cannot be used.

    Args:
        event: The event: a line of JSON as bytes or text, or the object in it.
        position: Number of the event in its source, for the dead letter.

    Returns:
        The row, with exactly the columns of :data:`analytics.events.tracking_plan.EVENT_SCHEMA`, times as UTC
        datetimes; a missing ``receivedAt`` is filled from ``sentAt``, ``timestamp`` or ``originalTimestamp``, a
        missing ``messageId`` by a fingerprint of the event. Or the dead letter. Never an exception.

    >>> row = track_view({"type": "page", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"})
    >>> row["anonymous_id"], row["received_at"].hour
    ('a', 10)
    >>> track_view(b'{"type": "page"}').reason.value
    'no_identity'
    """
    row = _row_or_dead_letter(event, position, None, Counter(), Counter())
    if isinstance(row, DeadLetter):
        return row
    for index in _TIMES:
        if row[index] is not None:
            row[index] = moment(row[index])
    return dict(zip(EVENT_SCHEMA, row, strict=True))


def flatten(events: Iterable[RawEvent], start: int = 1, *, arrived_at: datetime | None = None) -> Flattened:
    """Flatten a batch of Segment-Spec events.

    Args:
        events: The events.
        start: Position of the first, for dead letters.
        arrived_at: As for :func:`flatten_numbered`.

    >>> page = {"type": "page", "messageId": "1", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}
    >>> batch = flatten([page, "nonsense"])
    >>> batch.frame["message_id"].to_list(), batch.dead_letters[0].position
    (['1'], 2)
    """
    return flatten_numbered(enumerate(events, start), arrived_at=arrived_at)


def flatten_numbered(events: Iterable[tuple[int, RawEvent]], *, arrived_at: datetime | None = None) -> Flattened:
    """Flatten a batch of Segment-Spec events, each given with its position in the source.

    Args:
        events: Positions and events.
        arrived_at: When they arrived, with a time zone: the ``received_at`` of those without one. By default a missing
            one is filled as in :func:`track_view`.

    Returns:
        The usable events and the dead letters, both in the order of the events.

    >>> batch = flatten_numbered([(7, b'{"type": "page", "anonymousId": "a"}')])
    >>> batch.dead_letters[0].position, batch.dead_letters[0].detail
    (7, 'no receivedAt, sentAt, timestamp or originalTimestamp is given')
    """
    arrived_ms = None if arrived_at is None else epoch_ms(arrived_at)
    rows: list[Row] = []
    dead_letters: list[DeadLetter] = []
    ignored, nobody = Counter[str](), Counter[str]()
    for position, event in events:
        row = _row_or_dead_letter(event, position, arrived_ms, ignored, nobody)
        if isinstance(row, DeadLetter):
            dead_letters.append(row)
        else:
            rows.append(row)
    values = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
    frame = pl.DataFrame([_series(name, dtype, column) for (name, dtype), column in zip(_TYPES, values, strict=True)])
    return Flattened(frame, tuple(dead_letters), ignored, nobody)


_Tree = dict[str, Any]
"""Paths of the columns: keys lead to further trees or, at the end, to the column's index."""


_TYPES: Final = tuple(EVENT_SCHEMA.items())
_INDEX: Final = {name: index for index, name in enumerate(EVENT_SCHEMA)}
_TIMES: Final = frozenset(_INDEX[column.name] for column in COLUMNS if column.dtype == UTC_MS)
_SENT, _RECEIVED = _INDEX["sent_at"], _INDEX["received_at"]
_ORIGINAL, _TIMESTAMP = _INDEX["original_timestamp"], _INDEX["timestamp"]
_MESSAGE_ID, _EXTRA = _INDEX["message_id"], _INDEX["extra"]
_URL, _PATH = _INDEX["context_page_url"], _INDEX["context_page_path"]
_REFERRER, _ARMS = _INDEX["context_page_referrer"], _INDEX["context_experiments"]
_WHO: Final = tuple(_INDEX[name] for name in WHO)
_BROWSER, _PERSON = _WHO[:2]
_IDENTIFIERS: Final = ("anonymousId", "userId", "messageId", "previousId")


def _tree_of(call: CallType) -> _Tree:
    """Tree of the paths of the columns that this call carries."""
    carried = ((index, column) for index, column in enumerate(COLUMNS) if not column.calls or call in column.calls)
    return path_tree((column.path, index) for index, column in carried if index != _EXTRA)


_TREES: Final = {call.value: _tree_of(call) for call in CallType}

FALLBACKS: Final[dict[str, _Tree]] = {
    CallType.PAGE.value: {
        "properties": {
            "path": _PATH,
            "url": _URL,
            "title": _INDEX["context_page_title"],
            "referrer": _REFERRER,
            "name": _INDEX["name"],
        },
        "context": {"referrer": {"url": _REFERRER}},
        "category": _INDEX["category"],
    },
    CallType.IDENTIFY.value: {"context": {"traits": {"email": _INDEX["email"]}}},
    CallType.GROUP.value: {"groupId": _INDEX["context_group_id"]},
}
"""Other paths under which real senders put a column's value, tried in this order when the first has none."""


def _row_or_dead_letter(
    event: RawEvent, position: int | None, arrived_ms: int | None, ignored: Counter[str], nobody: Counter[str]
) -> Row | DeadLetter:
    raw = b""
    try:
        raw = _raw(event)
        return _read_row(read_object(raw), arrived_ms, ignored, nobody)
    except RejectedError as rejection:
        return DeadLetter(raw, rejection.reason, str(rejection), position)
    # Python's JSON decoder recurses: how deep it gets depends on the caller's stack.
    except RecursionError:
        return DeadLetter(raw, DeadLetterReason.TOO_DEEP, "nested too deeply to be read", position)
    except (ValueError, TypeError) as error:
        return DeadLetter(raw, DeadLetterReason.NOT_JSON, str(error), position)


def _raw(event: RawEvent) -> bytes:
    """Bytes of an event in any form, so that all forms are judged alike."""
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return mended(event).encode()
    # Values that JSON does not know, such as datetimes, become their texts.
    return json.dumps(event if type(event) is dict else dict(event), default=str).encode()


def _read_row(event: dict[str, Any], arrived_ms: int | None, ignored: Counter[str], nobody: Counter[str]) -> Row:
    row = flat_row(event)
    unused = _read_identifiers(row)
    if row[_BROWSER] is row[_PERSON] is None:
        raise RejectedError(DeadLetterReason.NO_IDENTITY, _not_identified(event))
    _read_times(row, arrived_ms, ignored)
    if unused:
        nobody.update(text.strip(BLANKS).lower() for text in unused)
    return row


def flat_row(event: dict[str, Any]) -> Row:
    """Flatten an event: values in the order of the columns, times and identifiers as they are written.

    Args:
        event: The decoded JSON object.

    Returns:
        A value or None for each of :data:`analytics.events.tracking_plan.COLUMNS`.

    Raises:
        RejectedError: The event is unusable because of its type or identifiers.

    >>> row = flat_row({"type": "page", "messageId": "1", "anonymousId": "a", "context": {"campaign": {"id": 7}}})
    >>> dict(zip(EVENT_SCHEMA, row, strict=True))["extra"]
    '{"context":{"campaign":{"id":7}}}'
    """
    call = event.get("type")
    tree = _TREES.get(call) if isinstance(call, str) else None
    if tree is None:
        known = ", ".join(_TREES)
        fault = f"type is {shortened(str(call))}, not" if call is not None else "there is no type, which must be"
        raise RejectedError(DeadLetterReason.UNKNOWN_TYPE, f"{fault} one of {known}")
    _check_identifiers(event)
    fingerprint = None if event.get("messageId") not in {None, ""} else _fingerprint(event)
    row: Row = [None] * len(COLUMNS)
    rest = _walk(event, tree, row)
    if fingerprint is not None:
        row[_MESSAGE_ID] = fingerprint
    if event["type"] in FALLBACKS:
        _fall_back(row, rest, FALLBACKS[event["type"]])
    if "context" in rest:
        _add_search(row, rest["context"], "page")
    if "properties" in rest and event["type"] == CallType.PAGE:
        _add_search(row, rest, "properties")
    if row[_ARMS] is not None:
        row[_ARMS] = joined(row[_ARMS])
    row[_EXTRA] = _extra(rest) if rest else None
    return row


def _add_search(row: Row, holder: object, key: str) -> None:
    """Complete an address without a query by the page's ``search``, or by its other address, where some have it."""
    page = holder.get(key) if isinstance(holder, dict) else None
    url = row[_URL] or row[_PATH] or ""
    if not isinstance(page, dict) or not ("search" in page or "url" in page) or "?" in url:
        return
    queries = (page.get("search"), str(page.get("url", "")).partition("#")[0].partition("?")[2])
    if search := next((each for each in queries if isinstance(each, str) and each.strip("?")), None):
        address, mark, fragment = url.partition("#")
        row[_URL] = f"{address}?{search.removeprefix('?')}{mark}{fragment}"


def _check_identifiers(event: dict[str, Any]) -> None:
    for key in _IDENTIFIERS:
        value = event.get(key)
        is_usual = value is None or (value.__class__ is str and len(value) <= MAX_ID_LENGTH)
        # Of other calls a previousId is a field like any other, and is kept as it is.
        if is_usual or (key == "previousId" and event["type"] != CallType.ALIAS):
            continue
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise RejectedError(DeadLetterReason.BAD_ID, f"{key} is {shortened(str(value))}, not a text")
        if len(str(value)) > MAX_ID_LENGTH:
            raise RejectedError(DeadLetterReason.ID_TOO_LONG, f"{key} has more than {MAX_ID_LENGTH} characters")


def _fingerprint(event: dict[str, Any]) -> str:
    """Identifier of an event without one, made from its content, so that each delivery gets the same."""
    unstable = {"messageId", "sentAt", "receivedAt"}
    if event.get("originalTimestamp") is not None:
        # The collector computes `timestamp` again at each delivery; only the device's own time stays the same.
        unstable.add("timestamp")
    content = canonical({key: value for key, value in event.items() if key not in unstable})
    return "fingerprint-" + hashlib.sha256(content.encode()).hexdigest()


def _walk(event: dict[str, Any], tree: _Tree, row: Row) -> dict[str, Any]:
    """Put the values of the tree into the row, and return the rest, nested as it was."""
    rest: dict[str, Any] = {}
    for key, value in event.items():
        node = tree.get(key)
        if node is None:
            rest[key] = value
        # Not `isinstance`: this is the innermost loop of reading line by line.
        elif node.__class__ is int:
            plain = value.__class__ is str or value is None or node in _TIMES
            row[node] = value if plain else canonical(value)
        elif value.__class__ is dict:
            inner = _walk(value, node, row)
            if inner:
                rest[key] = inner
        elif value is not None:
            rest[key] = value
    return rest


def _fall_back(row: Row, rest: dict[str, Any], tree: _Tree) -> None:
    """Take the tree's columns from the rest; where the row has the same value already, only drop the second."""
    for key, node in tree.items():
        found = rest.get(key)
        if found is None:
            continue
        if node.__class__ is int:
            text = found if isinstance(found, str) else canonical(found)
            if row[node] is None or row[node] == text:
                row[node] = text
                del rest[key]
        elif found and isinstance(found, dict):
            _fall_back(row, found, node)
            if not found:
                del rest[key]


def _extra(rest: dict[str, Any]) -> str:
    """Fields outside the tracking plan as JSON; an ``extra`` that funnelsim wrote itself is merged into them."""
    written = rest.get("extra")
    if isinstance(written, dict):
        rest = {key: value for key, value in rest.items() if key != "extra"} | written
    return canonical(rest)


def _read_times(row: Row, arrived_ms: int | None, ignored: Counter[str]) -> None:
    """Read the four times as epoch milliseconds; a missing arrival is the known one, or the best of the others.

    Raises:
        RejectedError: There is no time, or one that cannot be read where no other says when the event happened.
    """
    unread: Row = []
    for index in _TIMES:
        if row[index] is not None:
            given, row[index] = row[index], read_ms(row[index])
            if row[index] is None:
                unread.append((index, given))
    # The arrival is always needed: it is the order of a stream, and what other times are checked against.
    if unread and (row[_TIMESTAMP] is row[_ORIGINAL] is None or any(index == _RECEIVED for index, _ in unread)):
        raise RejectedError(DeadLetterReason.BAD_TIME, _not_a_time(*unread[0]))
    if row[_RECEIVED] is None:
        others = (arrived_ms, *(row[index] for index in (_SENT, _TIMESTAMP, _ORIGINAL)))
        row[_RECEIVED] = next((time for time in others if time is not None), None)
    if row[_RECEIVED] is None:
        raise RejectedError(DeadLetterReason.NO_TIME, "no receivedAt, sentAt, timestamp or originalTimestamp is given")
    for index, _ in unread:
        ignored[COLUMNS[index].path[-1]] += 1


def _read_identifiers(row: Row) -> list[str]:
    """Read the identifiers of the browser, the person and the account; return those that stand for nobody."""
    unused = []
    for index in _WHO:
        given = row[index]
        if given is not None:
            row[index] = identifier(given)
            if row[index] is None:
                unused.append(given)
    return unused


def _not_identified(event: dict[str, Any]) -> str:
    given = [str(event[key]) for key in ("anonymousId", "userId") if event.get(key) is not None]
    said = f" ({' and '.join(map(repr, given))} stand for nobody)" if any(given) else ""
    return f"neither anonymousId nor userId is given{said}"


def _not_a_time(index: int, given: object) -> str:
    unit = other_unit(given)
    why = f"which looks like epoch {unit}, not milliseconds" if unit else "not a time"
    return f"{COLUMNS[index].path[-1]} is {shortened(str(given))}, {why}"


def _series(name: str, dtype: pl.DataType, values: tuple[Any, ...]) -> pl.Series:
    if dtype == UTC_MS:
        # Polars casts integers to times much faster than it converts datetimes.
        return pl.Series(name, values, dtype=pl.Int64).cast(UTC_MS)
    return pl.Series(name, values, dtype=pl.String).cast(dtype)

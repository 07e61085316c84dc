"""What an adapter does: it recognises a tool's records and converts each by a table of fields.

Most of an adapter is its table ``fields``: for each path of the Segment Spec the paths in the record where its value is
found, the first that has one. What a table cannot say is a method.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

Json = Any
"""A value of JSON, or of a cell of a table."""

Fields = Mapping[str, Sequence[str]]
"""Paths of the Segment Spec, and the paths in the record where a value is looked for, the best first."""

Conversions = Mapping[str, Callable[[object], object]]
"""Functions for the values at some paths of the Segment Spec."""

Record = dict[str, Any]
"""A record as the tool exports it: one JSON object, or one row of a table by its columns."""


class Adapter:
    """Converts the records of one tool to objects of the Segment Spec.

    A subclass sets ``name`` and ``fields``, defines :meth:`recognises`, and overrides the rest where it must. Objects
    need not be valid: they are judged as any line of JSON is.

    >>> class Shop(Adapter):
    ...     name = "shop"
    ...     fields = {"anonymousId": ("visitor",), "timestamp": ("when",), "context.page.url": ("page.url",)}
    ...     event_path = "what"
    ...     page_events = frozenset({"viewed"})
    ...
    ...     def recognises(self, record):
    ...         return "visitor" in record
    >>> (event,) = Shop().events({"visitor": "a", "what": "viewed", "page": {"url": "https://x.org"}})
    >>> event["type"], event["context"]
    ('page', {'page': {'url': 'https://x.org'}})
    """

    name: ClassVar[str] = ""
    """What ``--format`` calls it."""

    fields: ClassVar[Fields] = {}
    """Paths of the Segment Spec, and the paths in the record where a value is looked for, the best first."""

    conversions: ClassVar[Conversions] = {}
    """Functions for the values of some of these paths."""

    event_path: ClassVar[str] = "event"
    """Path of the event's name in the record."""

    page_events: ClassVar[frozenset[str]] = frozenset()
    """Names of the events that are page views."""

    identify_events: ClassVar[frozenset[str]] = frozenset()
    """Names of the events that say who a browser's user is."""

    alias_events: ClassVar[frozenset[str]] = frozenset()
    """Names of the events that join two identifiers of one person."""

    properties_path: ClassVar[str] = ""
    """Path of the user's own properties; without one they are not kept."""

    json_columns: ClassVar[Sequence[str]] = ()
    """Columns of tables that hold JSON as a text."""

    def recognises(self, record: Record) -> bool:
        """Whether a record looks like this tool's."""
        raise NotImplementedError

    def events(self, record: Record) -> Iterator[Record]:
        """Convert a record, which may hold several events.

        Args:
            record: A record of the tool.

        Yields:
            Objects of the Segment Spec.
        """
        for each in self.split(self._decoded(record)):
            yield self.event(each)

    def split(self, record: Record) -> Iterator[Record]:
        """Yield a record for each event in one; by default that is the record itself."""
        yield record

    def event(self, record: Record) -> Record:
        """Convert the record of one event, by the table of fields.

        Args:
            record: The record, with JSON in texts decoded.

        Returns:
            The object of the Segment Spec.
        """
        name = found(record, self.event_path)
        event: Record = {"type": self.call(record, name)}
        if event["type"] == "track" and name is not None:
            event["event"] = self.event_name(record, name)
        own = found(record, self.properties_path) if self.properties_path else None
        if isinstance(own, dict):
            # The tool's own properties begin with a sign; what matters of them is in the table.
            event["properties"] = {key: value for key, value in own.items() if key[:1] not in {"$", "["}}
        for target, paths in self.fields.items():
            # Not a set: a value may be a list.
            value = next((value for path in paths if (value := found(record, path)) not in (None, "")), None)
            if value is not None:
                convert = self.conversions.get(target)
                _put(event, target, convert(value) if convert else value)
        return event

    def call(self, record: Record, name: object) -> str:  # noqa: ARG002 - some tools say it elsewhere
        """The call of the Segment Spec that an event is."""
        if str(name) in self.page_events:
            return "page"
        if str(name) in self.alias_events:
            return "alias"
        return "identify" if str(name) in self.identify_events else "track"

    def event_name(self, record: Record, name: object) -> object:  # noqa: ARG002
        """Name of a track call; by default the tool's own."""
        return name

    def _decoded(self, record: Record) -> Record:
        texts = {key: record[key] for key in self.json_columns if isinstance(record.get(key), str)}
        return record | {key: decoded_json(text) for key, text in texts.items()} if texts else record


def found(record: Json, path: str) -> Json:
    """Value at a path of keys; None if there is none. A value that is no scalar counts too.

    A column may have the whole path as its name, as tables that were flattened have.

    >>> found({"a": {"b": 1}, "c.d": 2}, "a.b"), found({"c.d": 2}, "c.d"), found({}, "a.b")
    (1, 2, None)
    """
    if isinstance(record, dict) and path in record:
        value = record[path]
    else:
        value = record
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
    return value


def decoded_json(text: str) -> Json:
    """The value of a text of JSON; the text itself if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _put(event: Record, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for key in parents:
        inner = event.get(key)
        event = event.setdefault(key, {}) if inner is None or isinstance(inner, dict) else {}
    event[last] = value

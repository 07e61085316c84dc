"""Warehouse tables: fields outside the tracking plan in columns of their own, as in Segment's warehouses.

The event table keeps such fields as JSON, in ``extra``, as they came. Here each gets a column: names in snake case,
objects flattened with ``_`` between their keys, arrays as JSON text. Fields of ``properties`` and ``traits`` have their
own name, all others their whole path (``context_library_version``). Source: Segment, `Warehouse
Schemas <https://segment.com/docs/connections/storage/warehouses/schema/>`_.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from analytics.events.enrichment import DERIVED_SCHEMA, conform
from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA, CallType
from analytics.io.strict_json import canonical

_BARE: Final = ("properties", "traits")

_TAKEN: Final = frozenset((*EVENT_SCHEMA, *DERIVED_SCHEMA))

# A word is capitals and digits, then small letters and digits: CStringRef is "CString" and "Ref".
_WORD: Final = re.compile(r"[A-Z0-9]+[a-z0-9]*|[a-z][a-z0-9]*")

_Path = tuple[str, ...]


def warehouse_name(key: str) -> str:
    """Name of a field's column or of an event's table in a warehouse: snake case, never with a digit first.

    The rules are those of Segment's own warehouses (`go-snakecase <https://github.com/segmentio/go-snakecase>`_).

    >>> warehouse_name("productID"), warehouse_name("Enabled 2FA"), warehouse_name("CStringRef"), warehouse_name("1st")
    ('product_id', 'enabled_2fa', 'cstring_ref', '_1st')
    """
    name = "_".join(_WORD.findall(key)).lower()
    return f"_{name}" if name[:1].isdigit() else name


def unfold(events: pl.DataFrame) -> pl.DataFrame:
    """Unfold the fields of ``extra`` into columns of their own, as strings.

    A field with the name of a column keeps its path (``properties_email`` beside ``email``). Of two fields of one row
    with the same name, the last in ``extra`` is kept.

    Args:
        events: Table of events; see :func:`analytics.events.enrichment.conform`.

    Returns:
        The columns of the tracking plan but ``extra``, then one for each field that occurs, by name.

    Raises:
        EventFrameError: A column has a type that cannot hold what the tracking plan says.

    >>> extra = '{"properties":{"plan":"pro"},"context":{"app":{"build":7}}}'
    >>> unfold(pl.DataFrame({"type": ["page"], "extra": [extra]})).select("plan", "context_app_build").row(0)
    ('pro', '7')
    """
    flat = conform(events)
    written = flat["extra"].unique().drop_nulls()
    rows = [{"extra": text, **dict(_fields(text))} for text in written]
    names = sorted({name for row in rows for name in row} - {"extra"})
    table = pl.DataFrame(rows, schema={"extra": pl.String(), **dict.fromkeys(names, pl.String())})
    return flat.join(table, on="extra", how="left", maintain_order="left").drop("extra")


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Name and value of each field of a JSON object; any other text is one field, ``extra_text``."""
    try:
        rest = json.loads(text)
    except (ValueError, RecursionError):
        rest = None
    if not isinstance(rest, dict):
        yield "extra_text", text
        return
    for path, value in _leaves((), rest):
        yield _column(path), value if isinstance(value, str) else canonical(value)


def _leaves(path: _Path, node: dict[str, Any]) -> Iterator[tuple[_Path, Any]]:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from _leaves((*path, key), value)
        elif value is not None:
            yield (*path, key), value


def _column(path: _Path) -> str:
    names = [name for name in map(warehouse_name, path) if name]
    bare = "_".join(names[1:] if path[0] in _BARE and len(names) > 1 else names)
    whole = "_".join(names)
    name = whole if bare in _TAKEN else bare
    return f"extra_{name}" if name in _TAKEN or not name else name


_COMMON: Final = {
    "id": "message_id",
    **{name: name for name in ("anonymous_id", "user_id", "received_at", "sent_at", "timestamp", "original_timestamp")},
    **{column.name: column.name for column in COLUMNS if column.name.startswith("context_")},
}
"""Columns of every table, and the columns of the event table that they come from."""

_OF_PAGE: Final = {
    **{name: name for name in ("name", "category", "funnel_stage")},
    **{name: f"context_page_{name}" for name in ("url", "path", "title", "referrer")},
}

_TABLES: Final[dict[CallType, tuple[str, dict[str, str]]]] = {
    CallType.PAGE: ("pages", _OF_PAGE),
    CallType.TRACK: ("tracks", {}),
    CallType.IDENTIFY: ("identifies", {"email": "email"}),
    CallType.GROUP: ("groups", {"group_id": "context_group_id"}),
    CallType.ALIAS: ("aliases", {"previous_id": "previous_id"}),
}
"""Name of the table of each call, and the columns that only it has."""


_OTHER_TABLES: Final = frozenset({"users", *(name for name, _ in _TABLES.values())})
"""Tables that are not those of tracked events."""

_LONGEST_NAME: Final = 120
"""Characters of the name of a table: warehouses take 127 bytes or fewer, and a file 255."""


def warehouse_tables(events: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the tables of a Segment warehouse with their names: one for each call, and one for each tracked event.

    An event that was delivered twice is in its table twice; dbt's package takes the first of an ``id``. Events whose
    names differ in letters that a table's name does not have, as ``Demo Requested`` and ``demo-requested`` do, are in
    one table; its column ``event_text`` has the name of each. An event with the name of another table, such as
    ``Pages``, is in ``pages_event``.

    Args:
        events: Rows of the flat event table.

    Yields:
        Name and rows of ``pages``, ``tracks``, ``identifies``, ``groups``, ``aliases`` and ``users`` (each user once),
        then of the table of each tracked event, by name.

    >>> from analytics.io.ndjson import decode
    >>> who = b'{"type": "identify", "userId": "u", "traits": {"email": "u@x.org"}, "sentAt": "2026-03-03T10:00:00Z"}'
    >>> tables = dict(warehouse_tables(decode(who).frame))
    >>> tables["users"].select("id", "email").row(0)
    ('u', 'u@x.org')
    """
    calls = events["type"].cast(pl.String)
    for call, (name, columns) in _TABLES.items():
        rows = events.filter(calls == call)
        yield name, _tracks(rows) if call == CallType.TRACK else _selected(rows, _COMMON | columns)
    yield "users", _users(events.filter(calls == CallType.IDENTIFY))
    tracked = events.filter((calls == CallType.TRACK) & events["event"].is_not_null())
    tables: dict[str, list[str]] = {}
    for event in sorted(tracked["event"].cast(pl.String).unique()):
        tables.setdefault(_event_table(event), []).append(event)
    for name, names in tables.items():
        yield name, _tracks(tracked.filter(pl.col("event").cast(pl.String).is_in(names)), asset=True)


def _selected(rows: pl.DataFrame, columns: dict[str, str]) -> pl.DataFrame:
    """Columns of the event table under the names that they have in a warehouse."""
    table = rows.select(pl.col(source).alias(name) for name, source in columns.items())
    if "url" in columns:
        # The query of the page's address with its question mark, as browsers give it.
        search = pl.col("url").str.extract(r"^[^?#]*(\?[^#]*)")
        table = table.with_columns(search=search, context_page_search=search)
    return table


def _tracks(rows: pl.DataFrame, *, asset: bool = False) -> pl.DataFrame:
    texts = pl.col("event").cast(pl.String)
    names = {text: _snake_case(text) for text in rows["event"].cast(pl.String).unique().drop_nulls()}
    event = texts.replace_strict(names, default=None, return_dtype=pl.String)
    common = _selected(rows, _COMMON).with_columns(rows.select(event=event, event_text=texts))
    return common.with_columns(rows["asset"]) if asset else common


def _users(identifies: pl.DataFrame) -> pl.DataFrame:
    """Each user once, with the traits of the last identify call."""
    # Without what belongs to the call: who was identified when, and on which browser.
    of_call = {"anonymous_id", "user_id", "sent_at", "timestamp", "original_timestamp"}
    columns = {name: source for name, source in _COMMON.items() if name not in of_call}
    # In order of arrival, so that the last row has the latest traits.
    known = identifies.filter(pl.col("user_id").is_not_null()).sort("received_at", maintain_order=True)
    latest = known.unique("user_id", keep="last", maintain_order=True)
    return _selected(latest, columns | {"id": "user_id", "email": "email"})


def _event_table(event: str) -> str:
    """Name of an event's table, different from those of the calls."""
    name = _snake_case(event)
    return f"{name}_event" if name in _OTHER_TABLES else name


def _snake_case(event: str) -> str:
    """Name of an event in a warehouse, and of its table: ``Demo Requested`` is ``demo_requested``."""
    return (warehouse_name(event) or "unnamed")[:_LONGEST_NAME]

"""Shapes: what lines of one sender have in common.

Lines of one sender differ in little but their values. Split at ``,"``, each piece of a line is a key (and braces), one
value, and what closes it; lines that differ only in the values have one *shape*. Values without quotes, backslashes and
control characters are plain JSON strings, so all lines of a shape have one structure. The walk of
:mod:`analytics.io.flatten` over one of them, with marks in place of the values, shows which piece belongs to which
column, and where in ``extra`` the others stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from analytics.events.dead_letters import RejectedError
from analytics.events.tracking_plan import EVENT_SCHEMA, CallType
from analytics.io.flatten import FALLBACKS, flat_row
from analytics.io.strict_json import read_object

SEPARATOR: Final = ',"'
"""What the pieces of a line are split at."""

# Part of a piece before its value, the value, and the part after it. A value is a text, or a number or literal; what
# becomes of a null depends on its place, so it is a part of the shape.
_TEXT: Final = re.compile(r'(.*"|)([^"]*)("[^":]*)', re.DOTALL)
_TOKEN: Final = re.compile(r"(.*[:,\[])(?!null)([\w.-]+)([\]}]*)", re.DOTALL | re.ASCII)
# Numbers and literals that canonical JSON has as they are: others may have more digits than a float, or too many zeros.
_CANONICAL: Final = r"^(?:true|false|0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,9})\.[0-9]{0,3}[1-9])$"
# With a question mark each could be an address with a query, to which nothing is added.
_MARK: Final = re.compile(r'"#(\d+)\?"')
_NEEDED: Final = frozenset({"message_id", "received_at"})


@dataclass(frozen=True)
class Piece:
    """What lines of one shape have in common in a piece.

    Args:
        begin: Text before the value.
        end: Text after it.
        kind: The value is a ``text``, a ``token`` (a number or literal) or ``nothing``: all of the piece is fixed.
    """

    begin: str
    end: str
    kind: Literal["text", "token", "nothing"]


@dataclass(frozen=True)
class Shape:
    """What lines of one shape have in common.

    Args:
        call: Their type.
        pieces: Their pieces. Every one with a value belongs to a column or to ``extra``, or is a copy.
        piece_of: Columns, and the number of the piece with each one's value; other columns, but ``extra``, are empty.
        extra: Parts of the column ``extra``: texts, and numbers of the pieces whose values are between them.
        copies: Pairs of pieces; in all lines their values are equal, so that the first is dropped, or in none.
        searches: Pieces whose values would be added to an address without a query.
    """

    call: str
    pieces: tuple[Piece, ...]
    piece_of: tuple[tuple[str, int], ...]
    extra: tuple[str | int, ...]
    copies: tuple[tuple[int, int, bool], ...] = ()
    searches: tuple[int, ...] = ()

    @property
    def fixed(self) -> str:
        """A line without its values."""
        return _fixed(self.pieces)


@dataclass(frozen=True)
class _Reading:
    """How a line is read that has marks in place of its values.

    Args:
        call: Its type.
        found: Columns with a value, and their marks.
        extra: The column ``extra``, an empty object if there is none.
    """

    call: str
    found: Mapping[str, Any]
    extra: str


def shape_of(pieces: Sequence[str]) -> Shape | None:
    """The shape of a line.

    Args:
        pieces: The line, split at :data:`SEPARATOR`.

    Returns:
        Its shape; None if it cannot be decoded by its shape.

    >>> line = '{"type":"page","messageId":"m","userId":"u","receivedAt":"2026-03-03T10:00:00.000Z","n":5}'
    >>> shape_of(line.split(SEPARATOR)).extra
    ('{"n":', 4, '}')
    """
    cut, values = zip(*map(_cut, pieces), strict=True)
    marks = [f"#{number}?" for number in range(len(cut))]
    # A key like a mark could be taken for one.
    reading = None if '"#' in _fixed(cut) else _read(cut, values, marks)
    if reading is None:
        return None
    copies = []
    for pair in _second_values(reading):
        if not all(_is_text(mark, cut) for mark in pair):
            return None
        copy, original = map(_number, pair)
        copies.append((copy, original, values[copy] == values[original]))
    # What is dropped as a copy must look like one.
    equal = {copy: marks[original] for copy, original, are_equal in copies if are_equal}
    if equal:
        reading = _read(cut, values, [equal.get(number, mark) for number, mark in enumerate(marks)])
    return None if reading is None else _shape(reading, cut, copies)


def look_of(pieces: Sequence[str]) -> Hashable:
    """What lines of one shape have in common at first sight: all but the values, except that of a ``type``.

    >>> look_of(['{"type":"page"', 'n":5}']) == look_of(['{"type":"page"', 'n":6}'])
    True
    """
    cut = [_cut(piece) for piece in pieces]
    return tuple((piece, value if piece.begin.endswith('type":"') else "") for piece, value in cut)


def _fixed(cut: Iterable[Piece]) -> str:
    """A line without its values."""
    return SEPARATOR.join(piece.begin + piece.end for piece in cut)


def _cut(piece: str) -> tuple[Piece, str]:
    """Cut a piece at its value."""
    if text := _TEXT.fullmatch(piece):
        return Piece(text[1], text[3], "text"), text[2]
    if token := _TOKEN.fullmatch(piece):
        return Piece(token[1], token[3], "token"), token[2]
    return Piece(piece, "", "nothing"), ""


def _read(cut: Sequence[Piece], values: Sequence[str], marks: Sequence[str]) -> _Reading | None:
    """Read the line with marks in place of its values; None if it is unusable."""
    line = SEPARATOR.join(map(_marked, cut, marks))
    try:
        event = read_object(line.encode())
        call = values[marks.index(event["type"])]
        row = flat_row(event | {"type": call})
    except (KeyError, TypeError, ValueError, RecursionError, RejectedError):
        return None
    found = {name: value for name, value in zip(EVENT_SCHEMA, row, strict=True) if value is not None}
    extra = found.pop("extra", "{}")
    return _Reading(call, found | {"type": event["type"]}, extra)


def _marked(piece: Piece, mark: str) -> str:
    """A piece with a mark in place of its value; that of a number or literal is a text, too."""
    return piece.begin + {"text": mark, "token": f'"{mark}"', "nothing": ""}[piece.kind] + piece.end


def _is_text(value: object, cut: Sequence[Piece]) -> bool:
    """Whether a value is the mark of a text; one of its own cannot look like it."""
    return isinstance(value, str) and _MARK.fullmatch(f'"{value}"') is not None and cut[_number(value)].kind == "text"


def _number(mark: str) -> int:
    return int(mark[1:-1])


def _second_values(reading: _Reading) -> Iterator[tuple[Any, Any]]:
    """Values that were left because their columns had been read from elsewhere, with those of the columns."""
    names = list(EVENT_SCHEMA)
    for value, index in _leaves(json.loads(reading.extra), FALLBACKS.get(reading.call, {})):
        yield value, reading.found.get(names[index])


def _leaves(rest: Mapping[str, Any], tree: Mapping[str, Any]) -> Iterator[tuple[Any, int]]:
    for key in filter(rest.__contains__, tree):
        if isinstance(tree[key], int):
            yield rest[key], tree[key]
        elif isinstance(rest[key], dict):
            yield from _leaves(rest[key], tree[key])


def _shape(reading: _Reading, cut: tuple[Piece, ...], copies: Sequence[tuple[int, int, bool]]) -> Shape | None:
    """The shape, if every value is accounted for."""
    searches = _searches(reading)
    if searches is None or not all(_is_text(mark, cut) for mark in [*searches, *reading.found.values()]):
        return None
    piece_of = {name: _number(mark) for name, mark in reading.found.items()}
    others = [int(number) for number in _MARK.findall(reading.extra)]
    dropped = [copy for copy, _, are_equal in copies if are_equal]
    given = [number for number, piece in enumerate(cut) if piece.kind != "nothing"]
    if sorted([*piece_of.values(), *others, *dropped]) != given or not piece_of.keys() >= _NEEDED:
        return None
    return Shape(
        reading.call,
        cut,
        tuple(piece_of.items()),
        tuple(_template(reading.extra, cut)) if reading.extra != "{}" else (),
        tuple(copies),
        tuple(map(_number, searches)),
    )


def _searches(reading: _Reading) -> list[Any] | None:
    """Values that would be added to an address without a query; None if another address is left, which may have one."""
    rest = json.loads(reading.extra)
    holders = [rest.get("context"), rest if reading.call == CallType.PAGE else None]
    pages = [
        holder[key]
        for holder, key in zip(holders, ("page", "properties"), strict=True)
        if isinstance(holder, dict) and isinstance(holder.get(key), dict)
    ]
    return None if any("url" in page for page in pages) else [page["search"] for page in pages if "search" in page]


def _template(extra: str, cut: Sequence[Piece]) -> Iterator[str | int]:
    """Parts of JSON with marks: texts, and numbers of pieces in place of the marks."""
    for at, part in enumerate(_MARK.split(extra)):
        # Every second part is the number of a mark.
        if at % 2 == 0:
            yield part
        elif cut[int(part)].kind == "text":
            yield from ('"', int(part), '"')
        else:
            yield int(part)


def values_of(lines: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """Take the values of the columns from lines.

    Args:
        lines: ``pieces`` of lines with equal numbers of them, their lengths in ``bytes``, and ``_row``.
        shape: A shape.

    Returns:
        ``_row``, the values as texts, and whether the line is of this shape (``_is_alike``); else they are meaningless.
            It is not if a value has a quote in it: whether one of a column other than ``extra`` has is not examined.
    """
    numbered = [(str(number), piece) for number, piece in enumerate(shape.pieces)]
    # Step by step: Polars is slower if one expression takes a piece from its list and strips it.
    values = (
        lines.lazy()
        .select("_row", "bytes", *(pl.col("pieces").list.get(int(name)).alias(name) for name, _ in numbered))
        .with_columns(pl.col(name).str.strip_prefix(piece.begin) for name, piece in numbered)
        .with_columns(pl.col(name).str.strip_suffix(piece.end) for name, piece in numbered if piece.end)
    )
    columns = [pl.col(str(number)).alias(name) for name, number in shape.piece_of]
    if shape.extra:
        extra = [pl.lit(part) if isinstance(part, str) else pl.col(str(part)) for part in shape.extra]
        columns.append(pl.concat_str(extra).alias("extra"))
    return values.select("_row", *columns, _is_alike=pl.all_horizontal(_conditions(shape))).collect()


def _conditions(shape: Shape) -> Iterator[pl.Expr]:
    """What holds for the values of a line that is of the shape."""
    numbered, piece_of = [(str(number), piece) for number, piece in enumerate(shape.pieces)], dict(shape.piece_of)
    # Stripping removes only what is there, so if the lengths add up, every piece had its begin and end.
    n_bytes = pl.sum_horizontal(pl.col(name).str.len_bytes() for name, _ in numbered)
    yield pl.col("bytes") == n_bytes + len(shape.fixed.encode())
    yield pl.col(str(piece_of["type"])) == shape.call
    yield from (pl.col(name).str.contains(_CANONICAL) for name, piece in numbered if piece.kind == "token")
    others = [pl.col(str(part)) for part in shape.extra if isinstance(part, int)]
    if others:
        # Joined, they are searched faster.
        yield ~pl.concat_str(others).str.contains('"', literal=True)
    yield from (pl.col(name) == "" for name, piece in numbered if piece.kind == "nothing")
    for copy, original, are_equal in shape.copies:
        is_equal = pl.col(str(copy)) == pl.col(str(original))
        yield is_equal if are_equal else ~is_equal
    if shape.searches:
        url = piece_of.get("context_page_url")
        has_query = pl.lit(value=False) if url is None else pl.col(str(url)).str.contains("?", literal=True)
        yield has_query | pl.all_horizontal(pl.col(str(each)).str.strip_chars("?") == "" for each in shape.searches)

"""Mentions of a person in texts of others: found however they are spelt, and blacked out."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

import polars as pl

LONG_ENOUGH: Final = 6
"""Characters of an identifier that is looked for in texts: a shorter one is in many that do not mean the person."""

_MARK: Final = "[forgotten]"
# Identifiers are those of others, or are removed with their events.
_NO_TEXTS: Final = frozenset({"anonymous_id", "user_id", "previous_id", "email", "message_id", "context_group_id"})
# A text with one of these may spell an identifier otherwise.
_ESCAPES: Final = r"[%&\\]"
_MOST_LAYERS: Final = 4


class Mentions:
    """Finds identifiers of a person in texts.

    Args:
        names: The identifiers; those that are too short are not looked for.

    >>> mentions = Mentions({"jane@acme.io"})
    >>> mentions.blacked_out("/signup?to=jane%40acme.io"), mentions.found_in("maryjane@acme.io")
    ('/signup?to=[forgotten]', False)
    """

    def __init__(self, names: Collection[str]) -> None:
        long = sorted((name for name in names if len(name) >= LONG_ENOUGH), key=len, reverse=True)
        forms = dict.fromkeys(form for name in long for form in (name, quote(name), quote(name, safe="")))
        anywhere = "|".join(map(re.escape, forms))
        # Not a part of a longer word: "user-1" is not in "user-12".
        self._pattern = re.compile(rf"(?<![^\W_])(?:{anywhere})(?![^\W_])", re.IGNORECASE) if long else None
        # Polars has no such boundaries: what it finds is looked at again.
        self._likely = rf"(?i){anywhere}|{_ESCAPES}"

    def found_in(self, text: str) -> bool:
        """Whether a text mentions the person, in any of its spellings."""
        pattern = self._pattern
        return pattern is not None and any(pattern.search(form) for form in spellings(text))

    def blacked_out(self, text: str) -> str:
        """A text without the person: without the mentions, or as a whole where they are spelt otherwise."""
        if self._pattern is None:
            return text
        rest = self._pattern.sub(_MARK, text)
        return _MARK if self.found_in(rest) else rest

    def removed_from(self, table: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """Black out mentions in the texts of events.

        Returns:
            The events, and how many texts had mentions.
        """
        if self._pattern is None:
            return table, 0
        n_found, columns = 0, []
        for name, dtype in table.schema.items():
            if name in _NO_TEXTS or not isinstance(dtype, pl.String | pl.Categorical):
                continue
            texts = table[name].cast(pl.String)
            likely = texts.unique().drop_nulls()
            likely = likely.filter(likely.str.contains(self._likely))
            changes = {text: rest for text in likely if (rest := self.blacked_out(text)) != text}
            if changes:
                n_found += int(texts.is_in(list(changes)).sum())
                columns.append(texts.replace(changes).cast(dtype))
        return table.with_columns(columns), n_found


@lru_cache(maxsize=1)
def spellings(text: str) -> tuple[str, ...]:
    """A text, and what it says without the escapes of URLs, HTML and JSON, in any order and several layers deep.

    >>> spellings("a%2540b")
    ('a%2540b', 'a%40b', 'a@b')
    """
    known = dict.fromkeys([text])
    layer = [text]
    for _ in range(_MOST_LAYERS):
        layer = [form for form in dict.fromkeys(each for one in layer for each in _unescaped(one)) if form not in known]
        if not layer:
            break
        known |= dict.fromkeys(layer)
    return tuple(known)


def _unescaped(text: str) -> Iterator[str]:
    yield unquote(text)
    yield html.unescape(text)
    yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    yield re.sub(r"\\([\"\\/])", r"\1", text)


def anew(table: pl.DataFrame) -> pl.DataFrame:
    """The same with texts made anew: an Arrow stream has those of rows that were filtered out, too.

    >>> anew(pl.DataFrame({"text": ["a", "b"]}).head(1)).rows()
    [('a',)]
    """
    texts = [name for name, dtype in table.schema.items() if isinstance(dtype, pl.String)]
    return table.with_columns(pl.Series(name, table[name].to_list(), dtype=pl.String) for name in texts)

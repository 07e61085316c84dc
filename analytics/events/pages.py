"""Pages by their addresses: globs, and the category and funnel stage that a mapping gives to the pages that match."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

import polars as pl

from analytics.events.tracking_plan import CallType

_NO_GLOB: Final = re.compile(r"[?#\[\]{}^$|\\\s]")
"""Characters that are special in other kinds of patterns, or end a path; in a path they are percent-encoded."""

_ADDRESS: Final = re.compile(r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#]*)", re.IGNORECASE)

IS_PAGE: Final = (pl.col("type") == CallType.PAGE).fill_null(value=False)
"""Whether an event is a page view."""

_RULE: Final = "page rule"
"""Name of a column that no table of events has."""

_PLACE: Final = ("context_page_path", "context_page_url")


class Address(NamedTuple):
    """Host and path of a page, as globs see them.

    Args:
        host: In small letters, without ``www.`` and the port; empty if the event has no URL.
        path: In small letters, percent-decoded, without query, fragment, repeated slashes and a slash at the end;
            ``/`` for the front page, and empty if the event has neither path nor URL.
    """

    host: str
    path: str


@dataclass(frozen=True)
class PageRule:
    """What a page is whose address matches a glob.

    Args:
        glob: See :func:`checked_glob`.
        category: Its page group; None leaves what the event says of it.
        stage: Its funnel stage: ``top``, ``middle`` or ``bottom``; None likewise.
    """

    glob: str
    category: str | None = None
    stage: str | None = None


def address(path: str | None, url: str | None) -> Address:
    """Return host and path of a page.

    Args:
        path: Its ``context.page.path``, which counts where it is given.
        url: Its ``context.page.url``.

    >>> address(None, "https://www.acme.io:8080/Pricing//EU/?utm_source=x#top")
    Address(host='acme.io', path='/pricing/eu')
    >>> address("/pricing/", None)
    Address(host='', path='/pricing')
    """
    host, rest = _split(url or "")
    if path:
        # Some senders give the whole address as the path.
        given_host, rest = _split(path)
        host = host or given_host
    elif not url:
        return Address("", "")
    return Address(host, _plain_path(rest))


def _split(text: str) -> tuple[str, str]:
    """Host and the rest of an address; no host if it has none."""
    found = _ADDRESS.match(text)
    return (_plain_host(found[1]), text[found.end() :]) if found else ("", text)


def _plain_host(host: str) -> str:
    return re.sub(r":\d*$", "", host.lower()).removeprefix("www.")


def _plain_path(text: str) -> str:
    path = unquote(re.split(r"[?#]", text, maxsplit=1)[0]).lower()
    return re.sub(r"/+", "/", f"/{path}").rstrip("/") or "/"


def checked_glob(glob: str) -> str:
    """Return a glob as it is, if it is one.

    ``*`` stands for any text, also for several folders, and ``**`` for the same; ``/**/`` also for a single slash. So
    ``/legal/*`` matches ``/legal/eu/privacy`` and, as a slash at the end does not count, ``/legal``; ``/*/pricing``
    matches ``/de/pricing``, and ``/**/pricing`` also ``/pricing``. Case does not matter. A glob that begins with a
    host, such as ``docs.acme.io/*`` or ``https://docs.acme.io/*``, matches only pages of this host; others match those
    of any host.

    Args:
        glob: The glob.

    Raises:
        ValueError: It is a regular expression, has a query or another special character, or begins like none.

    >>> checked_glob("/pricing*")
    '/pricing*'
    >>> checked_glob("pricing")
    Traceback (most recent call last):
    ...
    ValueError: 'pricing' is no glob of paths: it must begin with / or *, or with a host; did you mean '/pricing'?
    """
    if special := _NO_GLOB.search(glob):
        what = "queries and fragments do not count" if special[0] in "?#" else "only * and ** are special in a glob"
        raise ValueError(f"{glob!r} is no glob of paths: {what}, and {special[0]!r} cannot stand in it")
    host, path = _parts_of(glob)
    if not host and not path.startswith(("/", "*")):
        meant = f"did you mean '/{path}'" + (f" or '{path}/*'?" if "." in path else "?")
        raise ValueError(f"{glob!r} is no glob of paths: it must begin with / or *, or with a host; {meant}")
    return glob


def looks_like_glob(text: str) -> bool:
    """Whether a text is meant as a glob rather than as a category.

    >>> looks_like_glob("/pricing*"), looks_like_glob("*"), looks_like_glob("pricing")
    (True, True, False)
    """
    return "/" in text or "*" in text


def _parts_of(glob: str) -> tuple[str, str]:
    """Host (empty for any) and path of a glob."""
    if found := _ADDRESS.match(glob):
        return _plain_host(found[1]), glob[found.end() :] or "*"
    head, slash, rest = glob.partition("/")
    # A name with a dot before the first slash is a host; "*" there is the beginning of a path.
    is_host = bool(slash) and ("." in head or ":" in head or head == "localhost")
    return (_plain_host(head), f"/{rest}") if is_host else ("", glob)


@lru_cache(maxsize=4096)
def _matcher(glob: str) -> Callable[[Address], bool]:
    """Whether an address matches a glob."""
    host, path = _parts_of(glob)
    is_host = re.compile(_regex(host, "[^/]*")).fullmatch if host else None
    if path == "*":
        return lambda page: is_host is None or bool(is_host(page.host))
    plain = unquote(path).lower()
    # "/legal/" and "/legal" are one page, so "/legal/*" matches it as well.
    is_path = re.compile(_regex(plain if plain == "/" else plain.rstrip("/"), ".*")).fullmatch
    below = plain.endswith(("/*", "/**"))

    def matches(page: Address) -> bool:
        if is_host is not None and not is_host(page.host):
            return False
        return bool(page.path and (is_path(page.path) or (below and is_path(f"{page.path}/"))))

    return matches


def _regex(glob: str, star: str) -> str:
    parts = re.split(r"(/\*\*/|\*+)", glob)
    return "".join(
        f"/(?:{star}/)?" if part == "/**/" else star if part[:1] == "*" else re.escape(part) for part in parts
    )


def matching(globs: Sequence[str]) -> pl.Expr:
    """Return whether the address of an event's page matches one of some globs, on flat or enriched events.

    Args:
        globs: The globs; see :func:`checked_glob`.

    >>> pages = pl.DataFrame({"context_page_path": ["/de/pricing", "/"], "context_page_url": [None, None]})
    >>> pages.select(matching(["/*/pricing"])).to_series().to_list()
    [True, False]
    """
    return _first_match(globs).is_not_null()


def category_and_stage(rules: Sequence[PageRule]) -> tuple[pl.Expr, pl.Expr]:
    """Return the columns ``category`` and ``funnel_stage`` of events with what the rules say of their pages.

    The first rule that matches applies. What it says replaces what the event says; where it says nothing, and on pages
    that no rule matches, the event's own values stay. Only page views have either.

    Args:
        rules: The rules, in their order.
    """
    return _mapped(_first_match([rule.glob for rule in rules]), rules)


def _mapped(number: pl.Expr, rules: Sequence[PageRule]) -> tuple[pl.Expr, pl.Expr]:
    """The two columns, from the number of the rule that applies."""

    def column(name: str, values: list[str | None]) -> pl.Expr:
        mapped = number.replace_strict(dict(enumerate(values)), default=None, return_dtype=pl.String)
        own = pl.col(name).cast(pl.String)
        return pl.coalesce(pl.when(IS_PAGE).then(mapped), own).cast(pl.Categorical()).alias(name)

    return column("category", [rule.category for rule in rules]), column("funnel_stage", [rule.stage for rule in rules])


def with_pages(events: pl.DataFrame, rules: Sequence[PageRule]) -> pl.DataFrame:
    """Return events with the categories and funnel stages of a mapping; see :func:`category_and_stage`.

    Args:
        events: Flat or enriched events.
        rules: The rules, in their order.

    >>> from analytics.events.enrichment import conform
    >>> pages = conform(pl.DataFrame({"type": ["page"] * 2, "context_page_path": ["/legal/dpa/", "/jobs"]}))
    >>> with_pages(pages, [PageRule("/legal/*", "security", "bottom")])["category"].to_list()
    ['security', None]
    """
    if not rules:
        return events
    # Matched once for both columns.
    matched = events.with_columns(matched_rules(events, [rule.glob for rule in rules]).alias(_RULE))
    return matched.with_columns(_mapped(pl.col(_RULE), rules)).drop(_RULE)


def matched_rules(events: pl.DataFrame, globs: Sequence[str]) -> pl.Series:
    """Return the number of the first glob that the address of each event's page matches; null if none does.

    Args:
        events: Flat or enriched events.
        globs: The globs.
    """
    return events.select(_first_match(globs).alias("rule")).to_series()


def addresses(events: pl.DataFrame) -> pl.DataFrame:
    """Return ``host`` and ``path`` of the page of each event; see :class:`Address`.

    Args:
        events: Flat or enriched events.
    """
    schema = pl.Schema({"host": pl.String(), "path": pl.String()})
    return _by_address(events.select(_PLACE), lambda page: page, pl.Struct(schema)).struct.unnest()


def _first_match(globs: Sequence[str]) -> pl.Expr:
    """Number of the first glob that matches."""
    matchers = [_matcher(glob) for glob in globs]

    def number(page: Address) -> int | None:
        return next((number for number, matches in enumerate(matchers) if matches(page)), None)

    of_batch: Callable[[pl.Series], pl.Series] = lambda places: _by_address(  # noqa: E731 - short, and used once
        places.struct.unnest(), number, pl.UInt32()
    )
    return pl.struct(_PLACE).map_batches(of_batch, return_dtype=pl.UInt32())


def _by_address(places: pl.DataFrame, function: Callable[[Address], object], dtype: pl.DataType) -> pl.Series:
    """Apply a function to each distinct address."""
    path, url = (pl.col(name).cast(pl.String) for name in _PLACE)
    # Queries differ from view to view, and never matter.
    plain = places.select(path.alias("path"), url.str.extract(r"^([^?#]*)").alias("url"))
    distinct = plain.unique()
    found = [function(address(*row)) for row in distinct.iter_rows()]
    values = distinct.with_columns(pl.Series("value", found, dtype=dtype))
    return plain.join(values, on=["path", "url"], how="left", nulls_equal=True, maintain_order="left")["value"]

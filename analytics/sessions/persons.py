"""Persons: the connected components of browsers and user ids.

An event that has both identifiers joins a browser (``anonymousId``) and a user id. An alias call joins whom it names to
its ``previousId``, which may be a browser or an earlier user id. A server-side event with a user id alone belongs to
the person with that user id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from analytics.events.identifiers import identifiers
from analytics.events.tracking_plan import CallType
from analytics.sessions.timeline import enriched

IDENTITY_SCHEMA: Final = pl.Schema({"anonymous_id": pl.String(), "person_id": pl.String(), "n_users": pl.UInt32()})
"""Columns of the table of identities, one row per browser.

``person_id`` is the anonymous id of the person's first browser; ``n_users`` is the number of user ids on this browser:
0 where nobody was identified, more than 1 where people share it.
"""

OVER_MERGE_SCHEMA: Final = pl.Schema(
    {"column": pl.String(), "identifier": pl.String(), "joins": pl.String(), "n": pl.UInt32()}
)
"""Columns of the table of implausible identifiers.

``identifier`` is a value of ``column``, and was seen with ``n`` different values of ``joins``.
"""

MANY: Final = 10
"""Most identifiers of one kind that one identifier joins plausibly: devices, and browsers whose cookies were deleted.

Segment's library for browsers keeps its cookie for a year, so a person has few in the weeks that an analysis covers.
"""
FEW: Final = 5
"""Browsers of one user id that are implausible where they are more than half of all browsers."""

_JOINS: Final = (
    ("user_id", "anonymous_id"),
    ("anonymous_id", "user_id"),
    ("previous_id", "user_id"),
    ("user_id", "previous_id"),
)
"""Columns whose values join those of another."""
_KINDS: Final = {
    "anonymous_id": ("browser", "browsers"),
    "user_id": ("user id", "user ids"),
    "previous_id": ("previousId", "previousIds"),
}
_MOST_NAMED: Final = 3
"""Identifiers that a warning names; the rest is counted."""
_IDENTIFIERS: Final = ("anonymous_id", "user_id", "previous_id")
# Marks of nodes: a browser and a user id with one text are two nodes.
_BROWSER, _USER = "browser ", "user "


@dataclass(frozen=True)
class Identities:
    """Browsers and user ids in numbers that add up over persons, and those in doubt.

    Args:
        n_browsers: Browsers.
        n_users: User ids.
        n_users_without_browser: User ids of persons of whom no browser was seen.
        joined: Identifiers that join several others; columns of :data:`OVER_MERGE_SCHEMA`.
        shared: Browsers with several user ids, up to :data:`MANY`: ``anonymous_id`` and their number ``n``.
    """

    n_browsers: int
    n_users: int
    n_users_without_browser: int
    joined: pl.DataFrame
    shared: pl.DataFrame

    @property
    def over_merges(self) -> pl.DataFrame:
        """Identifiers that join implausibly many others; columns of :data:`OVER_MERGE_SCHEMA`, the largest first.

        These are user ids on more than :data:`MANY` browsers, browsers with more than :data:`MANY` user ids, and
        identifiers with as many aliases; and user ids on at least :data:`FEW` browsers that are more than half of all.
        """
        of_browsers = (pl.col("column") == "user_id") & (pl.col("joins") == "anonymous_id")
        is_many = (pl.col("n") > MANY) | (of_browsers & (2 * pl.col("n") > pl.lit(self.n_browsers)))
        return self.joined.filter(is_many).sort("n", "column", "identifier", descending=[True, False, False])

    @property
    def shared_browsers(self) -> pl.DataFrame:
        """Browsers with several user ids, most first."""
        return self.shared.sort("n", "anonymous_id", descending=[True, False])

    def without_browser(self) -> Iterator[str]:
        """Yield a sentence where user ids were never seen with a browser."""
        n = self.n_users_without_browser
        # Where no event has a browser, people are known by their user ids alone, and nothing is missing.
        if n and self.n_browsers:
            yield (
                f"{n:,} of {self.n_users:,} user ids {'was' if n == 1 else 'were'} never seen with a browser; if they "
                "visited the site, their page views count as those of somebody else"
            )

    def in_doubt(self) -> Iterator[str]:
        """Yield sentences on browsers of several people, and on identifiers that join too many."""
        if (shared := self.shared_browsers).height:
            browser, n_users = shared.row(0)
            have = "1 browser has" if shared.height == 1 else f"{shared.height:,} browsers have"
            yield (
                f"{have} several user ids (such as {browser!r} with {n_users}): the people of one browser are counted "
                "as one person, with their other browsers; --no-stitch counts each browser as it is"
            )
        if (found := self.over_merges).height:
            named = ", ".join(
                f"the {_KINDS[column][0]} {identifier!r} was seen with {n:,} {_KINDS[joins][1]}"
                for column, identifier, joins, n in found.head(_MOST_NAMED).iter_rows()
            )
            more = f", and so on for {found.height - _MOST_NAMED:,} more" if found.height > _MOST_NAMED else ""
            yield (
                f"{named}{more}; stitching makes one person of all of them: if that stands for many people (a default "
                "value, a test account, a shared device), leave its events out, or count browsers with --no-stitch"
            )


class Persons:
    """The persons in events.

    Args:
        events: Flat or enriched events, in any order.

    Raises:
        EventFrameError: The table is not a table of events.

    >>> rows = [{"type": "page", "anonymous_id": "a", "user_id": "u"}, {"type": "track", "user_id": "u"}]
    >>> Persons(pl.DataFrame(rows)).stitched()["anonymous_id"].to_list()
    ['a', 'a']
    """

    def __init__(self, events: pl.DataFrame) -> None:
        self._events = enriched(events)

    @cached_property
    def _seen(self) -> pl.DataFrame:
        events = self._events.select("type", *_IDENTIFIERS)
        # Hardly any stream has alias calls, and those without need not be searched for them.
        if events["previous_id"].null_count() == events.height:
            events = events.drop("type", "previous_id")
        return identifiers_seen_together(events.lazy())

    def stitched(self) -> pl.DataFrame:
        """The enriched events, in their order, with the name of the person as ``anonymous_id``.

        The name is the anonymous id of the browser that was seen first or, of a person without a browser, the user id
        seen first. An event of such a person keeps an empty ``anonymous_id`` where the name is its own user id.
        """
        if not join_somebody(self._seen):
            return self._events
        members = self._members.filter(pl.col("name") != pl.col("person_id"))
        who = self._events.select("anonymous_id", "user_id")
        for column, kind in (("anonymous_id", _BROWSER), ("user_id", _USER)):
            persons = members.filter(pl.col("kind") == kind).select(
                pl.col("name").alias(column), pl.col("person_id").alias(f"person of {column}")
            )
            who = who.join(persons, on=column, how="left", maintain_order="left")
        named = pl.coalesce("person of anonymous_id", "anonymous_id", "person of user_id")
        return self._events.with_columns(who.select(named.alias("anonymous_id")).to_series())

    @cached_property
    def browsers(self) -> pl.DataFrame:
        """One row per browser with its person; columns of :data:`IDENTITY_SCHEMA`, ordered by anonymous id."""
        browsers = self._events.select("anonymous_id").drop_nulls().unique()
        if join_somebody(self._seen):
            of_browsers = self._members.filter(pl.col("kind") == _BROWSER)
            persons = of_browsers.select("person_id", anonymous_id="name")
            browsers = browsers.join(persons, on="anonymous_id", how="left")
        else:
            browsers = browsers.with_columns(person_id=pl.lit(None, pl.String))
        users = _distinct(self._seen, "anonymous_id", "user_id").rename({"n": "n_users"})
        return (
            browsers.join(users, on="anonymous_id", how="left")
            # A browser without a user id is a person of its own.
            .with_columns(pl.coalesce("person_id", "anonymous_id").alias("person_id"), pl.col("n_users").fill_null(0))
            .select(pl.col(name).cast(dtype) for name, dtype in IDENTITY_SCHEMA.items())
            .sort("anonymous_id")
        )

    @cached_property
    def users(self) -> pl.Series:
        """All user ids, sorted."""
        return self._seen["user_id"].drop_nulls().unique().sort()

    @cached_property
    def users_without_browser(self) -> pl.Series:
        """User ids of persons of whom no browser was seen, sorted."""
        if not join_somebody(self._seen):
            return self._seen.filter(pl.col("anonymous_id").is_null())["user_id"].unique().sort()
        is_browser = pl.col("kind") == _BROWSER
        return self._members.filter(~is_browser.any().over("component"))["name"].sort()

    @cached_property
    def identities(self) -> Identities:
        """The browsers and user ids in numbers, and those in doubt."""
        # A user id that an alias call replaces is the same person's, and does not count. Neither does one that is the
        # browser's own id: tools with one kind of identifier write it as both where they do not know which it is.
        replaced = self._seen["previous_id"].drop_nulls().unique()
        current = self._seen.filter(~pl.col("user_id").is_in(replaced.implode())) if len(replaced) else self._seen
        users = _distinct(current.filter(pl.col("anonymous_id") != pl.col("user_id")), "anonymous_id", "user_id")
        return Identities(
            n_browsers=self._events["anonymous_id"].drop_nulls().n_unique(),
            n_users=len(self.users),
            n_users_without_browser=len(self.users_without_browser),
            joined=pl.concat([OVER_MERGE_SCHEMA.to_frame(), *self._joined()]),
            shared=users.filter(pl.col("n").is_between(2, MANY)),
        )

    def _joined(self) -> Iterator[pl.DataFrame]:
        """Identifiers that were seen with at least :data:`FEW` of another kind; :data:`OVER_MERGE_SCHEMA`."""
        for column, joins in _JOINS:
            joined = _distinct(self._seen, column, joins).filter(pl.col("n") >= FEW)
            found = joined.select(column=pl.lit(column), identifier=column, joins=pl.lit(joins), n="n")
            yield found.cast(OVER_MERGE_SCHEMA)

    @cached_property
    def _members(self) -> pl.DataFrame:
        """The browsers and user ids that were seen, as ``kind`` and ``name``, with ``component`` and ``person_id``."""
        nodes = components(self._seen)
        first = []
        for column, kind in (("anonymous_id", _BROWSER), ("user_id", _USER)):
            of_kind = nodes.filter(pl.col("kind") == kind)
            times = self._events.lazy().select(name=column, seen_at="event_time").drop_nulls("name")
            first.append(of_kind.lazy().join(times.group_by("name").agg(pl.col("seen_at").min()), on="name"))
        return (
            pl.concat(first)
            .sort("kind", "seen_at", "name", nulls_last=True)
            .with_columns(person_id=pl.col("name").first().over("component"))
            .collect()
        )


def identifiers_seen_together(events: pl.LazyFrame) -> pl.DataFrame:
    """Distinct identifiers of events that name a user, or the previous identifier of an alias call.

    Args:
        events: Flat or enriched events, with some of the columns ``anonymous_id``, ``user_id``, ``previous_id`` and,
            with the last, ``type``.

    Returns:
        One row per combination of the three.
    """
    names = events.collect_schema().names()
    columns = [
        pl.col(name).cast(pl.String) if name in names else pl.lit(None, pl.String).alias(name) for name in _IDENTIFIERS
    ]
    if "previous_id" in names:
        # Of other calls the column has no meaning.
        is_alias = pl.col("type") == CallType.ALIAS
        columns[-1] = pl.when(is_alias).then(columns[-1]).alias("previous_id")
    named = pl.any_horizontal(pl.col("user_id", "previous_id").is_not_null())
    distinct = events.select(columns).filter(named).unique().collect(engine="streaming")
    # Again after texts that stand for nobody have become null.
    return distinct.select(identifiers(name) for name in _IDENTIFIERS).filter(named).unique()


def join_somebody(seen: pl.DataFrame) -> bool:
    """Whether any two identifiers by which events go are one person's; if not, each browser is a person.

    Args:
        seen: From :func:`identifiers_seen_together`.
    """
    has_alias = seen["previous_id"].null_count() < seen.height
    return has_alias or seen["user_id"].n_unique() < seen.height


def components(seen: pl.DataFrame) -> pl.DataFrame:
    """Find the connected components of the graph of browsers and user ids.

    Args:
        seen: From :func:`identifiers_seen_together`.

    Returns:
        One row per node: ``kind``, ``name`` and the number of its ``component``. The previous identifier of an alias
        call is a browser and a user id, as nothing says which; at most one of them was ever seen otherwise.
    """
    # SciPy's graphs are slow to import, and a stream in which everybody has one browser needs none.
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    browser, user = _BROWSER + pl.col("anonymous_id"), _USER + pl.col("user_id")
    whoever, previous = pl.coalesce(browser, user), pl.col("previous_id")
    joined = ((whoever, whoever), (browser, user), (whoever, _BROWSER + previous), (whoever, _USER + previous))
    edges = pl.concat([seen.select(one.alias("one"), other.alias("other")).drop_nulls() for one, other in joined])
    nodes = pl.concat([edges["one"], edges["other"]]).unique().sort()
    ends = [edges[end].cast(pl.Enum(nodes)).to_physical().to_numpy() for end in ("one", "other")]
    graph = coo_array((np.ones(edges.height, dtype=np.int8), ends), shape=(len(nodes), len(nodes)))
    component = connected_components(graph, directed=False)[1] if len(nodes) else np.empty(0, dtype=np.int32)
    kind, name = pl.lit(_BROWSER), pl.col("node").str.strip_prefix(_BROWSER)
    is_browser = pl.col("node").str.starts_with(_BROWSER)
    return pl.DataFrame({"node": nodes, "component": component}).select(
        kind=pl.when(is_browser).then(kind).otherwise(pl.lit(_USER)),
        name=pl.when(is_browser).then(name).otherwise(pl.col("node").str.strip_prefix(_USER)),
        component="component",
    )


def keys_of_members(seen: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """One key for all identifiers of a person, by column: ``anonymous_id`` or ``user_id``, and ``key``.

    Args:
        seen: From :func:`identifiers_seen_together`.
    """
    nodes = components(seen).with_columns(key=pl.col("name").min().over("component"))
    return {
        column: nodes.filter(pl.col("kind") == kind).select(pl.col("name").alias(column), "key")
        for column, kind in (("anonymous_id", _BROWSER), ("user_id", _USER))
    }


def _distinct(seen: pl.DataFrame, column: str, other: str) -> pl.DataFrame:
    """Number ``n`` of different values of another column for each value of one."""
    pairs = seen.select(column, other).drop_nulls().unique()
    return pairs.group_by(column).agg(n=pl.len().cast(pl.UInt32))

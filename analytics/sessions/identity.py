"""Identity resolution: which browsers belong to one person.

A browser has an anonymous id, an identified person a user id. Deterministic stitching joins browsers with a common user
id: :func:`stitch` finds the persons, :func:`stitched` replaces the identifiers of events, and :func:`score_stitching`
compares the persons with known true ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analytics.errors import AnalyticsError
from analytics.sessions.timeline import enriched

IDENTITY_SCHEMA = pl.Schema({"anonymous_id": pl.String(), "person_id": pl.String(), "n_users": pl.UInt32()})
"""Columns of the table of identities, one row per browser.

``person_id`` is the anonymous id of the person's first browser; ``n_users`` is the number of user ids on this browser:
0 where nobody was identified, more than 1 where people share it.
"""


@dataclass(frozen=True)
class StitchingScore:
    """Pairwise precision and recall of stitching, over the browsers that are in both tables.

    A pair of browsers is true if both belong to one person, and found if stitching joins them.

    Attributes:
        n_browsers: Browsers in both tables.
        n_unscored: Browsers in only one of them.
        n_true_pairs: True pairs.
        n_found_pairs: Found pairs.
        n_common_pairs: Pairs that are both.
        n_split: True persons who were found as several.
        n_merged: Persons found that are several true ones, such as users of a shared browser.
    """

    n_browsers: int
    n_unscored: int
    n_true_pairs: int
    n_found_pairs: int
    n_common_pairs: int
    n_split: int
    n_merged: int

    @property
    def precision(self) -> float | None:
        """Share of found pairs that are true; None if none was found."""
        return self.n_common_pairs / self.n_found_pairs if self.n_found_pairs else None

    @property
    def recall(self) -> float | None:
        """Share of true pairs that were found; None if everybody has one browser."""
        return self.n_common_pairs / self.n_true_pairs if self.n_true_pairs else None


def stitch(events: pl.DataFrame) -> pl.DataFrame:
    """Assign each browser to a person, by shared user ids.

    Browsers on which the same user id was seen belong to one person, and so on from browser to user id to browser: the
    persons are the connected components of that graph. A browser without a user id is a person of its own.
    An empty identifier counts as missing.

    A browser that several people share joins them all into one person. That is the classic over-merge of deterministic
    stitching; ``n_users`` greater than 1 shows where it can have happened. A placeholder as user id, such as a default
    value, merges all its browsers: look for persons with very many of them.

    Args:
        events: Flat or enriched events, in any order.

    Returns:
        Table with the columns of :data:`IDENTITY_SCHEMA`, one row per browser, ordered by anonymous id.

    Raises:
        EventFrameError: The table is not a table of events.
    """
    seen = _sightings(enriched(events))
    browsers = seen.drop_nulls("anonymous_id").group_by("anonymous_id").agg(seen_at=pl.col("event_time").min())
    pairs = seen.select("anonymous_id", "user_id").drop_nulls().unique()
    users = pairs.group_by("anonymous_id").agg(n_users=pl.len().cast(pl.UInt32))
    return (
        browsers.join(_components(pairs), on="anonymous_id", how="left")
        .sort("seen_at", "anonymous_id", nulls_last=True)
        # A browser without a user id is in no component.
        .with_columns(
            person_id=pl.when(pl.col("component").is_not_null())
            .then(pl.col("anonymous_id").first().over("component"))
            .otherwise("anonymous_id")
        )
        .join(users, on="anonymous_id", how="left")
        .with_columns(pl.col("n_users").fill_null(0))
        .select(pl.col(name).cast(dtype) for name, dtype in IDENTITY_SCHEMA.items())
        .sort("anonymous_id")
    )


def stitched(events: pl.DataFrame, identities: pl.DataFrame | None = None) -> pl.DataFrame:
    """Replace the browsers of events by persons, so that visits and statistics count persons.

    Each ``anonymous_id`` becomes the person's. An event without one, such as a server-side event, gets that of the
    person with its user id, if a browser has the same user id; else it is unchanged.

    Args:
        events: Flat or enriched events, in any order.
        identities: Table with ``anonymous_id`` and ``person_id``, of :func:`stitch` or the true ones; by default
            :func:`stitch` of these events. Other browsers are unchanged.

    Returns:
        The enriched events, in the order given.

    Raises:
        AnalyticsError: The identities lack a column or a value, or have a browser twice.
        EventFrameError: The table is not a table of events.
    """
    table = enriched(events)
    known = _checked(stitch(table) if identities is None else identities, "identities")
    seen = (
        _sightings(table)
        .join(known, on="anonymous_id", how="left", maintain_order="left")
        .with_columns(pl.coalesce("person_id", "anonymous_id"))
    )
    of_user = (
        seen.drop_nulls(["user_id", "person_id"])
        .sort("event_time", "anonymous_id", nulls_last=True)
        .unique("user_id", keep="first", maintain_order=True)
        .select("user_id", user_person="person_id")
    )
    who = seen.join(of_user, on="user_id", how="left", maintain_order="left")
    return table.with_columns(pl.coalesce(who["person_id"], who["user_person"], "anonymous_id").alias("anonymous_id"))


def score_stitching(found: pl.DataFrame, truth: pl.DataFrame) -> StitchingScore:
    """Score stitching against the true persons: pairwise precision and recall over browsers.

    Pairwise precision and recall weigh a person by the pairs of their browsers: see D. Menestrina, S. E. Whang,
    H. Garcia-Molina, Proceedings of the VLDB Endowment 3 (2010) 208-219.

    Args:
        found: Table with ``anonymous_id`` and ``person_id``, as of :func:`stitch`.
        truth: The same for the true persons. Only browsers in both tables are scored.

    Raises:
        AnalyticsError: A table lacks a column or a value, or has a browser twice.
    """
    found, truth = _checked(found, "found"), _checked(truth, "truth")
    both = found.join(truth.rename({"person_id": "true_id"}), on="anonymous_id")
    return StitchingScore(
        n_browsers=both.height,
        n_unscored=found.height + truth.height - 2 * both.height,
        n_true_pairs=_n_pairs(both, "true_id"),
        n_found_pairs=_n_pairs(both, "person_id"),
        n_common_pairs=_n_pairs(both, "true_id", "person_id"),
        n_split=_n_with_several(both, "true_id", "person_id"),
        n_merged=_n_with_several(both, "person_id", "true_id"),
    )


def _sightings(table: pl.DataFrame) -> pl.DataFrame:
    """Time and both identifiers of each event; an empty identifier is null."""
    return table.select(
        "event_time",
        *(pl.when(pl.col(name).str.strip_chars() != "").then(name) for name in ("anonymous_id", "user_id")),
    )


def _components(pairs: pl.DataFrame) -> pl.DataFrame:
    """Number of the connected component of each browser with a user id, in the graph of browsers and user ids."""
    # SciPy's graphs are slow to import, and few analyses need them.
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    numbered = pairs.with_columns(
        browser=pl.col("anonymous_id").rank("dense").cast(pl.Int64) - 1,
        user=pl.col("user_id").rank("dense").cast(pl.Int64) - 1,
    )
    n_browsers, n_users = pairs["anonymous_id"].n_unique(), pairs["user_id"].n_unique()
    n = n_browsers + n_users
    # Browsers and people are nodes of one graph: numbers of people follow those of browsers.
    ends = numbered["browser"].to_numpy(), n_browsers + numbered["user"].to_numpy()
    edges = coo_array((np.ones(pairs.height, dtype=np.int8), ends), shape=(n, n))
    component = connected_components(edges, directed=False)[1] if n else np.empty(0, dtype=np.int32)
    return numbered.select("anonymous_id", component=pl.Series(component[ends[0]], dtype=pl.Int32)).unique()


def _checked(identities: pl.DataFrame, name: str) -> pl.DataFrame:
    """The two columns of identities, checked."""
    columns = ["anonymous_id", "person_id"]
    if missing := [column for column in columns if column not in identities.columns]:
        raise AnalyticsError(f"{name}: has no column {' and '.join(missing)}; see analytics.identity.IDENTITY_SCHEMA")
    table = identities.select(pl.col(columns).cast(pl.String))
    if gaps := table.height - table.drop_nulls().height:
        raise AnalyticsError(f"{name}: {gaps} rows lack anonymous_id or person_id; drop them")
    if twice := table.filter(pl.col("anonymous_id").is_duplicated())["anonymous_id"].min():
        raise AnalyticsError(f"{name}: browser {twice!r} is in several rows; it must be in one")
    return table


def _n_pairs(both: pl.DataFrame, *groups: str) -> int:
    """Number of pairs of rows that agree in these columns."""
    size = pl.col("len").cast(pl.Int64)
    return int(both.group_by(groups).len().select((size * (size - 1) // 2).sum()).item())


def _n_with_several(both: pl.DataFrame, group: str, other: str) -> int:
    """Number of values of one column with several values of another."""
    return int((both.group_by(group).agg(pl.col(other).n_unique())[other] > 1).sum())

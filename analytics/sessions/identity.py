"""Identity resolution: which browsers belong to one person.

A browser has an anonymous id, an identified person a user id. Deterministic stitching joins those that events name
together: :func:`stitch` finds the persons, :func:`stitched` replaces the identifiers of events, and
:func:`score_stitching` compares the persons with known true ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from analytics.errors import AnalyticsError
from analytics.sessions.persons import Persons
from analytics.sessions.timeline import enriched


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
    """Assign each browser to a person.

    Persons are the connected components of browsers and user ids. An event that has both joins them, and so does an
    alias call with its ``previousId``. A browser without either is a person of its own. An identifier that stands for
    nobody (empty, ``null``, ``undefined``) joins nobody.

    A browser that several people share joins them all into one person, and so does a user id that stands for many, such
    as a default value or a test account. That is the over-merge of deterministic stitching: ``n_users`` greater than 1
    shows where it can have happened, and analyses warn of implausible identifiers.

    Args:
        events: Flat or enriched events, in any order.

    Returns:
        Table with the columns of :data:`analytics.sessions.persons.IDENTITY_SCHEMA`, one row per browser, ordered by
        anonymous id.

    Raises:
        EventFrameError: The table is not a table of events.

    >>> phone, laptop = ({"type": "page", "anonymous_id": name, "user_id": "u"} for name in ("phone", "laptop"))
    >>> stitch(pl.DataFrame([phone, laptop])).rows()
    [('laptop', 'laptop', 1), ('phone', 'laptop', 1)]
    """
    return Persons(events).browsers


def stitched(events: pl.DataFrame, identities: pl.DataFrame | None = None) -> pl.DataFrame:
    """Replace the browsers of events by persons, so that visits and statistics count persons.

    Each ``anonymous_id`` becomes the person's: that of the browser seen first. An event without one, such as a
    server-side event, gets that of the person with its user id, if there is any; else it is unchanged.

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
    if identities is None:
        return Persons(events).stitched()
    table = enriched(events)
    known = _checked(identities, "identities")
    seen = (
        table.select("event_time", "anonymous_id", "user_id")
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


def _checked(identities: pl.DataFrame, name: str) -> pl.DataFrame:
    """The two columns of identities, checked."""
    columns = ["anonymous_id", "person_id"]
    if missing := [column for column in columns if column not in identities.columns]:
        raise AnalyticsError(
            f"{name}: has no column {' and '.join(missing)}; see analytics.sessions.persons.IDENTITY_SCHEMA"
        )
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

"""Outcomes of experiments: when each visitor came into an arm, what was known before, and whether a demo was requested.

The visitor is the unit of randomisation, so there is one row per visitor and experiment.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from analytics.events.dimensions import DIMENSIONS
from analytics.events.server_side import by_server
from analytics.events.tracking_plan import UTC_MS, CallType, EventName
from analytics.sessions.timeline import VISITOR

PREDICTORS: Final = ("channel", "device", "region", "company_size")
"""Dimensions by which requests are predicted: what the visitor's first event says of them, which no arm can change."""

OUTCOME_SCHEMA: Final = pl.Schema(
    {
        "experiment": pl.Categorical(),
        "arm": pl.Categorical(),
        "visitor": pl.String(),
        "account": pl.Categorical(),
        "exposed_at": UTC_MS,
        "requested_at": UTC_MS,
        "n_views_before": pl.UInt32(),
        **dict.fromkeys(PREDICTORS, pl.Categorical()),
    }
)
"""Columns of outcomes, one row per visitor and experiment.

``exposed_at`` is the time of the visitor's first event in the arm, other than those of servers; null if there is none.
``requested_at`` is that of the first demo request, and ``n_views_before`` the number of page views before exposure.
``account`` is the first that is known.
"""

AT_RISK: Final = pl.col("exposed_at").is_not_null() & (pl.col("requested_at") >= pl.col("exposed_at")).fill_null(
    value=True
)
"""Whether a visitor could still make a first request when the arm was first seen."""


def visitor_outcomes(events: pl.DataFrame, assigned: pl.DataFrame) -> pl.DataFrame:
    """Return the outcomes of the visitors of experiments.

    Args:
        events: Enriched events, all of a visitor or none.
        assigned: ``experiment``, ``arm`` and ``visitor``, each visitor in one arm of an experiment.

    Returns:
        Columns of :data:`OUTCOME_SCHEMA`, sorted by the first three.
    """
    if assigned.is_empty():
        return OUTCOME_SCHEMA.to_frame()
    line = (
        events.lazy()
        .filter(~pl.col("is_bot") & pl.col("event_time").is_not_null())
        .select(
            VISITOR.cast(pl.String),
            "event_time",
            pl.col("context_experiments").cast(pl.String).alias("label"),
            pl.col("context_group_id").cast(pl.String).alias("account"),
            *(DIMENSIONS[name].expression.cast(pl.String).alias(name) for name in PREDICTORS),
            browser=~by_server(),
            page=(pl.col("type") == CallType.PAGE).fill_null(value=False),
            request=(pl.col("event") == EventName.DEMO_REQUESTED).fill_null(value=False),
        )
        .join(assigned.lazy().select("visitor").unique(), on="visitor", how="semi")
        .sort("event_time", maintain_order=True)
        .collect()
    )
    exposed = _exposures(line, assigned)
    first = (pl.col(name).filter("browser").first() for name in PREDICTORS)
    of_visitor = line.group_by("visitor").agg(
        pl.col("account").drop_nulls().first(), *first, requested_at=pl.col("event_time").filter("request").min()
    )
    return (
        assigned.join(exposed, on=["experiment", "visitor"], how="left")
        .join(of_visitor, on="visitor", how="left")
        .join(_views_before(line, exposed), on=["experiment", "visitor"], how="left")
        .with_columns(pl.col("n_views_before").fill_null(0))
        .select(pl.col(name).cast(dtype) for name, dtype in OUTCOME_SCHEMA.items())
        .sort("experiment", "arm", "visitor")
    )


def _exposures(line: pl.DataFrame, assigned: pl.DataFrame) -> pl.DataFrame:
    """One row per ``experiment`` and ``visitor`` with an event in the arm that is no server's: ``exposed_at``."""
    seen = line.filter(pl.col("browser") & pl.col("label").is_not_null())
    # Few texts a visitor: they are taken apart after the events have been counted.
    firsts = seen.group_by("visitor", "label").agg(exposed_at=pl.col("event_time").min())
    labels = firsts.with_columns(pl.col("label").str.split(";")).explode("label")
    parts = pl.col("label").str.splitn("=", 2).struct
    return (
        labels.with_columns(experiment=parts.field("field_0"), arm=parts.field("field_1"))
        .join(assigned, on=["experiment", "arm", "visitor"], how="semi")
        .group_by("experiment", "visitor")
        .agg(pl.col("exposed_at").min())
    )


def _views_before(line: pl.DataFrame, exposed: pl.DataFrame) -> pl.DataFrame:
    """One row per ``experiment`` and ``visitor`` with page views before exposure: ``n_views_before``."""
    views = line.filter("page").select("visitor", "event_time").join(exposed, on="visitor")
    return (
        views.filter(pl.col("event_time") < pl.col("exposed_at"))
        .group_by("experiment", "visitor")
        .agg(n_views_before=pl.len())
    )

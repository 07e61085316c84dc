"""Which visitors are programs: told by what they say, by how fast they go, and by how evenly.

A program says in its user agent what it is, or it does not. One that is disguised as a browser gives itself away by its
pace: nobody opens twenty pages in a minute, and nobody takes the same time over each. What is found out is tagged, so
that statistics and intent model leave it out as they leave out what says so itself; nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from analytics.events.tracking_plan import CallType
from analytics.sessions.timeline import VISITOR, enriched

__all__ = ["BotRule", "BotScore", "BotSettings", "score_bots", "tag_bots"]


class BotRule(StrEnum):
    """What gives a program away; of several rules that hold, the first counts."""

    USER_AGENT = "user_agent"
    RATE = "rate"
    STEADY = "steady"


class BotSettings(BaseModel):
    """Where a visitor's pace is no longer that of a person.

    Args:
        rate_page_views: So many page views …
        rate_seconds: … within this time, both ends included, are a program's, in seconds.
        steady_page_views: So many page views in a row …
        steady_variation: … whose intervals vary by no more than this, as a share of their mean (the coefficient of
            variation), are a program's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_page_views: Annotated[int, Field(ge=2)] = 20
    rate_seconds: Annotated[float, Field(gt=0)] = 60.0
    steady_page_views: Annotated[int, Field(ge=4)] = 10
    steady_variation: Annotated[float, Field(ge=0, lt=1)] = 0.1


TRUE_LABELS: Final = ("crawler", "disguised_bot")
"""Labels of the simulator's bots."""

_RULE: Final = pl.Enum([rule.value for rule in BotRule])
# Intervals beyond this are all the same to the rules, and would only cost the rolling sums their digits.
_LONG_MS: Final = 86_400_000


def tag_bots(events: pl.DataFrame, settings: BotSettings | None = None) -> pl.DataFrame:
    """Tag all events of visitors that are programs.

    Args:
        events: Flat or enriched events, in any order; all of each visitor's, or only what is given is looked at.
        settings: Where a person's pace ends; the defaults unless given.

    Returns:
        The enriched events in the given order, with ``is_bot`` true of every event of a program, and ``bot_rule``, the
        rule of :class:`BotRule` that found it out (null for people).

    Raises:
        EventFrameError: The table is not a table of events.
    """
    table = enriched(events)
    rules = _rule_of_visitor(table, settings or BotSettings())
    tagged = table.select(VISITOR).join(rules, on="visitor", how="left", maintain_order="left")
    return table.with_columns(tagged["bot_rule"], (tagged["bot_rule"].is_not_null() | table["is_bot"]).alias("is_bot"))


def _rule_of_visitor(table: pl.DataFrame, settings: BotSettings) -> pl.DataFrame:
    """One row for each ``visitor`` that is a program, with its ``bot_rule``."""
    line = table.lazy().select(VISITOR, "event_time", "is_bot", page=pl.col("type") == CallType.PAGE)
    line = line.filter(pl.col("visitor").is_not_null())
    says_so = line.filter("is_bot").select("visitor", bot_rule=pl.lit(BotRule.USER_AGENT.value, _RULE))
    pages = line.filter(pl.col("page") & pl.col("event_time").is_not_null()).sort("visitor", "event_time")
    found = [
        pages.filter(is_program).select("visitor", bot_rule=pl.lit(rule.value, _RULE))
        for rule, is_program in ((BotRule.RATE, _is_fast(settings)), (BotRule.STEADY, _is_steady(settings)))
    ]
    # The order of an Enum is that of its categories.
    return pl.concat([says_so, *found]).group_by("visitor").agg(pl.col("bot_rule").min()).collect()


def _is_fast(settings: BotSettings) -> pl.Expr:
    """Whether a page view is the last of too many in too short a time; rows by visitor and time."""
    before = settings.rate_page_views - 1
    span = pl.col("event_time") - pl.col("event_time").shift(before)
    return (pl.col("visitor") == pl.col("visitor").shift(before)) & (span <= timedelta(seconds=settings.rate_seconds))


def _is_steady(settings: BotSettings) -> pl.Expr:
    """Whether a page view is the last of many at even intervals; rows by visitor and time."""
    n_gaps = settings.steady_page_views - 1
    gap = pl.col("event_time").diff().dt.total_milliseconds().clip(0, _LONG_MS).cast(pl.Float64)
    variation = gap.rolling_std(n_gaps) / gap.rolling_mean(n_gaps)
    return (pl.col("visitor") == pl.col("visitor").shift(n_gaps)) & (variation <= settings.steady_variation)


@dataclass(frozen=True, eq=False)
class BotScore:
    """How well programs were found out, where it is known who was one.

    Args:
        n_bots: Visitors that are programs.
        n_tagged: Visitors that were taken for one.
        n_found: Visitors that are programs and were taken for one.
        by_label: One row for each kind of program: ``label``, ``bots``, ``found`` and ``recall``.
        by_rule: One row for each rule that found one: ``bot_rule``, ``tagged``, ``found`` and ``precision``.
    """

    n_bots: int
    n_tagged: int
    n_found: int
    by_label: pl.DataFrame
    by_rule: pl.DataFrame

    @property
    def precision(self) -> float | None:
        """Share of those tagged that are programs; None where nobody was tagged."""
        return self.n_found / self.n_tagged if self.n_tagged else None

    @property
    def recall(self) -> float | None:
        """Share of the programs that were tagged; None where there was none."""
        return self.n_found / self.n_bots if self.n_bots else None


def score_bots(tagged: pl.DataFrame, labels: pl.DataFrame, true_labels: Collection[str] = TRUE_LABELS) -> BotScore:
    """Hold the tags of :func:`tag_bots` against the truth, visitor by visitor.

    Args:
        tagged: Tagged events. A program of which no event is there cannot be found, and does not count.
        labels: Table with ``anonymous_id`` and ``label``, such as a run's ``labels.parquet``.
        true_labels: Labels of programs.
    """
    kinds = labels.select(visitor=pl.col("anonymous_id"), label=pl.col("label").cast(pl.String))
    kinds = kinds.filter(pl.col("label").is_in(list(true_labels))).unique("visitor", keep="any")
    visitors = tagged.select(VISITOR, "bot_rule").drop_nulls("visitor").unique("visitor")
    seen = visitors.join(kinds, on="visitor", how="left")
    is_bot, is_tagged = pl.col("label").is_not_null(), pl.col("bot_rule").is_not_null()
    n_found = seen.filter(is_bot & is_tagged).height
    by_label = seen.filter(is_bot).group_by("label").agg(bots=pl.len(), found=is_tagged.sum())
    by_rule = seen.filter(is_tagged).group_by("bot_rule").agg(tagged=pl.len(), found=is_bot.sum())
    return BotScore(
        n_bots=seen.filter(is_bot).height,
        n_tagged=seen.filter(is_tagged).height,
        n_found=n_found,
        by_label=by_label.with_columns(recall=pl.col("found") / pl.col("bots")).sort("label"),
        by_rule=by_rule.with_columns(precision=pl.col("found") / pl.col("tagged")).sort("bot_rule"),
    )

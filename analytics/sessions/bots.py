"""Bot detection: by user agent, by rate and by regularity of page views.

Declared bots are known by their user agent. Undeclared bots behave unlike people: they view twenty pages in a minute,
or take the same time for each. Their events are tagged, not deleted; statistics and the intent model exclude them like
those of declared bots.
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


class BotRule(StrEnum):
    """Rules of bot detection, in order of precedence."""

    USER_AGENT = "user_agent"
    RATE = "rate"
    STEADY = "steady"


class BotSettings(BaseModel):
    """Thresholds of bot detection.

    Args:
        rate_page_views: Number of page views that are a bot's if they occur within ``rate_seconds``.
        rate_seconds: Length of that time, both ends included, in seconds.
        steady_page_views: Number of successive page views that are a bot's if their intervals are regular.
        steady_variation: Largest coefficient of variation of regular intervals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_page_views: Annotated[int, Field(ge=2)] = 20
    rate_seconds: Annotated[float, Field(gt=0)] = 60.0
    steady_page_views: Annotated[int, Field(ge=4)] = 10
    steady_variation: Annotated[float, Field(ge=0, lt=1)] = 0.1


TRUE_LABELS: Final = ("crawler", "disguised_bot")
"""Labels of the simulator's bots."""

_RULE: Final = pl.Enum([rule.value for rule in BotRule])
# Longer intervals make no difference to the rules, but rolling sums would lose digits by them.
_LONG_MS: Final = 86_400_000


def tag_bots(events: pl.DataFrame, settings: BotSettings | None = None) -> pl.DataFrame:
    """Tag all events of bots.

    Args:
        events: Flat or enriched events, in any order, with all events of each visitor.
        settings: Thresholds; the defaults unless given.

    Returns:
        The enriched events in the given order, with ``is_bot`` true for all events of a bot, and ``bot_rule``, the rule
        of :class:`BotRule` that found it (null for people).

    Raises:
        EventFrameError: The table is not a table of events.
    """
    table = enriched(events)
    rules = _rule_of_visitor(table, settings or BotSettings())
    tagged = table.select(VISITOR).join(rules, on="visitor", how="left", maintain_order="left")
    return table.with_columns(tagged["bot_rule"], (tagged["bot_rule"].is_not_null() | table["is_bot"]).alias("is_bot"))


def n_suspected_bots(events: pl.DataFrame, settings: BotSettings | None = None) -> int:
    """Count the visitors whose pace is not human and whose user agent does not say that they are bots.

    Args:
        events: Flat or enriched events, in any order, with all events of each visitor.
        settings: Thresholds; the defaults unless given.

    Raises:
        EventFrameError: The table is not a table of events.
    """
    rules = _rule_of_visitor(enriched(events), settings or BotSettings())
    return rules.filter(pl.col("bot_rule") != BotRule.USER_AGENT.value).height


def _rule_of_visitor(table: pl.DataFrame, settings: BotSettings) -> pl.DataFrame:
    """One row for each ``visitor`` that is a bot, with its ``bot_rule``."""
    line = table.lazy().select(VISITOR, "event_time", "is_bot", page=pl.col("type") == CallType.PAGE)
    line = line.filter(pl.col("visitor").is_not_null())
    declared = line.filter("is_bot").select("visitor", bot_rule=pl.lit(BotRule.USER_AGENT.value, _RULE))
    pages = line.filter(pl.col("page") & pl.col("event_time").is_not_null()).sort("visitor", "event_time")
    found = [
        pages.filter(is_bot).select("visitor", bot_rule=pl.lit(rule.value, _RULE))
        for rule, is_bot in ((BotRule.RATE, _is_fast(settings)), (BotRule.STEADY, _is_steady(settings)))
    ]
    # The minimum of an Enum is its first category, so the first rule counts.
    return pl.concat([declared, *found]).group_by("visitor").agg(pl.col("bot_rule").min()).collect()


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
    """Precision and recall of bot detection, against known labels.

    Args:
        n_bots: Visitors that are bots.
        n_tagged: Visitors that were tagged.
        n_found: Bots that were tagged.
        by_label: One row for each kind of bot: ``label``, ``bots``, ``found`` and ``recall``.
        by_rule: One row for each rule that tagged a visitor: ``bot_rule``, ``tagged``, ``found`` and ``precision``.
    """

    n_bots: int
    n_tagged: int
    n_found: int
    by_label: pl.DataFrame
    by_rule: pl.DataFrame

    @property
    def precision(self) -> float | None:
        """Share of tagged visitors that are bots; None if nobody was tagged."""
        return self.n_found / self.n_tagged if self.n_tagged else None

    @property
    def recall(self) -> float | None:
        """Share of bots that were tagged; None if there was none."""
        return self.n_found / self.n_bots if self.n_bots else None


def score_bots(tagged: pl.DataFrame, labels: pl.DataFrame, true_labels: Collection[str] = TRUE_LABELS) -> BotScore:
    """Score the tags of :func:`tag_bots` against known labels, per visitor.

    Args:
        tagged: Tagged events. A bot without any event does not count.
        labels: Table with ``anonymous_id`` and ``label``, such as a run's ``labels.parquet``.
        true_labels: Labels of bots.
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

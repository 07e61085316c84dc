"""Channels of one's own, as custom channel groups of Google Analytics: rules that come before the usual ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

_COLUMNS: Final = {
    "utm_source": "campaign_source",
    "utm_medium": "campaign_medium",
    "utm_campaign": "campaign_name",
    "referrer": "referrer_domain",
}


@dataclass(frozen=True)
class ChannelRule:
    """What marks the arrivals of a channel: each list that is given has the value of the event.

    Args:
        name: Name of the channel.
        utm_source, utm_medium, utm_campaign: UTM parameters of its links.
        referrer: Hosts of its sites, for links without UTM parameters.
    """

    name: str
    utm_source: tuple[str, ...] = ()
    utm_medium: tuple[str, ...] = ()
    utm_campaign: tuple[str, ...] = ()
    referrer: tuple[str, ...] = ()

    @property
    def expression(self) -> pl.Expr:
        """Whether an enriched event is an arrival by this channel."""
        wanted = {column: getattr(self, name) for name, column in _COLUMNS.items() if getattr(self, name)}
        matches = [
            pl.col(column)
            .cast(pl.String)
            .str.strip_chars()
            .str.to_lowercase()
            .is_in([value.lower() for value in values])
            for column, values in wanted.items()
        ]
        if wanted.keys() == {"referrer_domain"}:
            # A tagged link is never judged by its referrer: the tag says where the link was placed.
            tags = [pl.col(column) for column in _COLUMNS.values() if column != "referrer_domain"]
            matches += [tag.is_null() for tag in tags]
        return pl.all_horizontal(match.fill_null(value=False) for match in matches)


def with_own_channels(events: pl.DataFrame, rules: Sequence[ChannelRule]) -> pl.DataFrame:
    """Return events with the names of channels of one's own in the column ``channel``.

    Args:
        events: Enriched events.
        rules: Rules of the channels; the first that matches applies, and events without any keep their channel.

    >>> from analytics.events.enrichment import enrich
    >>> page = {"type": ["page"], "context_campaign_source": ["talks"], "context_campaign_medium": ["audio"]}
    >>> events = enrich(pl.DataFrame(page))
    >>> named = with_own_channels(events, [ChannelRule("podcast", utm_medium=("audio",))])
    >>> events["channel"].item(), named["channel"].item()
    ('audio', 'podcast')
    """
    if not rules:
        return events
    names = [pl.when(rule.expression).then(pl.lit(rule.name)) for rule in rules]
    return events.with_columns(channel=pl.coalesce(*names, pl.col("channel").cast(pl.String)).cast(pl.Categorical()))

"""Channels of one's own, as custom channel groups of Google Analytics: rules that come before the usual ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.events.acquisition import CHANNELS

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
        rules: Rules of the channels; the first that matches applies, and events without any keep their channel. One
            with the name of a built-in channel replaces it, in ``default_channel`` too: events of that channel which do
            not match are ``other``.

    >>> from analytics.events.enrichment import enrich
    >>> page = {"type": ["page"], "context_campaign_source": ["talks"], "context_campaign_medium": ["audio"]}
    >>> events = enrich(pl.DataFrame(page))
    >>> named = with_own_channels(events, [ChannelRule("podcast", utm_medium=("audio",))])
    >>> events["channel"].item(), named["channel"].item()
    ('audio', 'podcast')
    """
    if not rules:
        return events
    replaced = [rule for rule in rules if rule.name in CHANNELS]
    named = {"channel": rules, **({"default_channel": replaced} if replaced else {})}
    return events.with_columns(
        pl.coalesce(*(pl.when(rule.expression).then(pl.lit(rule.name)) for rule in applied), _kept(column, replaced))
        .cast(pl.Categorical())
        .alias(column)
        for column, applied in named.items()
    )


def _kept(column: str, replaced: Sequence[ChannelRule]) -> pl.Expr:
    """The channel of events that no rule names."""
    channel = pl.col(column).cast(pl.String)
    return pl.when(channel.is_in([rule.name for rule in replaced])).then(pl.lit("other")).otherwise(channel)

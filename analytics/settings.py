"""Settings of an analysis: moving averages, segments, and terms of the intent model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from analytics.events.acquisition import CHANNELS
from analytics.events.channels import ChannelRule
from analytics.events.dimensions import dimensions_of
from analytics.events.enrichment import OwnNames
from analytics.events.pages import PageRule
from analytics.events.tracking_plan import EVENT_SCHEMA, EventName
from analytics.signals.definitions import (
    DEFAULT_INTERACTIONS,
    MULTI_PAGE_VISIT,
    SIGNALS,
    EverSeen,
    Signal,
    interaction_parts,
)
from analytics.signals.settings import UserSignals, not_known
from analytics.signals.site import FunnelStep, OwnFunnel, Pages, page_rules

EstimatorName = Literal["ml", "firth", "weighted", "random_intercept", "no_bots"]
"""Name of an estimator; see :data:`analytics.intent.estimators.ESTIMATORS`."""

_MOST_LOST: Final = 0.99
_LossRate = Annotated[float, Field(ge=0, le=_MOST_LOST)]
_MOST_LOSS_DIMENSIONS: Final = 2

_Values = tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...]


class OwnChannelSettings(BaseModel):
    """What marks a channel of one's own: every list that is given must have the value of the event.

    Args:
        utm_source: Values of ``utm_source``.
        utm_medium: Values of ``utm_medium``.
        utm_campaign: Values of ``utm_campaign``.
        referrer: Hosts of referring sites, without ``www.``; alone, for links without UTM parameters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    utm_source: _Values = ()
    utm_medium: _Values = ()
    utm_campaign: _Values = ()
    referrer: _Values = ()

    @model_validator(mode="after")
    def _marks_something(self) -> Self:
        if not any(self.model_dump().values()):
            raise ValueError("give at least one of utm_source, utm_medium, utm_campaign, referrer")
        return self


class OwnBotSettings(BaseModel):
    """Bots that no list has, such as one's own monitoring.

    Args:
        user_agents: Regular expressions that their user agents match, in either case: ``AcmeProbe``, ``^acme/``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_agents: _Values = ()

    @field_validator("user_agents")
    @classmethod
    def _regular(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                advice = f"put a backslash before signs that are meant as such: {re.escape(pattern)}"
                raise ValueError(f"{pattern!r} is no regular expression ({error}); {advice}") from error
        return patterns


_NEEDED_COLUMNS: Final = frozenset({"type", "event", "message_id"})
_PERSONAL_COLUMNS: Final = tuple(
    name for name, dtype in EVENT_SCHEMA.items() if dtype in {pl.String, pl.Categorical} and name not in _NEEDED_COLUMNS
)
_Days = Annotated[int, Field(ge=1, le=36_500)]


class PrivacySettings(BaseModel):
    """What becomes of personal data before a store writes anything, and how long it keeps what it writes.

    Columns are those of the event table, such as ``email``, ``user_id``, ``context_ip`` and ``extra`` (all fields that
    have no column).

    Args:
        drop: Columns that are left empty.
        hash: Columns whose texts are replaced by a keyed hash (HMAC-SHA-256, 128 bits): equal texts stay equal. Of a
            mail address the domain is left, by which companies are told.
        truncate: ``context_ip`` to its network (/24, of IPv6 /48); ``context_page_url`` and ``context_page_referrer``
            to what is before the ``?``, and the parameters that name campaigns.
        key_file: File with the key of the hashes, at least 16 bytes; by default the environment variable
            FUNNELSIM_PRIVACY_KEY has it. The key itself is written nowhere.
        archive_days: Days of stream time after which hours of the archive are removed; None keeps them.
        dead_letters_days: Days of stream time after which files of dead letters and of late events are removed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    drop: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    truncate: tuple[Literal["context_ip", "context_page_url", "context_page_referrer"], ...] = ()
    key_file: Path | None = None
    archive_days: _Days | None = None
    dead_letters_days: _Days | None = None

    @property
    def changes_events(self) -> bool:
        """Whether any column is dropped, hashed or truncated."""
        return bool(self.drop or self.hash or self.truncate)

    @model_validator(mode="after")
    def _of_known_columns(self) -> Self:
        named = [*self.drop, *self.hash, *self.truncate]
        for name in named:
            if name not in _PERSONAL_COLUMNS:
                raise ValueError(not_known("column", name, list(_PERSONAL_COLUMNS)))
            if named.count(name) > 1:
                raise ValueError(f"{name!r} is named twice; drop, hash or truncate it")
        if self.key_file is not None and not self.hash:
            raise ValueError("key_file is of no use without columns to hash")
        if {"anonymous_id", "user_id"} <= set(self.drop):
            raise ValueError("without anonymous_id and user_id nothing could be counted; hash one of them")
        return self


REPORTED_SEGMENTS: Final = ("channel", "region", "device", "region:page_group")
"""Dimensions, and pairs of them, that every report shows."""

# Each value is a drawing of its own, so only dimensions with few values: the page is to fit into an e-mail.
PICKED_SEGMENTS: Final = ("region", "channel", "device")
"""Dimensions by which the reader can pick traffic."""


class AnalyticsSettings(BaseModel):
    """Settings of an analysis.

    Args:
        moving_average_hours: Length of the moving averages in hours, 1 to 168.
        segments: Dimensions, or pairs such as ``region:page_group``, to segment the statistics by.
        signals: User-defined signals, by name, that the intent model includes beside the built-in ones. Like those,
            they accumulate over the visits of a visitor and are known strictly before the decision. In a scenario,
            ``intent`` may give them an effect. One with the name of a built-in signal replaces it in the analysis, in
            interactions too; simulated visitors still decide by the built-in one.
        session_length: How session length enters the intent model: ``log1p-zero-flag`` as log(1 + minutes), with an
            indicator (``multi_page_visit``) that distinguishes visits with a single page view, whose length cannot be
            measured; ``log1p`` without the indicator. The simulation does not use the indicator: its true coefficient
            is 0.
        interactions: Products of two signals, built-in or user-defined, that the intent model includes, such as
            ``region_europe:security_page_view``.
        estimator: ``ml`` fits the intent model by maximum likelihood, and by Firth's penalised likelihood only where
            signals are separated; ``firth`` penalises in any case, which is nearly unbiased with few requests.
        estimators: Further estimators whose coefficients are shown beside those of ``estimator``: ``ml``, ``firth``,
            ``weighted``, ``random_intercept`` and ``no_bots``; see :data:`analytics.intent.estimators.ESTIMATORS`.
        loss_rates: Known shares of browsers of which nothing is seen, because they block tracking or their users refuse
            consent, by one or two dimensions and their values: ``{device: {desktop: 0.4}, region: {europe: 0.3}}``; 0
            for values that are not named. With them the number of all visitors is estimated, and coefficients for all.
            Not known unless given; in a simulation, those of its tracking.
        baseline: What the odds of a request change with in the intent model, besides the signals: ``constant`` for
            nothing; ``visit_number`` for a spline of the logarithm of the visit number; ``time`` for one of the days
            since the visitor's first visit. Simulated visitors decide by none of these: true coefficients are 0.
        channels: Channels of one's own, by name, beside those of Google Analytics; the first that matches an event
            applies. A scenario adds the channels of its own ``traffic.channels``. One with the name of a built-in
            channel replaces it, also in the signals that read it: what only Google's rule would put there is ``other``.
        pages: What the pages of the site are, by globs of their addresses, in order: ``{"/legal/*": {category:
            security, stage: bottom}}``. The first glob that matches applies, and what it says replaces what the events
            say; see :func:`analytics.events.pages.checked_glob`.
        funnel: Steps of a funnel of one's own, in order, instead of the stages of pages; see
            :meth:`analytics.statistics.funnel.FunnelStatistics.funnel`.
        event_names: Event names of other sources and their equivalents in the tracking plan:
            ``{Demo Request Submitted: Demo Requested}``. Simulated events need none.
        bots: Bots of one's own, beside those of the list of crawlers.
        own_domains: Domains of one's own beside that of the page, such as ``acme-docs.io``: a link from there is no
            arrival. Subdomains of the page's own domain need none.
        stitch: Count persons: browsers and user ids that events or alias calls name together are one visitor. Otherwise
            browsers are counted as they are, as with ``--no-stitch``.
        find_bots: Exclude not only crawlers that identify themselves, but also visitors whose pace is not human; see
            :func:`analytics.sessions.bots.tag_bots`.
        privacy: What becomes of personal data in a store. An analysis reads events as they are, and keeps none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    moving_average_hours: Annotated[int, Field(ge=1, le=168)] = 3
    segments: tuple[str, ...] = ("region", "device", "channel", "page_group", "region:page_group")
    signals: UserSignals = Field(default_factory=dict)
    session_length: Literal["log1p-zero-flag", "log1p"] = "log1p-zero-flag"
    interactions: tuple[str, ...] = DEFAULT_INTERACTIONS
    estimator: Literal["ml", "firth"] = "ml"
    estimators: tuple[EstimatorName, ...] = ()
    loss_rates: dict[str, dict[str, _LossRate]] | None = None
    baseline: Literal["constant", "visit_number", "time"] = "constant"
    channels: dict[str, OwnChannelSettings] = Field(default_factory=dict)
    pages: Pages = Field(default_factory=dict)
    funnel: OwnFunnel = ()
    event_names: dict[str, str] = Field(default_factory=dict)
    bots: OwnBotSettings = Field(default_factory=OwnBotSettings)
    own_domains: _Values = ()
    stitch: bool = True
    find_bots: bool = False
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)

    @property
    def built_in_signals(self) -> tuple[Signal, ...]:
        """Built-in signals of the intent model; none that a user-defined one replaces."""
        signals = (*SIGNALS, MULTI_PAGE_VISIT) if self.session_length == "log1p-zero-flag" else SIGNALS
        return tuple(signal for signal in signals if signal.name not in self.signals)

    @property
    def user_signals(self) -> tuple[Signal, ...]:
        """User-defined signals of the intent model."""
        return tuple(settings.signal(name) for name, settings in self.signals.items())

    @property
    def channel_rules(self) -> tuple[ChannelRule, ...]:
        """Rules of the channels of one's own."""
        return tuple(ChannelRule(name, **rule.model_dump()) for name, rule in self.channels.items())

    @property
    def page_rules(self) -> tuple[PageRule, ...]:
        """Rules of the mapping of pages."""
        return page_rules(self.pages)

    @property
    def funnel_steps(self) -> tuple[FunnelStep, ...]:
        """Steps of the funnel of one's own; none for the stages of pages."""
        return tuple(step.funnel_step(self.event_names) for step in self.funnel)

    @property
    def own_definitions(self) -> dict[str, tuple[str, ...]]:
        """Names of built-in signals and channels that have definitions of one's own, by kind."""
        built_in = (signal.name for signal in SIGNALS)
        return {
            "signals": tuple(name for name in built_in if name in self.signals),
            "channels": tuple(name for name in CHANNELS if name in self.channels),
        }

    @property
    def redefined_signals(self) -> frozenset[str]:
        """Built-in signals that mean something else than by default: in events of a simulation they have no truth.

        They have a definition of one's own, or read a channel or pages that have one.
        """
        seen = [signal for signal in SIGNALS if isinstance(signal, EverSeen)]
        of_pages = [signal.name for signal in seen if signal.column == "category" and self.pages]
        of_channels = [
            signal.name
            for signal in seen
            if signal.column == "default_channel" and not self.channels.keys().isdisjoint(signal.values)
        ]
        return frozenset((*self.own_definitions["signals"], *of_pages, *of_channels))

    @property
    def own_names(self) -> OwnNames:
        """Domains, bots and channels of one's own."""
        return OwnNames(self.own_domains, self.bots.user_agents, self.channel_rules)

    @field_validator("own_domains")
    @classmethod
    def _are_domains(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        plain = tuple(domain.strip().lower().strip(".").removeprefix("www.") for domain in domains)
        for domain in plain:
            if not re.fullmatch(r"[^\s/:@*]+", domain):
                raise ValueError(f"{domain!r} is no domain; write it without https:// and path, such as 'acme.com'")
        return plain

    @field_validator("segments")
    @classmethod
    def _of_known_dimensions(cls, segments: tuple[str, ...]) -> tuple[str, ...]:
        found = [dimensions_of(segment.split(":"), at_most=2) for segment in segments]
        return tuple(":".join(dimension.name for dimension in dimensions) for dimensions in found)

    @field_validator("loss_rates")
    @classmethod
    def _of_first_touch(cls, rates: dict[str, dict[str, float]] | None) -> dict[str, dict[str, float]] | None:
        for dimension in dimensions_of(list(rates or ()), at_most=_MOST_LOSS_DIMENSIONS):
            if dimension.touch != "first":
                raise ValueError(f"{dimension.name}: a visitor has several of it; take region, device or the like")
        return rates

    @field_validator("event_names")
    @classmethod
    def _of_the_tracking_plan(cls, names: dict[str, str]) -> dict[str, str]:
        known = [str(name) for name in EventName]
        for ours in names.values():
            if ours not in known:
                raise ValueError(not_known("event", ours, known))
        return names

    @field_validator("interactions")
    @classmethod
    def _of_known_signals(cls, interactions: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for name in interactions:
            parts = interaction_parts(name)
            if len(parts) != 2 or len(set(parts)) != 2:  # noqa: PLR2004 - a product of two
                raise ValueError(f"{name!r} is not a product of two signals, such as {DEFAULT_INTERACTIONS[0]!r}")
            # Where the signals are invalid themselves, their names are unknown: all parts pass.
            known = list(dict.fromkeys([*(signal.name for signal in SIGNALS), *info.data.get("signals", parts)]))
            for part in parts:
                if part not in known:
                    raise ValueError(f"{name!r}: {not_known('signal', part, known)}")
        if len(set(interactions)) < len(interactions):
            raise ValueError(f"an interaction is given twice: {', '.join(interactions)}")
        return interactions

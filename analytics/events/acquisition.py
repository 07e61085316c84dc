"""Acquisition: the channel that a visit came by, from its campaign, the page's address and the referrer.

The rules are those of Google Analytics 4's `default channel group
<https://support.google.com/analytics/answer/9756891>`_, in its order. They go further where it says "unassigned" or
"paid other" although the medium names the channel, such as ``paid_social`` from a source that is on no list.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from analytics.events.hosts import is_own, is_same_site, is_sign_in, is_web_site, source_category

CHANNELS: Final = (
    "cross_network",
    "paid_shopping",
    "paid_search",
    "paid_social",
    "paid_video",
    "display",
    "paid_other",
    "organic_shopping",
    "organic_social",
    "organic_video",
    "organic_search",
    "referral",
    "email",
    "affiliates",
    "audio",
    "sms",
    "mobile_push",
    "direct",
    "other",
)
"""Channels of acquisition: Google Analytics' default channel group; ``other`` is what it calls unassigned."""

_PAID: Final = re.compile(r"^(?:.*cp.*|ppc|retargeting|paid.*|sem)$")
_SHOPPING_CAMPAIGN: Final = re.compile(r"^(?:.*(?:(?:[^a-df-z]|^)shop|shopping).*)$")
_PAID_KINDS: Final = {"shopping", "search", "social", "video"}
_SAYS_SEARCH: Final = re.compile(r"^(?:paid[ _-]?search|sem)$")
_SAYS_SOCIAL: Final = re.compile(r"^(?:paid[ _-]?social|cpm[ _-]social)$")
_DISPLAY: Final = {"display", "banner", "expandable", "interstitial", "cpm"}
_EMAIL: Final = re.compile(r"^(?:e[ _-]?mail|newsletter)$")
_SOCIAL: Final = re.compile(r"^(?:(?:organic[ _-])?social|social[ _-](?:network|media)|sm)$")
_NOTHING: Final = {"", "(none)", "(not set)", "none", "null", "undefined", "nan"}

_CLICKS: Final = {
    **dict.fromkeys(("gclid", "gbraid", "wbraid", "gclsrc"), ("google", "cpc")),
    "dclid": ("google", "display"),
    "msclkid": ("bing", "cpc"),
    "yclid": ("yandex", "cpc"),
    "ttclid": ("tiktok", "cpc"),
    "li_fat_id": ("linkedin", "cpc"),
    "twclid": ("twitter", "cpc"),
    "rdt_cid": ("reddit", "cpc"),
    "sccid": ("snapchat", "cpc"),
    "epik": ("pinterest", "cpc"),
    "qclid": ("quora", "cpc"),
    # Facebook marks every link that leaves it, whether anybody paid for it or not.
    "fbclid": ("facebook", None),
    "igshid": ("instagram", None),
    **dict.fromkeys(("mc_cid", "mc_eid", "_hsenc", "_hsmi", "mkt_tok", "_kx", "vero_id"), (None, "email")),
}
"""Source and medium of each click identifier that networks and mail services append to links."""

# Matomo has names of its own, mtm_ and the older pk_, and reads the others as well.
_FAMILIES: Final = ("utm", "mtm", "pk")
_PARTS: Final = ("medium", "source", "campaign")
_UTM: Final = rf"(?:amp;)?(?:{'|'.join(_FAMILIES)})(?:_|%5f)(?:{'|'.join(_PARTS)})=[^&#?]+"
# A question mark further on belongs to a value: ?next=https://example.org/?gclid=1
TAGS: Final = rf"(?i)(?:^\?+|&)(?:{_UTM}|(?:amp;)?(?:{'|'.join(_CLICKS)})=)"
"""Regular expression of the parameters of a query that name a campaign; values of click identifiers are left out."""

TAGS_OF_FRAGMENT: Final = rf"(?i)[#?&]{_UTM}"
"""The same for what follows a ``#``, where some put UTM parameters so that servers do not see them."""


class Arrival(NamedTuple):
    """How a page view came about.

    Args:
        referrer: Host of the other site that led here; None if there is none.
        channel: One of :data:`CHANNELS`; None where it was no arrival.
    """

    referrer: str | None
    channel: str | None


class Cause(NamedTuple):
    """All that an event has of its acquisition.

    Args:
        medium: ``context.campaign.medium`` of the event.
        source: ``context.campaign.source``.
        campaign: ``context.campaign.name``.
        tags: Query parameters of the page's address, as :data:`TAGS` finds them.
        referrer: Host of the referring page, in small letters, without ``www.``.
        own_host: Host of the page, likewise.
        on_page: Whether the event was made on a page.
    """

    medium: str | None = None
    source: str | None = None
    campaign: str | None = None
    tags: str | None = None
    referrer: str | None = None
    own_host: str | None = None
    on_page: bool = True


@lru_cache(50_000)
def arrival(cause: Cause, own_domains: tuple[str, ...] = ()) -> Arrival:
    """Return where an event came from.

    What the event itself has of a campaign comes first, then UTM parameters of the address, then click identifiers,
    then the referrer. A referrer of one's own site, or a page for signing in, is no arrival; one that is no web site,
    such as an extension of the browser, counts as none.

    Args:
        cause: What the event has of its acquisition.
        own_domains: Domains of one's own, beside that of the page.

    >>> arrival(Cause(referrer="mail.google.com")), arrival(Cause(tags="?gclid="))
    (Arrival(referrer='mail.google.com', channel='email'), Arrival(referrer=None, channel='paid_search'))
    >>> arrival(Cause("retargeting", "facebook")).channel, arrival(Cause("(none)", "(direct)")).channel
    ('paid_social', 'direct')
    """
    internal = cause.referrer is not None and _is_internal(cause.referrer, cause.own_host, own_domains)
    referrer = cause.referrer if cause.referrer and not internal and is_web_site(cause.referrer) else None
    said = _campaign(cause.medium, cause.source, cause.campaign, cause.tags)
    if any(said):
        return Arrival(referrer, default_channel(*said))
    if referrer:
        return Arrival(referrer, _of_referrer(referrer))
    return Arrival(None, "direct" if cause.on_page and not internal else None)


def _is_internal(referrer: str, own_host: str | None, own_domains: tuple[str, ...]) -> bool:
    is_ours = own_host is not None and is_same_site(referrer, own_host)
    return is_ours or is_sign_in(referrer) or is_own(referrer, own_domains)


@lru_cache(50_000)
def default_channel(medium: str | None, source: str | None, campaign: str | None = None) -> str:
    """Return the channel of a tagged link, by the rules of Google Analytics.

    A tagged link is never judged by its referrer: the tag says where the link was placed.

    Args:
        medium: Medium; None or, as Google writes it, ``(none)`` or ``(not set)`` if unknown.
        source: Source, likewise.
        campaign: Name of the campaign, likewise.

    >>> default_channel("CPC", "google"), default_channel("cpc", "some-site"), default_channel(None, "bing")
    ('paid_search', 'paid_other', 'organic_search')
    """
    medium, source, campaign = _plain(medium) or "", _plain(source) or "", _plain(campaign) or ""
    if source in {"", "(direct)"} and not medium and not campaign:
        return "direct"
    kind = "shopping" if _SHOPPING_CAMPAIGN.search(campaign) else source_category(source)
    if "cross-network" in campaign:
        return "cross_network"
    if _PAID.search(medium):
        return _paid(medium, source, kind)
    return _unpaid(medium, source, kind)


def _paid(medium: str, source: str, kind: str | None) -> str:
    if kind in _PAID_KINDS:
        return f"paid_{kind}"
    if _SAYS_SOCIAL.search(medium):
        return "paid_social"
    # Pay per click of which nothing else is known is a search advertisement, as in the older Universal Analytics.
    if _SAYS_SEARCH.search(medium) or (medium in {"cpc", "ppc"} and not source):
        return "paid_search"
    return "display" if medium in _DISPLAY else "paid_other"


def _unpaid(medium: str, source: str, kind: str | None) -> str:
    # In this order: a medium that is wrong for its source, such as "organic" of Facebook, is judged by the source.
    rules = {
        "display": medium in _DISPLAY,
        "organic_shopping": kind == "shopping",
        "organic_social": kind == "social" or _SOCIAL.search(medium),
        "organic_video": kind == "video" or "video" in medium,
        "organic_search": kind == "search" or medium == "organic",
        "referral": medium in {"referral", "link", "app"},
        "email": kind == "email" or _EMAIL.search(medium) or _EMAIL.search(source),
        "affiliates": medium in {"affiliate", "affiliates"},
        "audio": medium == "audio",
        "sms": "sms" in {medium, source},
        "mobile_push": medium.endswith("push")
        or "mobile" in medium
        or "notification" in medium
        or source == "firebase",
    }
    return next((channel for channel, holds in rules.items() if holds), "other")


def _of_referrer(host: str) -> str:
    kind = source_category(host)
    return "referral" if kind is None else kind if kind == "email" else f"organic_{kind}"


def campaign_of(cause: Cause) -> tuple[str | None, str | None, str | None]:
    """Return source, medium and name of the campaign by which :func:`arrival` judges an event.

    Each is what the event itself has, else the UTM parameter of the address (or Matomo's), of which the last of two
    counts, as in Segment's libraries; source and medium are at last those of a click identifier.

    Args:
        cause: What the event has of its acquisition.

    >>> campaign_of(Cause(tags="?utm_source=Acme%20News&utm_medium=e+mail")), campaign_of(Cause(tags="?gclid="))
    (('Acme News', 'e mail', None), ('google', 'cpc', None))
    """
    medium, source, name = _campaign(cause.medium, cause.source, cause.campaign, cause.tags)
    return source, medium, name


@lru_cache(50_000)
def _campaign(
    medium: str | None, source: str | None, campaign: str | None, tags: str | None
) -> tuple[str | None, str | None, str | None]:
    """Medium, source and name of the campaign, each from the first place that has it."""
    pairs = parse_qsl(re.sub("[?#]", "&", tags or ""), keep_blank_values=True)
    query = {name.lower().removeprefix("amp;"): value.strip() for name, value in pairs}
    tagged = [{name: _known(query.get(f"{family}_{name}")) for name in _PARTS} for family in _FAMILIES]
    medium, source, campaign = (
        next(filter(None, (_known(given), *(family[name] for family in tagged))), None)
        for name, given in zip(_PARTS, (medium, source, campaign), strict=True)
    )
    clicks = [_CLICKS[name] for name in _CLICKS if name in query]
    if clicks:
        source, medium = source or clicks[0][0], medium or clicks[0][1]
    return medium, source, campaign


def _known(value: str | None) -> str | None:
    """The value, if it is one; "(none)" and "(not set)" still say that the link was tagged."""
    return value if value and value.strip().lower() not in {"", "null", "undefined", "nan"} else None


def _plain(value: str | None) -> str | None:
    plain = value.strip().lower() if value else None
    return None if plain in _NOTHING else plain

"""Enrichment: columns derived from single events, such as event time, region and channel.

:func:`conform` converts any table of events to the columns of the tracking plan; :func:`enrich` adds the derived
columns of :data:`DERIVED_SCHEMA`. Both work on whole columns, not row by row.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from analytics.errors import EventFrameError
from analytics.events.geography import REGION_OF_COUNTRY
from analytics.events.identifiers import WHO, identifiers, in_doubt
from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA, UTC_MS, CallType

DERIVED_SCHEMA: Final = pl.Schema(
    {
        "event_time": UTC_MS,
        "region": pl.Categorical(),
        "referrer_domain": pl.Categorical(),
        "channel": pl.Categorical(),
        "company_email": pl.Boolean(),
        "is_bot": pl.Boolean(),
    }
)
"""Names and types of the columns that :func:`enrich` adds.

``event_time``: when it happened, by the collector's clock. ``region``: world region of the country, null when unknown.
``referrer_domain``: host of another site that the visitor came from, without ``www.``; null when there is none.
``channel``: one of :data:`CHANNELS`; null for an event without information about acquisition.
``company_email``: the address given is not from a free-mail provider; null when none was given.
``is_bot``: the user agent is that of a bot; never null.
"""

CHANNELS: Final = (
    "paid_search",
    "paid_social",
    "display",
    "email",
    "organic_search",
    "organic_social",
    "referral",
    "direct",
    "other",
)
"""Channels of acquisition, after Google Analytics' default channel group; ``other`` is a campaign of unknown medium."""

_FREE_MAIL: Final = """
    gmail.com googlemail.com outlook.com hotmail.com hotmail.co.uk hotmail.fr live.com msn.com yahoo.com yahoo.co.uk
    yahoo.co.jp yahoo.de yahoo.fr ymail.com rocketmail.com icloud.com me.com mac.com aol.com proton.me protonmail.com
    pm.me gmx.com gmx.de gmx.net gmx.at web.de t-online.de freenet.de mail.com mail.ru yandex.com yandex.ru qq.com
    163.com 126.com sina.com naver.com daum.net orange.fr wanadoo.fr free.fr laposte.net libero.it zoho.com
    fastmail.com hey.com tutanota.com hushmail.com comcast.net verizon.net att.net rediffmail.com uol.com.br bol.com.br
    freemail.example.net
"""
FREE_MAIL_DOMAINS: Final = frozenset(_FREE_MAIL.split())
"""Domains of free-mail providers, whose addresses do not identify a company; the last is the simulator's."""

# Full names, as some collectors write them; codes are what the Segment Spec asks for.
_COUNTRY_NAMES: Final = {
    "UNITED STATES": "US",
    "UNITED STATES OF AMERICA": "US",
    "USA": "US",
    "CANADA": "CA",
    "UNITED KINGDOM": "GB",
    "UK": "GB",
    "GERMANY": "DE",
    "FRANCE": "FR",
    "NETHERLANDS": "NL",
    "SPAIN": "ES",
    "ITALY": "IT",
    "SWEDEN": "SE",
    "SWITZERLAND": "CH",
    "IRELAND": "IE",
    "POLAND": "PL",
    "INDIA": "IN",
    "JAPAN": "JP",
    "CHINA": "CN",
    "AUSTRALIA": "AU",
    "SINGAPORE": "SG",
    "BRAZIL": "BR",
    "MEXICO": "MX",
    "ISRAEL": "IL",
    "SOUTH AFRICA": "ZA",
}
_REGION_OF: Final = REGION_OF_COUNTRY | {name: REGION_OF_COUNTRY[code] for name, code in _COUNTRY_NAMES.items()}

# User names and ports are skipped: https://google.com@example.org is a page of example.org.
_HOST: Final = r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?:www\.)?([^/:?#]+)"
# Whole labels only: notgoogle.com is no search engine.
_SEARCH_HOST: Final = (
    r"^search\.|(?:^|\.)(?:google|bing|yahoo|baidu|yandex|ecosia|qwant|startpage|naver|ask)\.[a-z]{2,3}(?:\.[a-z]{2})?$"
    r"|(?:^|\.)duckduckgo\.com$|(?:^|\.)search\.brave\.com$"
)
_SOCIAL_HOST: Final = (
    r"^social\.|(?:^|\.)(?:facebook|instagram|linkedin|twitter|x|reddit|pinterest|tiktok|youtube|quora|threads|whatsapp)\.com$"
    r"|^(?:t\.co|lnkd\.in|fb\.com|youtu\.be|xing\.com|bsky\.app|mastodon\.social)$"
)
# A click that was paid for is social if its source is a social network, as in Google Analytics.
_SOCIAL_SOURCE: Final = (
    r"^(?:facebook|fb|instagram|ig|linkedin|twitter|x|reddit|pinterest|tiktok|youtube|quora|xing|social)$"
)

_PAID_SOCIAL: Final = (
    "paid_social",
    "paid-social",
    "paidsocial",
    "paid social",
    "cpm_social",
    "cpm-social",
    "cpm social",
)
_PAID_SEARCH: Final = ("cpc", "ppc", "paidsearch", "paid_search", "paid-search", "paid search", "sem")
_CLICKS: Final = ("cpc", "ppc", "paid", "cpm", "cpa", "cpv")
_DISPLAY: Final = ("display", "banner", "cpm", "expandable", "interstitial")
_EMAIL: Final = ("email", "e-mail", "e_mail", "e mail", "newsletter")
_SOCIAL: Final = ("social", "social-network", "social-media", "social_media", "sm", "organic_social", "organic-social")
_REFERRAL: Final = ("referral", "link", "app")

# Below this number of rows, computing every row is faster than finding distinct values.
_FEW: Final = 1000

# "bot" must end a word; the phone maker Cubot is no bot. The others are names of tools.
_BOT: Final = (
    r"(?i)bot\b|bot_|crawl|spider|slurp|headless|phantomjs|selenium|puppeteer|playwright|lighthouse"
    r"|\bcurl/|\bwget/|python-requests|python-urllib|aiohttp|httpx|go-http-client|okhttp|java/|libwww|scrapy|httpclient"
    r"|facebookexternalhit|mediapartners-google|pingdom|uptimerobot|statuscake|site24x7|monitoring"
)
_CUBOT: Final = r"(?i)\bcubot\b"


def conform(events: pl.DataFrame, *, strict: bool = True) -> pl.DataFrame:
    """Convert a table of events to the columns and types of the tracking plan.

    Args:
        events: Table with some of the columns of :data:`analytics.events.tracking_plan.EVENT_SCHEMA`. Times may be
            naive (taken as UTC), of another zone, ISO 8601 strings or epoch milliseconds.
        strict: Raise on a time that cannot be parsed; otherwise it becomes null.

    Returns:
        Table with exactly the columns of the tracking plan, in order; missing ones are null, others are dropped.

    Raises:
        EventFrameError: A column cannot be converted to its type in the tracking plan.

    >>> table = conform(pl.DataFrame({"type": ["page"], "timestamp": ["2026-03-03T10:00:00+01:00"], "colour": ["red"]}))
    >>> table["timestamp"].to_list(), table.schema == EVENT_SCHEMA
    ([datetime.datetime(2026, 3, 3, 9, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC'))], True)
    """
    if events.schema == EVENT_SCHEMA:
        return events
    return pl.DataFrame([_conform_column(events, column.name, column.dtype, strict=strict) for column in COLUMNS])


def enrich(events: pl.DataFrame) -> pl.DataFrame:
    """Add the derived columns of :data:`DERIVED_SCHEMA` to events.

    Args:
        events: Table of events; see :func:`conform` for accepted types.

    Returns:
        The columns of the tracking plan, then the derived ones, then all others. An identifier of a browser,
        person or account that stands for nobody becomes null. Enriching twice changes nothing.

    Raises:
        EventFrameError: A column cannot be converted to its type in the tracking plan.

    >>> page = {"type": "page", "context_location_country": "DE", "context_page_url": "https://shop.example/pricing"}
    >>> came = {"context_page_referrer": "https://www.google.com/", "received_at": "2026-03-03T10:00:00Z"}
    >>> enrich(pl.DataFrame([page | came])).select("region", "referrer_domain", "channel").row(0)
    ('europe', 'google.com', 'organic_search')
    """
    others = [name for name in events.columns if name not in EVENT_SCHEMA and name not in DERIVED_SCHEMA]
    flat = _with_identifiers(conform(events))
    derived = _of_rows(flat) if flat.height < _FEW else _of_distinct_values(flat)
    return pl.concat([flat, derived, *([events.select(others)] if others else [])], how="horizontal")


def _with_identifiers(flat: pl.DataFrame) -> pl.DataFrame:
    """Replace identifiers that stand for nobody by null: "" would join everybody without an account into one."""
    # Few tables have any, and searching costs less than rebuilding the columns.
    doubtful = flat.select(in_doubt(name).any() for name in WHO).row(0, named=True)
    return flat.with_columns(identifiers(name) for name, found in doubtful.items() if found)


def event_times(events: pl.DataFrame) -> pl.Series:
    """Return the time of each event by the collector's clock, as the Segment Spec has it.

    The arrival, less the time that passed on the device between the event and its sending. Where one of these is
    missing, the sender's own ``timestamp``, else the arrival.

    Args:
        events: Flat events.

    Returns:
        The column ``event_time``; shape (events,).
    """
    return events.select(event_time=_EVENT_TIME).to_series()


def _of_rows(flat: pl.DataFrame) -> pl.DataFrame:
    """The derived columns, computed in every row: fastest for few rows."""
    each = {name: expression for expressions in _LOOK_UPS.values() for name, expression in expressions.items()}
    derived = flat.lazy().with_columns(event_time=_EVENT_TIME, **each).with_columns(**_ARRIVAL)
    return derived.with_columns(channel=_CHANNEL).select(_DERIVED).collect()


def _of_distinct_values(flat: pl.DataFrame) -> pl.DataFrame:
    """The derived columns, computed once per distinct value: fastest for many rows."""
    columns = [_of_distinct(flat[column], expressions) for column, expressions in _LOOK_UPS.items()]
    facts = flat.select(*_ARRIVAL_FACTS, event_time=_EVENT_TIME)
    derived = pl.concat([facts, *columns], how="horizontal").with_columns(**_ARRIVAL)
    return derived.with_columns(_channels(derived)).select(_DERIVED)


def _of_distinct(values: pl.Series, expressions: dict[str, pl.Expr]) -> pl.DataFrame:
    """Compute expressions once per distinct value of a column, and gather the results by code."""
    # Own categories are released with the batch: a stream may have any number of distinct strings.
    categories = values if values.dtype == pl.Categorical else values.cast(pl.Categorical(pl.Categories.random()))
    distinct = categories.unique()
    # Codes from 1, so that 0 is null.
    number, known = ((each.to_physical() + 1).fill_null(0).to_numpy() for each in (categories, distinct))
    row_of = np.zeros(int(known.max(initial=0)) + 1, dtype=np.int64)
    row_of[known] = np.arange(len(distinct))
    derived = distinct.cast(pl.String).to_frame(values.name).select(**expressions)
    return derived.select(pl.all().gather(pl.Series(row_of[number])))


def _channels(arrivals: pl.DataFrame) -> pl.Series:
    """Channel of each event; rules are evaluated only where there is a campaign or a referrer."""
    causes = ("context_campaign_medium", "context_campaign_source", "referrer_domain")
    has_cause = arrivals.select(pl.any_horizontal(pl.col(causes).is_not_null())).to_series()
    with_cause = arrivals.select(_ARRIVAL_COLUMNS).filter(has_cause)
    distinct = with_cause.unique().with_columns(channel=_CHANNEL)
    columns = with_cause.columns
    by_rule = with_cause.join(distinct, on=columns, how="left", nulls_equal=True, maintain_order="left")["channel"]
    # Most events have no cause of arrival: two appended values serve all of them, and no rule is evaluated.
    direct_or_nothing = pl.Series("channel", [CHANNELS[-2], None])
    place = np.where(arrivals["_landing"], len(by_rule), len(by_rule) + 1)
    place[has_cause.arg_true().to_numpy()] = np.arange(len(by_rule))
    return by_rule.append(direct_or_nothing).gather(place)


def _conform_column(events: pl.DataFrame, name: str, dtype: pl.DataType, *, strict: bool) -> pl.Series:
    if name not in events.columns:
        return pl.Series(name, [None], dtype=dtype).new_from_index(0, events.height)
    series = events[name]
    try:
        # Times apart: a plain cast would read texts only in one format, and numbers as anything.
        if dtype == UTC_MS:
            return _utc(series, strict=strict)
        if series.dtype.is_nested() or series.dtype == pl.Binary:
            raise EventFrameError(_impossible(series, dtype))
        return _texts(series).cast(dtype) if series.dtype.is_float() else series.cast(dtype)
    except pl.exceptions.PolarsError as error:
        raise EventFrameError(_impossible(series, dtype)) from error


def _texts(numbers: pl.Series) -> pl.Series:
    """Floats as texts: a column of whole numbers with gaps is one of floats to other tools, and its gaps are NaN."""
    known = numbers.fill_nan(None)
    is_whole = (known.drop_nulls() % 1 == 0).all()
    return known.cast(pl.Int64 if is_whole else pl.Float64).cast(pl.String)


def _utc(series: pl.Series, *, strict: bool) -> pl.Series:
    """Convert a column to times: naive ones are UTC, strings ISO 8601, numbers epoch milliseconds."""
    if series.dtype in {pl.String, pl.Categorical}:
        return _utc_of_texts(series.cast(pl.String), strict=strict)
    if series.dtype.is_numeric():
        # Other tools have no null among numbers, and use NaN.
        return series.fill_nan(None).cast(pl.Int64, strict=strict).cast(UTC_MS)
    if series.dtype == pl.Null or (series.dtype.is_temporal() and series.dtype not in {pl.Duration, pl.Time}):
        return series.cast(UTC_MS)
    raise EventFrameError(_impossible(series, UTC_MS))


def _utc_of_texts(texts: pl.Series, *, strict: bool) -> pl.Series:
    try:
        return texts.str.to_datetime(time_unit="ms", time_zone="UTC", strict=strict)
    except pl.exceptions.ComputeError:
        # Where Polars cannot infer a format it raises even if not strict.
        if strict:
            raise
        return pl.Series(texts.name, [None], dtype=UTC_MS).new_from_index(0, len(texts))


def _impossible(series: pl.Series, dtype: pl.DataType) -> str:
    return f"column {series.name!r} is {series.dtype} and cannot be read as {dtype}; see analytics.events.EVENT_SCHEMA"


def _event_time() -> pl.Expr:
    """Time by the collector's clock: the arrival less the delay on the device, as in the Segment Spec."""
    # The clock of a device may be wrong by years, but it is so at both times: the difference is right.
    delay = pl.col("sent_at") - pl.col("original_timestamp")
    return pl.coalesce(pl.col("received_at") - delay, "timestamp", "received_at")


def _lower(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase()


def _region() -> pl.Expr:
    country = pl.col("context_location_country").cast(pl.String).str.strip_chars().str.to_uppercase()
    return country.replace_strict(_REGION_OF, default=None, return_dtype=pl.Categorical())


def _host(name: str) -> pl.Expr:
    return _lower(name).str.extract(_HOST).cast(pl.Categorical())


def _company_email() -> pl.Expr:
    domain = _lower("email").str.extract(r"@([^@]+)$")
    return ~domain.is_in(sorted(FREE_MAIL_DOMAINS))


def _is_bot() -> pl.Expr:
    agent = pl.col("context_user_agent")
    return (agent.str.contains(_BOT) & ~agent.str.contains(_CUBOT)).fill_null(value=False)


_LOOK_UPS: Final = {
    "context_location_country": {"region": _region()},
    "context_page_referrer": {"_referrer_host": _host("context_page_referrer")},
    "context_page_url": {"_own_host": _host("context_page_url")},
    "email": {"company_email": _company_email()},
    "context_user_agent": {"is_bot": _is_bot()},
}
_ARRIVAL_FACTS: Final = ["type", "context_page_url", "context_campaign_medium", "context_campaign_source"]
_ARRIVAL_COLUMNS: Final = ["context_campaign_medium", "context_campaign_source", "referrer_domain", "_landing"]


def _arrival() -> dict[str, pl.Expr]:
    """Inputs of the channel besides the campaign: the external referrer, and whether the page is a landing page."""
    # A referrer on the site itself is a link between two of its pages, and no arrival.
    internal = (pl.col("_referrer_host") == pl.col("_own_host")).fill_null(value=False)
    on_a_page = pl.col("context_page_url").is_not_null() | (pl.col("type") == CallType.PAGE)
    return {"referrer_domain": pl.when(~internal).then("_referrer_host"), "_landing": ~internal & on_a_page}


def _channel() -> pl.Expr:
    """Channel by the campaign's medium, else by the referrer; the first matching rule applies.

    Source: Google Analytics, default channel group. A tagged link is never judged by its referrer: the
    tag says where the link was placed.
    """
    medium, source = _lower("context_campaign_medium"), _lower("context_campaign_source")
    host = pl.col("referrer_domain").cast(pl.String)
    from_social = source.str.contains(_SOCIAL_SOURCE).fill_null(value=False)
    tagged = medium.is_not_null() | source.is_not_null()
    # In this order: cpc from a social network is paid social, and only otherwise paid search.
    rules = {
        "paid_social": medium.is_in(_PAID_SOCIAL) | (medium.is_in(_CLICKS) & from_social),
        "paid_search": medium.is_in(_PAID_SEARCH),
        "display": medium.is_in(_DISPLAY),
        "email": medium.is_in(_EMAIL) | source.is_in(_EMAIL),
        "organic_social": medium.is_in(_SOCIAL) | (host.str.contains(_SOCIAL_HOST) & ~tagged),
        "organic_search": (medium == "organic") | (host.str.contains(_SEARCH_HOST) & ~tagged),
        "referral": medium.is_in(_REFERRAL) | (host.is_not_null() & ~tagged),
        "other": tagged,
        "direct": pl.col("_landing"),
    }
    return pl.coalesce(pl.when(rule).then(pl.lit(channel)) for channel, rule in rules.items())


# Expressions are built once: for a small batch, building them takes longer than evaluating them.
_EVENT_TIME: Final = _event_time()
_ARRIVAL: Final = _arrival()
_CHANNEL: Final = _channel()
_DERIVED: Final = [pl.col(name).cast(dtype) for name, dtype in DERIVED_SCHEMA.items()]

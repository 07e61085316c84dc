"""Enrichment: columns derived from single events, such as event time, region and channel.

:func:`conform` converts any table of events to the columns of the tracking plan; :func:`enrich` adds the derived
columns of :data:`DERIVED_SCHEMA`. Both work on whole columns, not row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import polars as pl

from analytics.errors import EventFrameError
from analytics.events.acquisition import TAGS, TAGS_OF_FRAGMENT, Cause, arrival, campaign_of
from analytics.events.channels import ChannelRule, with_own_channels
from analytics.events.event_time import COUNTED_TIME
from analytics.events.geography import REGION_OF_COUNTRY, country_of, country_of_zone
from analytics.events.identifiers import WHO, identifiers, in_doubt
from analytics.events.mail import is_free_mail
from analytics.events.server_side import sent_by_server
from analytics.events.time_values import other_unit, read_times
from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA, UTC_MS, CallType, refuse_other_tables
from analytics.events.user_agents import device_of, is_bot

DERIVED_SCHEMA: Final = pl.Schema(
    {
        "event_time": UTC_MS,
        "country_code": pl.Categorical(),
        "region": pl.Categorical(),
        "device_type": pl.Categorical(),
        "referrer_domain": pl.Categorical(),
        "channel": pl.Categorical(),
        "default_channel": pl.Categorical(),
        "campaign_source": pl.Categorical(),
        "campaign_medium": pl.Categorical(),
        "campaign_name": pl.Categorical(),
        "company_email": pl.Boolean(),
        "is_bot": pl.Boolean(),
    }
)
"""Names and types of the columns that :func:`enrich` adds.

``event_time``: when it happened, by the collector's clock. ``country_code``: ISO 3166-1 alpha-2 code of the country, by
any code or name of it, else by the time zone. ``region``: world region of the country. ``device_type``: ``desktop``,
``mobile`` or ``tablet``, as the event has it, else by the user agent. All three are null when unknown.
``referrer_domain``: host of another site that the visitor came from, without ``www.``; null when there is none, and for
subdomains of one's own site and pages for signing in.
``channel``: one of :data:`analytics.events.acquisition.CHANNELS`; null for an event without information about
acquisition. ``default_channel``: the same, but never a channel of one's own.
``campaign_source``, ``campaign_medium``, ``campaign_name``: the campaign by which the channel is judged: what the event
has of it, else the UTM parameters of the page's address, else its click identifiers (source and medium).
``company_email``: the address given is not from a free-mail provider; null when none was given.
``is_bot``: the user agent is that of a bot, and the event no server's own; never null.
"""

# User names and ports are skipped: https://google.com@example.org is a page of example.org.
_HOST: Final = r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?:www\.)?([^/:?#]+)"

# A referrer may lack its scheme; what ends like a file is a page of the site itself.
_BARE_HOST: Final = r"^(?://)?(?:www\.)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[/:?#]|$)"
_FILE: Final = r"\.(?:html?|php|aspx?|jsp)$"

# Below this number of rows, computing every row is faster than finding distinct values.
_FEW: Final = 1000

_KINDS_OF_DEVICES: Final = {None, "desktop", "mobile", "tablet"}


@dataclass(frozen=True)
class OwnNames:
    """Names that only the owner of the events knows.

    Args:
        domains: Domains of one's own beside that of the page: a shop's checkout, a documentation elsewhere.
        bots: Regular expressions of the user agents of bots, beside those of the list.
        channels: Channels of one's own, which come before those of Google Analytics.
    """

    domains: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()
    channels: tuple[ChannelRule, ...] = ()


def conform(events: pl.DataFrame, *, strict: bool = True) -> pl.DataFrame:
    """Convert a table of events to the columns and types of the tracking plan.

    Args:
        events: Table with some of the columns of :data:`analytics.events.tracking_plan.EVENT_SCHEMA`. Times may be
            naive (taken as UTC), of another zone, ISO 8601 strings or epoch milliseconds; see
            :func:`analytics.events.time_values.read_ms`.
        strict: Raise on a time that cannot be parsed; otherwise it becomes null.

    Returns:
        Table with exactly the columns of the tracking plan, in order; missing ones are null, others are dropped.

    Raises:
        EventFrameError: A column cannot be converted to its type in the tracking plan; or, if strict, there is none
            called ``type``, or one that is spelt differently.

    >>> table = conform(pl.DataFrame({"type": ["page"], "timestamp": ["2026-03-03T10:00:00+01:00"], "colour": ["red"]}))
    >>> table["timestamp"].to_list(), table.schema == EVENT_SCHEMA
    ([datetime.datetime(2026, 3, 3, 9, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC'))], True)
    """
    if events.schema == EVENT_SCHEMA:
        return events
    if strict:
        refuse_other_tables(events)
    return pl.DataFrame([_conform_column(events, column.name, column.dtype, strict=strict) for column in COLUMNS])


def enrich(events: pl.DataFrame, own: OwnNames | None = None) -> pl.DataFrame:
    """Add the derived columns of :data:`DERIVED_SCHEMA` to events.

    Args:
        events: Table of events; see :func:`conform` for accepted types.
        own: Domains, bots and channels of one's own, beside those that the lists have; those of settings are
            :attr:`analytics.settings.AnalyticsSettings.own_names`.

    Returns:
        The columns of the tracking plan, then the derived ones, then all others. An identifier of a browser,
        person or account that stands for nobody becomes null. Enriching twice changes nothing.

    Raises:
        EventFrameError: The table is not a table of events; see :func:`conform`.

    >>> page = {"type": "page", "context_location_country": "DE", "context_page_url": "https://shop.example/pricing"}
    >>> came = {"context_page_referrer": "https://www.google.com/", "received_at": "2026-03-03T10:00:00Z"}
    >>> enrich(pl.DataFrame([page | came])).select("region", "referrer_domain", "channel").row(0)
    ('europe', 'google.com', 'organic_search')
    """
    others = [name for name in events.columns if name not in EVENT_SCHEMA and name not in DERIVED_SCHEMA]
    return with_derived(_with_identifiers(conform(events)), own).hstack([events[name] for name in others])


def with_derived(events: pl.DataFrame, own: OwnNames | None = None) -> pl.DataFrame:
    """Add the derived columns to events that have been read, as a store holds them; quicker than :func:`enrich`.

    Args:
        events: Flat events, none with an identifier that stands for nobody. An ``event_time`` that they have is kept: a
            store has corrected impossible times by the arrival.
        own: As in :func:`enrich`.

    Returns:
        The columns of the tracking plan, then the derived ones.

    >>> page = conform(pl.DataFrame({"type": ["page"], "context_location_country": ["DE"]}))
    >>> with_derived(page)["region"].item()
    'europe'
    """
    flat, own = events.select(EVENT_SCHEMA.names()), own or OwnNames()
    derived = flat.hstack(_derived(flat, own))
    if "event_time" in events.columns:
        derived = derived.with_columns(events["event_time"])
    return with_own_channels(derived, own.channels)


def _with_identifiers(flat: pl.DataFrame) -> pl.DataFrame:
    """Replace identifiers that stand for nobody by null: "" would join everybody without an account into one."""
    # Few tables have any, and searching costs less than rebuilding the columns.
    doubtful = flat.select(_ANY_IN_DOUBT).row(0, named=True)
    return flat.with_columns(identifiers(name) for name, found in doubtful.items() if found)


def _derived(flat: pl.DataFrame, own: OwnNames) -> list[pl.Series]:
    """The derived columns, in the order of their schema."""
    if flat.height < _FEW:
        looked_up = flat.select(*_ARRIVAL_FACTS, *(each for column in _LOOK_UPS.values() for each in column))
    else:
        columns = [_of_distinct(flat[column], expressions) for column, expressions in _LOOK_UPS.items()]
        looked_up = pl.concat([flat.select(_ARRIVAL_FACTS), *columns], how="horizontal")
    country, region = _country_and_region(flat)
    (bots,) = _mapped(flat["context_user_agent"], partial(_bots, own=own.bots))
    if bots.any():
        # With what a server sends of its own comes the user agent of its HTTP client, not a visitor's.
        bots &= ~flat.select(sent_by_server()).to_series()
    found = [looked_up["event_time"], looked_up["company_email"], country, region, _device(flat), bots]
    named = {series.name: series for series in (*found, *_arrivals(looked_up, own.domains))}
    return [named[name] for name in DERIVED_SCHEMA]


def _of_distinct(values: pl.Series, expressions: Sequence[pl.Expr]) -> pl.DataFrame:
    """Compute expressions once per distinct value of a column, and gather the results by code."""
    distinct, row_of = _distinct(values)
    derived = distinct.to_frame(values.name).select(expressions)
    return derived.select(pl.all().gather(row_of))


def _mapped(values: pl.Series, *functions: Callable[[pl.Series], pl.Series]) -> list[pl.Series]:
    """Apply functions of texts to the distinct values of a column."""
    if len(values) < _FEW:
        texts = values.cast(pl.String)
        return [function(texts) for function in functions]
    distinct, row_of = _distinct(values)
    return [function(distinct).gather(row_of) for function in functions]


def _distinct(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Distinct values of a column as strings, and for each row the index of its value among them."""
    # Own categories are released with the batch: a stream may have any number of distinct strings.
    categories = values if values.dtype == pl.Categorical else values.cast(pl.Categorical(pl.Categories.random()))
    distinct = categories.unique()
    # Codes from 1, so that 0 is null.
    number, known = ((each.to_physical() + 1).fill_null(0).to_numpy() for each in (categories, distinct))
    row_of = np.zeros(int(known.max(initial=0)) + 1, dtype=np.uint32)
    row_of[known] = np.arange(len(distinct))
    return distinct.cast(pl.String), pl.Series(row_of[number])


def _country_and_region(flat: pl.DataFrame) -> list[pl.Series]:
    """Code of the country, by what the event has of it, else by the time zone; and the region of the country."""
    given = flat["context_location_country"]
    if set(given.unique()) <= _CODES:
        found = [given.alias("country_code"), *_mapped(given, _REGIONS)]
    else:
        found = _mapped(given, _COUNTRIES, _REGIONS)
    if not found[0].null_count() or flat["context_timezone"].null_count() == flat.height:
        return found
    by_zone = _mapped(flat["context_timezone"], _COUNTRIES_OF_ZONES, _REGIONS_OF_ZONES)
    return [given.zip_with(found[0].is_not_null(), zone) for given, zone in zip(found, by_zone, strict=True)]


def _device(flat: pl.DataFrame) -> pl.Series:
    """Kind of device, as the event has it, else by the user agent."""
    found = flat["context_device_type"].alias("device_type")
    if not set(found.unique()) <= _KINDS_OF_DEVICES:
        (found,) = _mapped(found, _plain_devices)
    if not found.null_count():
        return found
    # Servers send neither; an agent is looked up only where the device is missing.
    agents = flat["context_user_agent"].zip_with(found.is_null(), pl.Series([None], dtype=pl.String))
    if agents.null_count() == len(agents):
        return found
    (by_agent,) = _mapped(agents, _DEVICES_OF_AGENTS)
    return found.zip_with(found.is_not_null(), by_agent)


def _plain_device(given: str) -> str | None:
    # Segment's mobile libraries write the system instead of the kind, of which the user agent tells.
    plain = given.strip().lower()
    plain = {"phone": "mobile", "smartphone": "mobile", "pc": "desktop"}.get(plain, plain)
    return plain if plain in _KINDS_OF_DEVICES else None


def _bots(agents: pl.Series, own: tuple[str, ...]) -> pl.Series:
    values = agents.to_list()
    known = {agent: agent is not None and is_bot(agent, own) for agent in set(values)}
    return pl.Series("is_bot", [known[agent] for agent in values], dtype=pl.Boolean)


def _each(name: str, function: Callable[[str], str | None]) -> Callable[[pl.Series], pl.Series]:
    """A function of one text as a function of a column, whose result has this name."""

    def column(texts: pl.Series) -> pl.Series:
        values = texts.to_list()
        known = {text: None if text is None else function(text) for text in set(values)}
        return pl.Series(name, [known[text] for text in values], dtype=pl.String).cast(pl.Categorical())

    return column


def _arrivals(events: pl.DataFrame, own_domains: tuple[str, ...]) -> list[pl.Series]:
    """Referrer, channel and campaign of each event; rules are evaluated once for each combination of causes."""
    table = events.select(_JUDGED)
    has_cause, landing = table.drop_in_place("_has_cause"), table["_landing"]
    # Most events are page views after a link within the site, of which nothing has to be judged.
    table = table.filter(has_cause)
    _, first, row_of = np.unique(table.hash_rows().to_numpy(), return_index=True, return_inverse=True)
    # Two more rows serve all events without a cause.
    causes = [*(Cause(*row) for row in table[first].iter_rows()), Cause(), Cause(on_page=False)]
    place = np.where(landing, len(causes) - 2, len(causes) - 1)
    place[has_cause.to_numpy()] = row_of
    rows = [(*arrival(cause, own_domains), *campaign_of(cause)) for cause in causes]
    found = pl.DataFrame(rows, schema=_ARRIVAL, orient="row")[place]
    return [*found, found["channel"].alias("default_channel")]


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
    times = read_times(series)
    if times is None:
        raise EventFrameError(_impossible(series, UTC_MS))
    given = series.fill_nan(None) if series.dtype.is_float() else series
    if strict and (n := times.null_count() - given.null_count()):
        first = given.filter(times.is_null() & given.is_not_null())[0]
        why = f", which looks like epoch {unit}, not milliseconds" if (unit := other_unit(first)) else ""
        raise EventFrameError(
            f"{_impossible(series, UTC_MS)}: {n:,} of {len(series):,} rows have no time there, such as {first!r}{why}; "
            "an EventStore, or analytics.io.row_validation.usable_events, leaves such rows out"
        )
    return times


def _impossible(series: pl.Series, dtype: pl.DataType) -> str:
    return f"column {series.name!r} is {series.dtype} and cannot be read as {dtype}; see analytics.events.EVENT_SCHEMA"


def _lower(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase()


def _host(name: str) -> pl.Expr:
    return _lower(name).str.extract(_HOST).cast(pl.Categorical())


def _referring_host() -> pl.Expr:
    bare = _lower("context_page_referrer").str.extract(_BARE_HOST)
    return pl.coalesce(
        _lower("context_page_referrer").str.extract(_HOST), pl.when(~bare.str.contains(_FILE)).then(bare)
    )


def _company_email() -> pl.Expr:
    # In angle brackets behind a name, as mail programs write it: Bob <bob@example.org>.
    domain = _lower("email").str.extract(r"@([^@>\s]+)\s*>?$")
    return domain.map_batches(_of_companies, return_dtype=pl.Boolean)


def _of_companies(domains: pl.Series) -> pl.Series:
    values = domains.to_list()
    return pl.Series([None if domain is None else not is_free_mail(domain) for domain in values], dtype=pl.Boolean)


def _tags(name: str) -> pl.Expr:
    address = pl.col(name).cast(pl.String)
    query = address.str.extract(r"^[^?#]*(\?[^#]+)").str.extract_all(TAGS).list.join("")
    fragment = address.str.extract(r"(#.+)").str.extract_all(TAGS_OF_FRAGMENT).list.join("")
    # The last of two equal keys counts, and so the query before the fragment.
    tags = pl.concat_str(fragment, query, ignore_nulls=True)
    return pl.when(tags != "").then(tags).cast(pl.Categorical())


# Expressions are built once: for a small batch, building them takes longer than evaluating them.
_LOOK_UPS: Final = {
    "context_page_referrer": [_referring_host().cast(pl.Categorical()).alias("_referrer_host")],
    "context_page_url": [_host("context_page_url").alias("_own_host"), _tags("context_page_url").alias("_tags")],
    "email": [_company_email().alias("company_email")],
}
# A referrer on the same host is a link between two pages of the site, and no arrival.
_INTERNAL: Final = (pl.col("_referrer_host") == pl.col("_own_host")).fill_null(value=False)
_ON_A_PAGE: Final = pl.col("context_page_url").is_not_null() | (pl.col("type") == CallType.PAGE)
_CAMPAIGN: Final = {
    "campaign_source": "context_campaign_source",
    "campaign_medium": "context_campaign_medium",
    "campaign_name": "context_campaign_name",
}
_ARRIVAL_FACTS: Final[tuple[str | pl.Expr, ...]] = (
    "type",
    "context_page_url",
    *_CAMPAIGN.values(),
    COUNTED_TIME.alias("event_time"),
)
_ARRIVAL: Final = {name: DERIVED_SCHEMA[name] for name in ("referrer_domain", "channel", *_CAMPAIGN)}
_REFERRER: Final = pl.when(~_INTERNAL).then("_referrer_host").alias("_referrer")
_CAUSES: Final = (*(_CAMPAIGN[f"campaign_{name}"] for name in ("medium", "source", "name")), "_tags")
_JUDGED: Final[tuple[str | pl.Expr, ...]] = (
    *_CAUSES,
    _REFERRER,
    "_own_host",
    (~_INTERNAL & _ON_A_PAGE).alias("_landing"),
    pl.any_horizontal(pl.col(*_CAUSES).is_not_null(), _REFERRER.is_not_null()).alias("_has_cause"),
)
_CODES: Final = {None, *REGION_OF_COUNTRY}
_COUNTRIES: Final = _each("country_code", country_of)
_REGIONS: Final = _each("region", lambda text: REGION_OF_COUNTRY.get(country_of(text) or ""))
_COUNTRIES_OF_ZONES: Final = _each("country_code", country_of_zone)
_REGIONS_OF_ZONES: Final = _each("region", lambda zone: REGION_OF_COUNTRY.get(country_of_zone(zone) or ""))
_plain_devices: Final = _each("device_type", _plain_device)
_DEVICES_OF_AGENTS: Final = _each("device_type", device_of)
_ANY_IN_DOUBT: Final = [in_doubt(name).any() for name in WHO]

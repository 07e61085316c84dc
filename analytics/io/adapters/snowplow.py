"""Snowplow: enriched events, as tab-separated values without a header or as JSON of the analytics SDKs.

| field of the tracking plan | Snowplow |
| --- | --- |
| type | ``event``: ``page_view`` is a page call, all others track calls |
| ``event`` of track calls | ``se_action`` of structured events, else ``event_name`` |
| ``messageId`` | ``event_id`` |
| ``anonymousId`` | ``domain_userid``, else ``network_userid``, else ``user_fingerprint`` |
| ``userId`` | ``user_id`` |
| ``originalTimestamp`` | ``dvce_created_tstamp`` |
| ``sentAt`` | ``dvce_sent_tstamp`` |
| ``receivedAt`` | ``collector_tstamp`` |
| ``timestamp`` | ``true_tstamp``, else ``derived_tstamp`` |
| ``context.page`` | ``page_url``, ``page_urlpath``, ``page_title``, ``page_referrer`` |
| ``context.campaign`` | ``mkt_source``, ``mkt_medium``, ``mkt_campaign``, ``mkt_term``, ``mkt_content`` |
| ``context.device.type`` | ``dvce_type`` (Computer is desktop) |
| ``context.location.country`` | ``geo_country`` |
| ``context.timezone`` | ``os_timezone``, else ``geo_timezone`` |
| ``context.ip``, ``context.userAgent`` | ``user_ipaddress``, ``useragent`` |
| ``properties`` | data of a self-describing event; ``se_category``, ``se_label``, ``se_property``, ``se_value`` |

Sources: Snowplow, `Canonical event model <https://docs.snowplow.io/docs/fundamentals/canonical-event/>`_ and `Stream
file format <https://docs.snowplow.io/docs/pipeline/enriched-tsv-format/>`_.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from analytics.io.adapters.adapter import Adapter, Conversions, Fields, Record, decoded_json, found
from analytics.io.adapters.devices import device_type

TSV_COLUMNS: Final = tuple(
    """
    app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id name_tracker v_tracker
    v_collector v_etl user_id user_ipaddress user_fingerprint domain_userid domain_sessionidx network_userid
    geo_country geo_region geo_city geo_zipcode geo_latitude geo_longitude geo_region_name ip_isp
    ip_organization ip_domain ip_netspeed page_url page_title page_referrer page_urlscheme page_urlhost
    page_urlport page_urlpath page_urlquery page_urlfragment refr_urlscheme refr_urlhost refr_urlport
    refr_urlpath refr_urlquery refr_urlfragment refr_medium refr_source refr_term mkt_medium mkt_source mkt_term
    mkt_content mkt_campaign contexts se_category se_action se_label se_property se_value unstruct_event
    tr_orderid tr_affiliation tr_total tr_tax tr_shipping tr_city tr_state tr_country ti_orderid ti_sku ti_name
    ti_category ti_price ti_quantity pp_xoffset_min pp_xoffset_max pp_yoffset_min pp_yoffset_max useragent
    br_name br_family br_version br_type br_renderengine br_lang br_features_pdf br_features_flash
    br_features_java br_features_director br_features_quicktime br_features_realplayer br_features_windowsmedia
    br_features_gears br_features_silverlight br_cookies br_colordepth br_viewwidth br_viewheight os_name
    os_family os_manufacturer os_timezone dvce_type dvce_ismobile dvce_screenwidth dvce_screenheight doc_charset
    doc_width doc_height tr_currency tr_total_base tr_tax_base tr_shipping_base ti_currency ti_price_base
    base_currency geo_timezone mkt_clickid mkt_network etl_tags dvce_sent_tstamp refr_domain_userid
    refr_device_tstamp derived_contexts domain_sessionid derived_tstamp event_vendor event_name event_format
    event_version event_fingerprint true_tstamp
    """.split()  # noqa: SIM905 - as the documentation has them
)
"""Columns of an enriched event as tab-separated values, in order."""

_OF_SNOWPLOW: Final = frozenset({"v_collector", "domain_userid", "network_userid"})

_SELF_DESCRIBING: Final = "unstruct_event_"


class Snowplow(Adapter):
    """Converts enriched events of Snowplow."""

    name = "snowplow"
    page_events = frozenset({"page_view"})
    fields: ClassVar[Fields] = {
        "messageId": ("event_id",),
        "anonymousId": ("domain_userid", "network_userid", "user_fingerprint"),
        "userId": ("user_id",),
        "originalTimestamp": ("dvce_created_tstamp",),
        "sentAt": ("dvce_sent_tstamp",),
        "receivedAt": ("collector_tstamp",),
        "timestamp": ("true_tstamp", "derived_tstamp"),
        "context.page.url": ("page_url",),
        "context.page.path": ("page_urlpath",),
        "context.page.title": ("page_title",),
        "context.page.referrer": ("page_referrer",),
        "context.campaign.source": ("mkt_source",),
        "context.campaign.medium": ("mkt_medium",),
        "context.campaign.name": ("mkt_campaign",),
        "context.campaign.term": ("mkt_term",),
        "context.campaign.content": ("mkt_content",),
        "context.device.type": ("dvce_type",),
        "context.location.country": ("geo_country",),
        "context.timezone": ("os_timezone", "geo_timezone"),
        "context.ip": ("user_ipaddress",),
        "context.userAgent": ("useragent",),
        "context.library.name": ("v_tracker",),
        "properties.category": ("se_category",),
        "properties.label": ("se_label",),
        "properties.property": ("se_property",),
        "properties.value": ("se_value",),
    }
    conversions: ClassVar[Conversions] = {"context.device.type": device_type}

    def recognises(self, record: Record) -> bool:
        """Every enriched event has an identifier, a collector's time, and a collector or visitors, also if selected."""
        is_of_collector = record.get("event_id") and record.get("collector_tstamp")
        return bool(is_of_collector) and not _OF_SNOWPLOW.isdisjoint(record)

    def event(self, record: Record) -> Record:
        """Convert by the table, and add what a self-describing event describes."""
        event = super().event(record)
        described = _described(record)
        if described:
            event["properties"] = described | event.get("properties", {})
        return event

    def event_name(self, record: Record, name: object) -> object:
        """The action of a structured event, which has the generic name ``event``."""
        return record.get("se_action") or record.get("event_name") or name


def _described(record: Record) -> dict[str, Any]:
    """Data of a self-describing event: nested under ``unstruct_event``, or in a column with the name of its schema."""
    nested = record.get("unstruct_event")
    data = found(decoded_json(nested) if isinstance(nested, str) else nested, "data.data")
    columns = (value for key, value in record.items() if key.startswith(_SELF_DESCRIBING))
    return next((value for value in (data, *columns) if isinstance(value, dict)), {})

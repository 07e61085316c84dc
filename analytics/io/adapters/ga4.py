"""Google Analytics 4: the export to BigQuery, as JSON lines or Parquet.

| field of the tracking plan | GA4 export |
| --- | --- |
| type | ``event_name``: ``page_view`` is a page call, ``screen_view`` a screen call, all others track calls |
| ``event`` of track calls | ``event_name`` |
| ``messageId`` | none: a fingerprint of the event, with its place in the batch |
| ``anonymousId`` | ``user_pseudo_id`` |
| ``userId`` | ``user_id`` |
| ``timestamp`` | ``event_timestamp`` (microseconds) |
| ``context.page`` | parameters ``page_location``, ``page_title``, ``page_referrer`` |
| ``context.campaign`` | ``collected_traffic_source.manual_*``, else ``source``, …; google / cpc of a ``gclid`` |
| ``context.device.type`` | ``device.category`` |
| ``context.location.country`` | ``geo.country`` (a name) |
| ``properties`` | all other ``event_params`` |
| not read | ``traffic_source``: how the *user* came first, not this visit; ``items``, ``ecommerce`` |

GA4 exports neither addresses (``context.ip``) nor user agents. Source: Google, `BigQuery Export schema
<https://support.google.com/analytics/answer/7029846>`_.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from analytics.io.adapters.adapter import Adapter, Conversions, Fields, Record
from analytics.io.adapters.clocks import from_epoch
from analytics.io.adapters.devices import device_type

_PLACE: Final = ("event_bundle_sequence_id", "batch_page_id", "batch_ordering_id", "batch_event_index")


class Ga4(Adapter):
    """Converts events of the GA4 export."""

    name = "ga4"
    event_path = "event_name"
    page_events = frozenset({"page_view"})
    properties_path = "params"
    fields: ClassVar[Fields] = {
        "anonymousId": ("user_pseudo_id",),
        "userId": ("user_id",),
        "timestamp": ("event_timestamp",),
        "context.page.url": ("params.page_location",),
        "context.page.title": ("params.page_title",),
        "context.page.referrer": ("params.page_referrer",),
        "context.campaign.source": ("collected_traffic_source.manual_source", "params.source"),
        "context.campaign.medium": ("collected_traffic_source.manual_medium", "params.medium"),
        "context.campaign.name": ("collected_traffic_source.manual_campaign_name", "params.campaign"),
        "context.campaign.term": ("collected_traffic_source.manual_term", "params.term"),
        "context.campaign.content": ("collected_traffic_source.manual_content", "params.content"),
        "context.device.type": ("device.category",),
        "context.location.country": ("geo.country",),
    }
    conversions: ClassVar[Conversions] = {"timestamp": from_epoch, "context.device.type": device_type}

    def recognises(self, record: Record) -> bool:
        """Every exported event has a name, a time and parameters."""
        return all(name in record for name in ("event_name", "event_timestamp", "event_params"))

    def event(self, record: Record) -> Record:
        """Convert by the table, with the parameters by their keys."""
        # Of two equal events of one moment only the place in the batch differs, and the fingerprint must.
        place = {name: record[name] for name in _PLACE if record.get(name) is not None}
        given = _parameters(record.get("event_params")) | place
        clicked = {} if given.keys() & {"source", "medium"} else _ad_click(record)
        return super().event(record | {"params": clicked | given})

    def call(self, record: Record, name: object) -> str:
        """Views of an app's screens are calls of their own."""
        return "screen" if name == "screen_view" else super().call(record, name)


def _ad_click(record: Record) -> dict[str, Any]:
    """Source and medium of a click on Google's advertisements, which has an identifier instead of them."""
    collected = record.get("collected_traffic_source")
    if not isinstance(collected, dict) or not collected.get("gclid"):
        return {}
    is_tagged = any(collected.get(name) for name in ("manual_source", "manual_medium"))
    return {} if is_tagged else {"source": "google", "medium": "cpc"}


def _parameters(given: object) -> dict[str, Any]:
    """Parameters by their keys; each has its value in one of several fields, by its type."""
    parameters: dict[str, Any] = {}
    for each in given if isinstance(given, list) else []:
        values = each.get("value") if isinstance(each, dict) else None
        if isinstance(values, dict):
            known = [value for value in values.values() if value is not None]
            parameters |= {str(each.get("key")): known[0]} if known else {}
    return parameters

"""Mixpanel: the Raw Event Export API (JSON lines), and bodies sent to its import API.

| field of the tracking plan | Mixpanel |
| --- | --- |
| type | ``event``: ``$mp_web_page_view`` is a page call, ``$identify`` an identify call, all others track calls |
| ``event`` of track calls | ``event`` |
| ``messageId`` | ``properties.$insert_id`` |
| ``anonymousId`` | ``properties.$device_id``, else ``properties.distinct_id`` (without ``$device:``) |
| ``userId`` | ``properties.$user_id``, else ``properties.distinct_id`` where it is not the browser's |
| ``previousId`` | ``properties.alias`` of ``$create_alias``, ``properties.$distinct_ids`` of ``$merge`` |
| ``timestamp`` | ``properties.time`` (seconds or milliseconds) |
| ``receivedAt`` | ``properties.mp_processing_time_ms``, else ``properties.$mp_api_timestamp_ms`` |
| ``context.page`` | ``properties``: ``$current_url``, ``current_url_path``, ``current_page_title``, ``$referrer`` |
| ``context.campaign`` | ``properties``: ``utm_source``, ``utm_medium``, ``utm_campaign``, … |
| ``context.device.type`` | ``properties.$device``, else ``properties.$os`` |
| ``context.location.country`` | ``properties.mp_country_code`` |
| ``context.ip`` | ``properties.ip`` (Mixpanel does not export it) |
| ``context.library.name`` | ``properties.mp_lib`` |
| ``traits.email`` | ``properties.$email``, ``properties.email`` |
| ``properties`` | all ``properties`` whose names do not begin with ``$`` |

``time`` is UTC in projects created since 2023; in older ones it is in the time zone of the project, which no export
names. Sources: Mixpanel, `Raw Event Export <https://developer.mixpanel.com/reference/raw-event-export>`_ and `Default
properties <https://docs.mixpanel.com/docs/data-structure/property-reference/default-properties>`_.
"""

from __future__ import annotations

from typing import ClassVar, Final

from analytics.io.adapters.adapter import Adapter, Conversions, Fields, Record
from analytics.io.adapters.clocks import from_epoch
from analytics.io.adapters.devices import device_type

_DEVICE: Final = "$device:"


class Mixpanel(Adapter):
    """Converts events of Mixpanel."""

    name = "mixpanel"
    page_events = frozenset({"$mp_web_page_view", "mp_page_view", "Page View", "Page Viewed"})
    identify_events = frozenset({"$identify"})
    alias_events = frozenset({"$create_alias", "$merge"})
    properties_path = "properties"
    json_columns = ("properties",)
    fields: ClassVar[Fields] = {
        "messageId": ("properties.$insert_id",),
        "anonymousId": ("properties.$device_id", "properties.$anon_id", "properties.distinct_id"),
        "userId": ("properties.$user_id", "properties.$identified_id"),
        "previousId": ("properties.alias",),
        "timestamp": ("properties.time",),
        "receivedAt": ("properties.mp_processing_time_ms", "properties.$mp_api_timestamp_ms"),
        "context.page.url": ("properties.$current_url", "properties.current_url"),
        "context.page.path": ("properties.current_url_path",),
        "context.page.title": ("properties.current_page_title",),
        "context.page.referrer": ("properties.$referrer",),
        "context.campaign.source": ("properties.utm_source",),
        "context.campaign.medium": ("properties.utm_medium",),
        "context.campaign.name": ("properties.utm_campaign",),
        "context.campaign.term": ("properties.utm_term",),
        "context.campaign.content": ("properties.utm_content",),
        "context.device.type": ("properties.$device", "properties.$os"),
        "context.location.country": ("properties.mp_country_code",),
        "context.ip": ("properties.ip",),
        "context.library.name": ("properties.mp_lib",),
        "traits.email": ("properties.$email", "properties.email"),
    }
    conversions: ClassVar[Conversions] = {
        "timestamp": from_epoch,
        "receivedAt": from_epoch,
        "context.device.type": device_type,
        "anonymousId": lambda value: str(value).removeprefix(_DEVICE),
        "previousId": lambda value: str(value).removeprefix(_DEVICE),
        # mixpanel-js writes this where Segment's library writes an empty text.
        "context.page.referrer": lambda value: None if value == "$direct" else value,
    }

    def event(self, record: Record) -> Record:
        """Convert by the table, and join what a distinct id alone may stand for."""
        event = super().event(record)
        properties = record.get("properties") or {}
        merged = properties.get("$distinct_ids")
        if event["type"] == "alias" and isinstance(merged, list) and len(merged) == 2:  # noqa: PLR2004 - a pair
            event["userId"], event["previousId"] = (str(each).removeprefix(_DEVICE) for each in merged)
        whoever = properties.get("distinct_id")
        # A server sends the distinct id alone, which may be that of a browser or of a person: it joins whichever it is.
        if whoever is not None and not str(whoever).startswith(_DEVICE) and "userId" not in event:
            is_of_browser = whoever in (properties.get("$device_id"), properties.get("$anon_id"))
            event |= {} if is_of_browser else {"userId": whoever}
        return event

    def recognises(self, record: Record) -> bool:
        """Events whose time is among their properties."""
        properties = self._decoded(record).get("properties")
        return "event" in record and isinstance(properties, dict) and "time" in properties

"""Amplitude: the Export API (a zip of gzipped JSON lines), and bodies sent to the HTTP V2 API.

| field of the tracking plan | Amplitude |
| --- | --- |
| type | ``event_type``: ``[Amplitude] Page Viewed`` is a page call, ``$identify`` identify, others track |
| ``event`` of track calls | ``event_type`` |
| ``messageId`` | ``$insert_id``, else ``insert_id``, else ``uuid`` |
| ``anonymousId`` | ``device_id`` |
| ``userId`` | ``user_id`` |
| ``originalTimestamp`` | ``client_event_time`` |
| ``sentAt`` | ``client_upload_time`` |
| ``receivedAt`` | ``server_received_time``, else ``server_upload_time`` |
| ``timestamp`` | ``event_time``, else ``time`` |
| ``context.page`` | ``event_properties``: ``[Amplitude] Page Location`` (``URL``), ``Path``, ``Title``; ``referrer`` |
| ``context.campaign`` | ``event_properties.utm_*``, else ``user_properties.utm_*`` |
| ``context.device.type`` | ``device_type``, else ``device_family``, else ``os_name`` |
| ``context.location.country`` | ``country`` (a name) |
| ``context.ip`` | ``ip_address``, else ``ip`` |
| ``context.groupId`` | ``groups.company``, ``groups.account`` |
| ``context.library.name`` | ``library`` |
| ``traits.email`` | ``user_properties.email`` |
| ``properties`` | all ``event_properties`` whose names do not begin with ``[Amplitude]`` |

Source: Amplitude, `Export API <https://amplitude.com/docs/apis/analytics/export>`_.
"""

from __future__ import annotations

from typing import ClassVar, Final

from analytics.io.adapters.adapter import Adapter, Conversions, Fields, Record
from analytics.io.adapters.clocks import from_epoch
from analytics.io.adapters.devices import device_type

_PAGE: Final = "event_properties.[Amplitude] Page"


class Amplitude(Adapter):
    """Converts events of Amplitude."""

    name = "amplitude"
    event_path = "event_type"
    page_events = frozenset({"[Amplitude] Page Viewed", "Page Viewed", "Viewed Page", "Page View"})
    identify_events = frozenset({"$identify"})
    properties_path = "event_properties"
    json_columns = ("event_properties", "user_properties", "groups")
    fields: ClassVar[Fields] = {
        "messageId": ("$insert_id", "insert_id", "uuid"),
        "anonymousId": ("device_id",),
        "userId": ("user_id",),
        "originalTimestamp": ("client_event_time",),
        "sentAt": ("client_upload_time",),
        "receivedAt": ("server_received_time", "server_upload_time"),
        "timestamp": ("event_time", "time"),
        "context.page.url": (f"{_PAGE} Location", f"{_PAGE} URL"),
        "context.page.path": (f"{_PAGE} Path",),
        "context.page.title": (f"{_PAGE} Title",),
        "context.page.referrer": ("event_properties.referrer", "event_properties.[Amplitude] Referrer"),
        "context.campaign.source": ("event_properties.utm_source", "user_properties.utm_source"),
        "context.campaign.medium": ("event_properties.utm_medium", "user_properties.utm_medium"),
        "context.campaign.name": ("event_properties.utm_campaign", "user_properties.utm_campaign"),
        "context.campaign.term": ("event_properties.utm_term", "user_properties.utm_term"),
        "context.campaign.content": ("event_properties.utm_content", "user_properties.utm_content"),
        "context.device.type": ("device_type", "device_family", "os_name"),
        "context.location.country": ("country",),
        "context.ip": ("ip_address", "ip"),
        "context.groupId": ("groups.company", "groups.account"),
        "context.library.name": ("library",),
        "traits.email": ("user_properties.email",),
    }
    conversions: ClassVar[Conversions] = {"timestamp": from_epoch, "context.device.type": device_type}

    def recognises(self, record: Record) -> bool:
        """Events with ``event_type`` and a device or a user."""
        return "event_type" in record and ("device_id" in record or "user_id" in record)

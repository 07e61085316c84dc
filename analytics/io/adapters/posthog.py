"""PostHog: batch exports and downloads of events (JSON lines, Parquet or CSV), and bodies sent to its capture API.

| field of the tracking plan | PostHog |
| --- | --- |
| type | ``event``: ``$pageview`` is a page call, ``$screen`` a screen call, ``$identify`` an identify call |
| ``event`` of track calls | ``event`` |
| ``messageId`` | ``uuid``, else ``properties.$insert_id`` |
| ``anonymousId`` | ``properties.$anon_distinct_id`` of ``$identify``, ``properties.$device_id``, else ``distinct_id`` |
| ``userId`` | ``properties.$user_id``, else ``distinct_id`` where it is not the browser's |
| the same | never ``distinct_id`` of an event whose ``properties.$is_identified`` is false, which is the browser's |
| ``previousId`` | ``properties.alias`` of ``$create_alias`` and ``$merge_dangerously``, which are alias calls |
| ``timestamp`` | ``timestamp`` |
| ``sentAt`` | ``sent_at`` of the batch, ``properties.$sent_at`` |
| ``receivedAt`` | ``created_at``, ``_inserted_at``, ``inserted_at`` |
| ``context.page`` | ``properties``: ``$current_url``, ``$pathname``, ``title``, ``$referrer`` |
| ``context.campaign`` | ``properties``: ``utm_source``, ``utm_medium``, ``utm_campaign``, … |
| ``context.device.type`` | ``properties.$device_type`` |
| ``context.location.country`` | ``properties.$geoip_country_code`` |
| ``context.timezone``, ``context.ip`` | ``properties.$timezone``, ``properties.$ip`` |
| ``context.userAgent`` | ``properties.$raw_user_agent`` |
| ``context.groupId`` | ``properties.$groups.company``, ``properties.$group_0`` |
| ``traits.email`` | ``properties.$set.email``, ``person_properties.email`` |
| ``properties`` | all ``properties`` whose names do not begin with ``$`` |

Sources: PostHog, `Batch exports <https://posthog.com/docs/cdp/batch-exports>`_ and `Events
<https://posthog.com/docs/data/events>`_.
"""

from __future__ import annotations

from typing import ClassVar

from analytics.io.adapters.adapter import Adapter, Conversions, Fields, Record, found
from analytics.io.adapters.devices import device_type


class PostHog(Adapter):
    """Converts events of PostHog."""

    name = "posthog"
    page_events = frozenset({"$pageview"})
    identify_events = frozenset({"$identify", "$set"})
    alias_events = frozenset({"$create_alias", "$merge_dangerously"})
    properties_path = "properties"
    json_columns = ("properties", "person_properties")
    fields: ClassVar[Fields] = {
        "previousId": ("properties.alias",),
        "messageId": ("uuid", "properties.$insert_id"),
        "timestamp": ("timestamp",),
        "sentAt": ("sentAt", "sent_at", "properties.$sent_at"),
        "receivedAt": ("created_at", "_inserted_at", "inserted_at"),
        "context.page.url": ("properties.$current_url",),
        "context.page.path": ("properties.$pathname",),
        "context.page.title": ("properties.title", "properties.$title"),
        "context.page.referrer": ("properties.$referrer",),
        "context.campaign.source": ("properties.utm_source", "properties.$utm_source"),
        "context.campaign.medium": ("properties.utm_medium", "properties.$utm_medium"),
        "context.campaign.name": ("properties.utm_campaign", "properties.$utm_campaign"),
        "context.campaign.term": ("properties.utm_term", "properties.$utm_term"),
        "context.campaign.content": ("properties.utm_content", "properties.$utm_content"),
        "context.device.type": ("properties.$device_type",),
        "context.location.country": ("properties.$geoip_country_code",),
        "context.timezone": ("properties.$timezone",),
        "context.ip": ("properties.$ip",),
        "context.userAgent": ("properties.$raw_user_agent", "properties.$user_agent"),
        "context.groupId": ("properties.$groups.company", "properties.$group_0"),
        "context.library.name": ("properties.$lib",),
        "traits.email": ("properties.$set.email", "properties.$set_once.email", "person_properties.email"),
    }
    conversions: ClassVar[Conversions] = {
        "context.device.type": device_type,
        # posthog-js writes this where Segment's library writes an empty text.
        "context.page.referrer": lambda value: None if value == "$direct" else value,
    }

    def recognises(self, record: Record) -> bool:
        """Events with ``distinct_id``, whose time is not among their properties, where Mixpanel has it."""
        properties = self._decoded(record).get("properties")
        if "event" not in record or not isinstance(properties, dict) or "time" in properties:
            return False
        return "distinct_id" in record or "distinct_id" in properties or "distinctId" in record

    def event(self, record: Record) -> Record:
        """Convert by the table, and tell browsers from people."""
        event = super().event(record)
        own = record.get("properties")
        properties = own if isinstance(own, dict) else {}
        whoever = record.get("distinct_id") or properties.get("distinct_id") or record.get("distinctId")
        browser = properties.get("$anon_distinct_id") or properties.get("$device_id")
        is_known = properties.get("$user_id") or properties.get("$is_identified") or record.get("event") == "$identify"
        # posthog-js says so of each event; after a reset, the distinct id is a new one that the device id is not.
        if properties.get("$is_identified") is False and not is_known:
            browser = whoever
        event["anonymousId"] = browser or whoever
        # A server sends the distinct id alone, which may be that of a browser or of a person: it joins whichever it is.
        if is_known or whoever != browser:
            event["userId"] = properties.get("$user_id") or whoever
        event.get("properties", {}).pop("distinct_id", None)
        return event

    def call(self, record: Record, name: object) -> str:
        """Views of an app's screens are calls of their own."""
        return "screen" if found(record, "event") == "$screen" else super().call(record, name)

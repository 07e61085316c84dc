"""RudderStack: events as it sends them to webhooks and object storage, which differ little from Segment's.

| field of the tracking plan | RudderStack |
| --- | --- |
| everything | the same path; RudderStack's event specification follows Segment's |
| ``context.ip`` | ``context.ip``, else ``request_ip`` |
| ``context.timezone``, ``context.userAgent``, ``context.page`` | the same |
| ``traits`` of identify calls | ``traits``, else ``context.traits`` |
| ``messageId`` | ``messageId`` |
| not read | ``rudderId``, ``channel``, ``integrations`` (kept in ``extra``) |

Source: RudderStack, `Common fields <https://www.rudderstack.com/docs/event-spec/standard-events/common-fields/>`_.
"""

from __future__ import annotations

from typing import Final

from analytics.io.adapters.adapter import Adapter, Record, found

_CALLS: Final = frozenset({"page", "track", "identify", "group", "screen", "alias"})


class RudderStack(Adapter):
    """Converts events of RudderStack."""

    name = "rudderstack"

    def recognises(self, record: Record) -> bool:
        """Segment's calls with an identifier or a library of RudderStack's."""
        library = str(found(record, "context.library.name"))
        return record.get("type") in _CALLS and ("rudderId" in record or "rudder" in library.lower())

    def event(self, record: Record) -> Record:
        """Fill the address from the one that the collector saw, and the traits from the context."""
        event = dict(record)
        context = record.get("context") if isinstance(record.get("context"), dict) else {}
        if record.get("request_ip") and not found(record, "context.ip"):
            event["context"] = {**(context or {}), "ip": str(record["request_ip"])}
        if record.get("type") == "identify" and not record.get("traits"):
            event["traits"] = found(record, "context.traits") or {}
        return event

"""Matomo: visits of the Live API (``Live.getLastVisitsDetails`` as JSON), each with its actions.

| field of the tracking plan | Matomo |
| --- | --- |
| type | ``actionDetails.type``: ``action`` is a page call, all others track calls |
| ``event`` of track calls | ``eventAction`` of events, ``goalName`` of goals, else the ``type`` |
| ``messageId`` | ``idVisit`` and the number of the action in it |
| ``anonymousId`` | ``visitorId`` |
| ``userId`` | ``userId`` |
| ``timestamp`` | ``actionDetails.timestamp``, else ``serverTimestamp`` (seconds) |
| ``context.page`` | ``actionDetails``: ``url``, ``pageTitle``; ``referrerUrl`` of the visit, with its first action |
| ``context.campaign`` | ``campaignSource``, ``campaignMedium``, ``campaignName``, ``campaignKeyword``, … |
| the same, of campaigns | else ``referrerName`` (name) and ``referrerKeyword`` (term) |
| the same, of searches and social networks | else ``referrerName`` (source), where ``referrerUrl`` is empty |
| ``context.device.type`` | ``deviceType`` (Smartphone is mobile) |
| ``context.location.country`` | ``countryCode`` |
| ``context.ip`` | ``visitIp`` |
| ``properties`` | ``eventCategory``, ``eventName``, ``eventValue``, ``goalId``, ``revenue`` |

Source: Matomo, `Reporting API <https://developer.matomo.org/api-reference/reporting-api#Live>`_.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from analytics.io.adapters.adapter import Adapter, Conversions, Fields, Record
from analytics.io.adapters.clocks import from_epoch
from analytics.io.adapters.devices import device_type

_OF_CAMPAIGNS: Final = {"campaignName": "referrerName", "campaignKeyword": "referrerKeyword"}
# Media of referrers of which Matomo has only the name.
_MEDIA: Final = {"search": "organic", "social": "social"}


class Matomo(Adapter):
    """Converts visits of Matomo, each to as many events as it has actions."""

    name = "matomo"
    event_path = "action.type"
    page_events = frozenset({"action"})
    json_columns = ("actionDetails",)
    fields: ClassVar[Fields] = {
        "messageId": ("message_id",),
        "anonymousId": ("visitorId", "fingerprint"),
        "userId": ("userId",),
        "timestamp": ("action.timestamp", "serverTimestamp"),
        "context.page.url": ("action.url",),
        "context.page.title": ("action.pageTitle", "action.title"),
        "context.page.referrer": ("referrer",),
        "context.campaign.source": ("campaignSource",),
        "context.campaign.medium": ("campaignMedium",),
        "context.campaign.name": ("campaignName",),
        "context.campaign.term": ("campaignKeyword",),
        "context.campaign.content": ("campaignContent",),
        "context.device.type": ("deviceType",),
        "context.location.country": ("countryCode",),
        "context.ip": ("visitIp",),
        "properties.eventCategory": ("action.eventCategory",),
        "properties.eventName": ("action.eventName",),
        "properties.eventValue": ("action.eventValue",),
        "properties.goalId": ("action.goalId",),
        "properties.revenue": ("action.revenue",),
    }
    conversions: ClassVar[Conversions] = {
        "timestamp": from_epoch,
        "context.device.type": device_type,
        "context.location.country": lambda code: str(code).upper(),
    }

    def recognises(self, record: Record) -> bool:
        """Visits have the list of their actions."""
        return "actionDetails" in record and "visitorId" in record

    def split(self, record: Record) -> Iterator[Record]:
        """Yield the visit with each of its actions."""
        visit = dict(record)
        actions = visit.pop("actionDetails", None)
        if visit.get("referrerType") == "campaign":
            visit |= {ours: visit[theirs] for ours, theirs in _OF_CAMPAIGNS.items() if visit.get(theirs)}
        for number, action in enumerate(actions if isinstance(actions, list) else [], 1):
            if not isinstance(action, dict):
                raise TypeError("an action is no object")
            first = _arrival(visit) if number == 1 else {}
            yield visit | first | {"action": action, "message_id": f"{visit.get('idVisit')}-{number}"}

    def event_name(self, record: Record, name: object) -> object:
        """What the site calls the event or the goal."""
        action = record["action"]
        return action.get("eventAction") or action.get("goalName") or name


def _arrival(visit: Record) -> Record:
    medium = _MEDIA.get(str(visit.get("referrerType")))
    if visit.get("referrerUrl") or medium is None or not visit.get("referrerName"):
        return {"referrer": visit.get("referrerUrl")}
    return {"campaignSource": visit["referrerName"], "campaignMedium": medium}

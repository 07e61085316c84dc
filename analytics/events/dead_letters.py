"""Dead letters: unusable events, kept unchanged with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DeadLetterReason(StrEnum):
    """Reason why an event is unusable."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_TYPE = "unknown_type"
    NO_IDENTITY = "no_identity"
    BAD_ID = "bad_id"
    ID_TOO_LONG = "id_too_long"
    NO_TIME = "no_time"
    BAD_TIME = "bad_time"


@dataclass(frozen=True)
class DeadLetter:
    """An event that could not be parsed or used, stored unchanged with the reason.

    Args:
        raw: The bytes received.
        reason: Reason by category.
        detail: Description of the fault.
        position: Number of the line or event in its source, from 1; None if unknown.
    """

    raw: bytes
    reason: DeadLetterReason
    detail: str
    position: int | None = None


class RejectedError(Exception):
    """Raised for an unusable event, with the reason and detail of its dead letter."""

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason

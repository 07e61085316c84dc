"""Events that could not be used: kept as they came, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DeadLetter", "DeadLetterReason", "RejectedError"]


class DeadLetterReason(StrEnum):
    """Why an event could not be used."""

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
    """An event that could not be used, kept as it came.

    Args:
        raw: The bytes that came.
        reason: Why they are of no use, one of a few words to count by.
        detail: What was wrong, for a reader.
        position: Number of the line or event in its source, from 1; None when not known.
    """

    raw: bytes
    reason: DeadLetterReason
    detail: str
    position: int | None = None


class RejectedError(Exception):
    """An event is of no use: carries the dead letter's reason and detail out of the depths."""

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason

"""Dead letters: unusable events, kept unchanged with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class DeadLetterReason(StrEnum):
    """Reason why an event is unusable.

    ``too_large``, ``not_utf8``, ``not_json``, ``too_deep`` and ``not_an_object`` are of the bytes, ``unknown_type`` of
    the call. ``no_identity``: there is neither an anonymous nor a user id. ``bad_id``: an identifier is no text.
    ``id_too_long``: it has more than 100 characters. ``no_time``: nothing shows when it arrived. ``bad_time``: a time
    cannot be read, or is in no year from 2 to 9998. ``impossible_time``: it is far from the times of the other
    events, so that a wrong clock must have set it. ``far_ahead``: it is so far ahead of the stream that all others
    would be late; it waits until others confirm it. ``late`` is of late events where they are kept as letters are, and
    ``damaged`` of a letter that is no longer what was kept.
    """

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
    IMPOSSIBLE_TIME = "impossible_time"
    FAR_AHEAD = "far_ahead"
    LATE = "late"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class DeadLetter:
    """An event that could not be parsed or used, stored unchanged with the reason.

    Args:
        raw: The bytes received; of a line that was too long to be read, the first.
        reason: Reason by category.
        detail: Description of the fault.
        position: Number of the line or event in its source, from 1; None if unknown.
        source: Its source, where that is another one than that of the batch.
    """

    raw: bytes
    reason: DeadLetterReason
    detail: str
    position: int | None = None
    source: str | None = field(default=None, compare=False)


class RejectedError(Exception):
    """Raised for an unusable event; the caller, who has its bytes and its position, makes the dead letter.

    Args:
        reason: Reason by category.
        detail: Description of the fault.
    """

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason

"""Settings of a store in a folder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from analytics.settings import PrivacySettings

Fsync = Literal["always", "never"] | Annotated[float, Field(gt=0, le=3600)]
"""When acknowledged batches are flushed from the system's memory to the disk.

``always``: before they are acknowledged. A number: within so many seconds. ``never``: when the system decides, usually
half a minute later. The death of the process loses nothing under any policy. A power cut loses nothing under
``always``, and the last batches under the others.
"""


class StoreSettings(BaseModel):
    """Settings of a store in a folder.

    Args:
        window_hours: Hours in the window, the current one included; by default that of the store, or 24 for a new one.
        skew_seconds: How far ahead of its arrival an event may claim to have happened, in seconds; by default that of
            the store, or 60 for a new one.
        max_dead_letters: Dead letters kept in memory.
        side_files_mib: Most MiB of dead letters that the files hold, and of late events, roughly; the oldest are
            removed first, and counted.
        fsync: When acknowledged batches are flushed to the disk.
        checkpoint_events: Accepted events after which a checkpoint is due.
        checkpoint_mib: Length of the journal after which a checkpoint is due, in MiB.
        privacy: What becomes of personal data. What a store has been created with it keeps to, also unless given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_hours: int | None = Field(default=None, ge=1)
    skew_seconds: float | None = Field(default=None, ge=0)
    max_dead_letters: int = Field(default=1000, ge=0)
    side_files_mib: float = Field(default=1024.0, gt=0)
    fsync: Fsync = "always"
    checkpoint_events: int = Field(default=200_000, ge=1)
    checkpoint_mib: float = Field(default=64.0, gt=0)
    privacy: PrivacySettings = PrivacySettings()

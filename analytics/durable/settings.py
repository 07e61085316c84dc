"""How a store on disk is to be kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Fsync", "StoreSettings"]

Fsync = Literal["always", "never"] | Annotated[float, Field(gt=0, le=3600)]
"""When what was acknowledged goes from the system's memory to the disk.

``always``: before it is acknowledged. A number: within so many seconds. ``never``: when the system sees fit, half a
minute later as a rule. The death of the process costs nothing under any of them; a power cut costs nothing under
``always``, and else what was acknowledged last.
"""


class StoreSettings(BaseModel):
    """How a store on disk is to be kept.

    Args:
        window_hours: Hours in the window, the running one included; as the store has it, or 24, unless given.
        skew_seconds: How far ahead of its arrival an event may claim to have happened; as the store has it, or 60.
        max_dead_letters: Dead letters kept in memory; the file holds all.
        fsync: When what was acknowledged goes to the disk.
        checkpoint_events: Accepted events after which a checkpoint is due.
        checkpoint_mib: Length of the journal after which a checkpoint is due, in MiB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_hours: int | None = Field(default=None, ge=1)
    skew_seconds: float | None = Field(default=None, ge=0)
    max_dead_letters: int = Field(default=1000, ge=0)
    fsync: Fsync = "always"
    checkpoint_events: int = Field(default=200_000, ge=1)
    checkpoint_mib: float = Field(default=64.0, gt=0)

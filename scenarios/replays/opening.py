"""Opening of the receiver of a replay by its address: standard output, a file, an HTTP collector, a Kafka topic."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# Each target is loaded when it is named: ssl and http are slow to import, and Kafka is an extra.
from scenarios import replays
from scenarios.errors import InputError, did_you_mean
from scenarios.replays.files import LinesTarget
from scenarios.replays.target import Receiver, Target

_STDOUT: Final = "stdout"
_NAMES: Final = (_STDOUT, "file", "http", "https", "kafka")
_KINDS: Final = (_STDOUT, "file:PATH", "http://HOST:PORT", "https://HOST", "kafka:BROKERS/TOPIC")


def open_target(to: str, receiver: Receiver) -> Target:
    """Open a target by its address.

    Args:
        to: ``stdout``, ``file:PATH``, ``http://…``, ``https://…`` or ``kafka:BROKERS/TOPIC``.
        receiver: Settings besides the address.

    Raises:
        InputError: The address is none of these, or what it needs is not installed.
        OutputError: The file cannot be written, or holds something already.
    """
    kind = to.partition(":")[0]
    if to == _STDOUT:
        return LinesTarget.stdout()
    if kind == "file" and to != "file:":
        return LinesTarget.file(Path(to.removeprefix("file:")), receiver.kept_bytes)
    if kind in {"http", "https"}:
        return replays.HttpTarget(to, receiver)
    if kind == "kafka":
        return replays.KafkaTarget(to)
    raise InputError(f"--to: must be one of {', '.join(_KINDS)} (got {to!r}){did_you_mean(kind, _NAMES)}")

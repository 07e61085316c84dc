"""Personal data: columns that are dropped, hashed or truncated before a store writes anything of an event."""

from __future__ import annotations

import hmac
import ipaddress
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import polars as pl

from analytics.errors import AnalyticsError, StoreFormatError
from analytics.events.dead_letters import DeadLetter
from analytics.events.tracking_plan import COLUMNS
from analytics.io.flatten import Flattened
from analytics.settings import PrivacySettings

KEY_VARIABLE: Final = "FUNNELSIM_PRIVACY_KEY"
"""Environment variable with the key of the hashes."""

_HASHED: Final = "hmac-"
_IS_HASHED: Final = re.compile(r"hmac-[0-9a-f]{32}(?:@.*)?")
_FEWEST_BYTES: Final = 16
_PARAMETERS: Final = r"[?&](?:utm_[a-z_]+|gclid|wbraid|gbraid|dclid|fbclid|msclkid|li_fat_id|twclid|ttclid)=[^&#]*"
_PREFIXES: Final = {4: 24, 6: 48}


class Privacy:
    """What a store does to personal data, always before it writes anything.

    It can be applied again to what it has been applied to, without effect.

    Args:
        settings: The settings.

    Raises:
        AnalyticsError: There is no key for hashes, or it is too short or cannot be read.

    >>> private = Privacy(PrivacySettings(drop=["extra"], truncate=["context_ip"]))
    >>> private.text("context_ip", "203.0.113.77"), private.text("extra", "{}")
    ('203.0.113.0', None)
    """

    def __init__(self, settings: PrivacySettings | None = None) -> None:
        self.settings = settings or PrivacySettings()
        self._key = _key(self.settings) if self.settings.hash else b""
        change: dict[str, Callable[[str, str], str | None]] = dict.fromkeys(self.settings.drop, _nothing)
        change |= dict.fromkeys(self.settings.hash, self._hashed)
        self._changes = change | dict.fromkeys(self.settings.truncate, _truncated)

    @property
    def record(self) -> dict[str, Any]:
        """What a checkpoint says of it: the columns, and by what the key is recognised, but not the key."""
        if not self.settings.changes_events:
            return {}
        columns = self.settings.model_dump(include={"drop", "hash", "truncate"})
        check = self._digest("the key of a store") if self.settings.hash else ""
        return {name: sorted(given) for name, given in columns.items()} | {"key": check}

    def text(self, column: str, text: str) -> str | None:
        """A text of a column as the store keeps it; None if it is dropped."""
        change = self._changes.get(column)
        return text if change is None else change(column, text)

    def applied(self, batch: Flattened) -> Flattened:
        """A batch as the store keeps it."""
        if not self._changes:
            return batch
        frame = batch.frame.with_columns(self._column(batch.frame[name]) for name in self._changes)
        return replace(batch, frame=frame, dead_letters=tuple(map(self._letter, batch.dead_letters)))

    def _column(self, values: pl.Series) -> pl.Series:
        texts = values.cast(pl.String)
        distinct = texts.drop_nulls().unique()
        kept = pl.Series([self.text(values.name, text) for text in distinct], dtype=pl.String)
        return texts.replace_strict(distinct, kept, default=None, return_dtype=pl.String).cast(values.dtype)

    def _letter(self, letter: DeadLetter) -> DeadLetter:
        """A dead letter as the store keeps it: without what cannot be told to be harmless."""
        try:
            event = json.loads(letter.raw)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            detail = f"{letter.reason}; its {len(letter.raw):,} bytes are not kept, as they may name a person"
            return replace(letter, raw=b"", detail=detail)
        # Only what has a column: nobody can tell what else a broken event says.
        kept: dict[str, Any] = {}
        for column in COLUMNS:
            value = _at(event, column.path)
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(value)
                _put(kept, column.path, self.text(column.name, text) if column.name in self._changes else value)
        raw = json.dumps(kept, ensure_ascii=False).encode("utf-8", "replace")
        # The detail may quote the event.
        return replace(letter, raw=raw, detail=str(letter.reason))

    def _hashed(self, column: str, text: str) -> str:
        if _IS_HASHED.fullmatch(text):
            return text
        if column != "email":
            return _HASHED + self._digest(text)
        # Of an address the domain tells the company; capitals mean nothing in it.
        name, at, domain = text.strip().lower().rpartition("@")
        return f"{_HASHED}{self._digest(name + at + domain)}{at}{domain if at else ''}"

    def _digest(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "replace"), "sha256").hexdigest()[:32]


def privacy_of(record: Mapping[str, Any], given: PrivacySettings | None, folder: object) -> Privacy:
    """The privacy of a store: that which it has had so far, or else what is given.

    Args:
        record: What its checkpoint says; empty for a store that has had none.
        given: The settings now.
        folder: Its folder, for the message.

    Raises:
        StoreFormatError: Other columns are given than the store has had, or another key.
        AnalyticsError: There is no key.
    """
    given = given or PrivacySettings()
    if not record:
        return Privacy(given)
    columns = {name: record[name] for name in ("drop", "hash", "truncate")}
    wanted = {name: sorted(getattr(given, name)) for name in columns}
    if given.changes_events and wanted != columns:
        has, asked = ({name: sorted(names) for name, names in each.items() if names} for each in (columns, wanted))
        raise StoreFormatError(
            f"{folder}: the privacy of the store is {has}, and {asked} is asked for; give another folder"
        )
    found = Privacy(given.model_copy(update={name: tuple(names) for name, names in columns.items()}))
    if found.record != record:
        raise StoreFormatError(f"{folder}: the store hashes with another key; the same person would be two")
    return found


def _key(settings: PrivacySettings) -> bytes:
    if settings.key_file is None:
        key, source = os.environ.get(KEY_VARIABLE, "").encode(), f"the environment variable {KEY_VARIABLE}"
    else:
        source = str(settings.key_file)
        try:
            key = settings.key_file.read_bytes().strip()
        except OSError as error:
            raise AnalyticsError(f"{source}: the key of hashes cannot be read: {error.strerror}") from error
    if len(key) < _FEWEST_BYTES:
        raise AnalyticsError(f"{source} must have a key for hashes of at least {_FEWEST_BYTES} bytes, has {len(key)}")
    return key


def _nothing(column: str, text: str) -> None:  # noqa: ARG001 - of one kind with the others
    return None


def _truncated(column: str, text: str) -> str | None:
    if column != "context_ip":
        bare = re.sub(r"^([a-z]+://)[^/?#]*@", r"\1", re.split(r"[?#]", text, maxsplit=1)[0], flags=re.IGNORECASE)
        campaign = "&".join(found[1:] for found in re.findall(_PARAMETERS, text, flags=re.IGNORECASE))
        return f"{bare}?{campaign}" if campaign else bare
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None  # whatever it is
    return str(ipaddress.ip_network((address, _PREFIXES[address.version]), strict=False).network_address)


def _at(event: Mapping[str, Any], path: tuple[str, ...]) -> object:
    inner: object = event
    for name in path:
        inner = inner.get(name) if isinstance(inner, dict) else None
    return inner


def _put(event: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    *way, last = path
    for name in way:
        event = event.setdefault(name, {})
    event[last] = value

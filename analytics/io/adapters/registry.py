"""The adapters there are: built-in ones, and those that installed packages register in ``analytics.adapters``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import metadata
from typing import Final

from analytics.errors import EventFileError
from analytics.io.adapters.adapter import Adapter, Record
from analytics.io.adapters.amplitude import Amplitude
from analytics.io.adapters.ga4 import Ga4
from analytics.io.adapters.matomo import Matomo
from analytics.io.adapters.mixpanel import Mixpanel
from analytics.io.adapters.posthog import PostHog
from analytics.io.adapters.rudderstack import RudderStack
from analytics.io.adapters.snowplow import Snowplow

GROUP: Final = "analytics.adapters"
"""The group of entry points: a name, and the class of an adapter."""

_BUILT_IN: Final = (RudderStack, Snowplow, Ga4, PostHog, Amplitude, Mixpanel, Matomo)


@cache
def adapters() -> dict[str, Adapter]:
    """Every adapter by its name; an installed one takes the place of a built-in one of the same name.

    Raises:
        EventFileError: An installed one cannot be loaded.

    >>> sorted(adapters())[:3]
    ['amplitude', 'ga4', 'matomo']
    """
    known: dict[str, Adapter] = {}
    for entry in metadata.entry_points(group=GROUP):
        try:
            known[entry.name] = entry.load()()
        except Exception as error:  # a package may raise anything
            raise EventFileError(f"the adapter {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
    # Installed ones are asked first: whoever installs an adapter wants it used.
    return known | {kind.name: kind() for kind in _BUILT_IN if kind.name not in known}


def adapter_names() -> str:
    """Names of all adapters, for messages."""
    return ", ".join(sorted(adapters()))


def find_adapter(name: str) -> Adapter:
    """The adapter of a name.

    Raises:
        EventFileError: There is none.

    >>> find_adapter("posthog").name
    'posthog'
    """
    found = adapters().get(name)
    if found is None:
        raise EventFileError(f"there is no format {name!r}; there are segment, {adapter_names()}")
    return found


def recognised(records: Iterable[Record]) -> Adapter | None:
    """The adapter that recognises one of some records, the first if several do; None if there is none."""
    return next((each for record in records for each in adapters().values() if each.recognises(record)), None)

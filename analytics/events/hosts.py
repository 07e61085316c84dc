"""Hosts of referring sites: which are one's own, and which are search engines, social networks, shops or mail.

A host belongs to a site if both have the same registrable domain by the `Public Suffix List <https://publicsuffix.org>`_:
``docs.acme.co.uk`` and ``acme.co.uk`` are one site, ``a.github.io`` and ``b.github.io`` are two. The kinds of sites are
those of Google Analytics; see ``data/source_categories.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

# A stream has any number of hosts, and most of them come again.
_KEPT: Final = 50_000

# A label of the host itself, never the name of the site: mail.google.com, us-mg5.mail.yahoo.com, but not mail.com.
_MAIL: Final = re.compile(
    r"^(?:.+\.)?(?:web|e)?mail\.[^.]+\.|^e\.mail\.ru$|^(?:outlook|owa|deref)[.-]"
    r"|^(?:(?:app\.)?fastmail\.com|com\.google\.android\.gm|com\.microsoft\.office\.outlook)$"
)
_SIGN_IN: Final = re.compile(
    r"^(?:accounts?|login|signin|sso|auth|idp|appleid)\.[^.]+\.|(?:^|\.)(?:okta|auth0|onelogin|duosecurity)\.com$"
)
# Engines have a domain in every country, of which the list names only a few; "images." and the like are theirs.
_ENGINE: Final = re.compile(
    r"^(?:(?:m|images?|news|scholar|cse|cn|lite|wap|web|(?:[a-z-]+\.)?(?:r\.)?search|suche)\.)?"
    r"(?:google|bing|yahoo|baidu|yandex|ecosia|qwant|startpage|duckduckgo|naver|ask|sogou|seznam)"
    r"\.(?:[a-z]{2,3}|com?\.[a-z]{2})$|^(?:www\.)?ya\.ru$|^suche\.(?:web|t-online)\.de$|^suche\.gmx\.(?:net|at|ch)$"
)


def site_of(host: str) -> str:
    """Return the registrable domain of a host: the name that its owner has registered.

    Args:
        host: Host name in small letters.

    Returns:
        The domain; the host itself where it is an address or a public suffix.

    >>> site_of("blog.acme.co.uk"), site_of("docs.github.io"), site_of("localhost")
    ('acme.co.uk', 'docs.github.io', 'localhost')
    """
    last = host.rpartition(".")[2]
    # An IP address has no owner's name in it.
    if last.isdigit() or ":" in host:
        return host
    return _suffixes().privatesuffix(host) or host


@lru_cache(_KEPT)
def is_same_site(referrer: str, own: str) -> bool:
    """Return whether a referring host belongs to the site of a page.

    >>> is_same_site("blog.acme.com", "acme.com"), is_same_site("search.example.com", "example.com")
    (True, False)
    """
    if referrer == own:
        return True
    # The list is long, and hosts that do not end alike are never of one site. A search engine is never one's own: the
    # simulator's has a subdomain of example.com.
    if referrer.split(".")[-2:] != own.split(".")[-2:] or _categories().get(referrer) in {"search", "social"}:
        return False
    return site_of(referrer) == site_of(own)


def is_own(host: str, domains: Collection[str]) -> bool:
    """Return whether a host is one of these domains, or below one.

    >>> is_own("pay.acme.io", ["acme.io"]), is_own("notacme.io", ["acme.io"])
    (True, False)
    """
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def is_web_site(host: str) -> bool:
    """Return whether a host is in the public web: no extension of a browser, no machine in one's own network.

    >>> is_web_site("partner.org"), is_web_site("localhost"), is_web_site("cjpalhdlnbpafiamejdnhcphjbkeiagm")
    (True, False, False)
    """
    # Their names have no dot, and neither has what is left of [::1] before its colon.
    return "." in host and not host.startswith("127.") and not host.endswith(".localhost")


@lru_cache(_KEPT)
def is_sign_in(host: str) -> bool:
    """Return whether a host is for signing in, from where visitors come back and do not arrive.

    >>> is_sign_in("accounts.google.com"), is_sign_in("google.com")
    (True, False)
    """
    return bool(_SIGN_IN.search(host))


@lru_cache(_KEPT)
def source_category(source: str) -> str | None:
    """Return the kind of a site or of a traffic source: ``search``, ``social``, ``video``, ``shopping`` or ``email``.

    Args:
        source: Host without ``www.``, or a value of ``utm_source``; in small letters.

    Returns:
        The kind by Google Analytics' list; None where it is on no list.

    >>> source_category("google.at"), source_category("mail.google.com"), source_category("de.linkedin.com")
    ('search', 'email', 'social')
    >>> source_category("ads.google.com")
    """
    if _MAIL.search(source):
        return "email"
    if _ENGINE.search(source):
        return "search"
    name = source.removeprefix("www.").replace(" ", "")
    kinds, given = _categories(), name
    while name:
        kind = kinds.get(name)
        # Below a search engine's domain are documents, maps and advertisements as well; a network's are all its own.
        if kind and (name == given or kind != "search"):
            return kind
        name = name.partition(".")[2]
    return None


@cache
def _categories() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in files("analytics.events").joinpath("data/source_categories.txt").read_text("utf-8").splitlines():
        kind, colon, names = line.partition(": ")
        if line.startswith("#") or not colon:
            continue
        for name in names.split():
            found[name.rstrip("+")] = kind
            if name.endswith("+"):
                found[f"{name[:-1]}.com"] = kind
    return found


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - takes 70 ms, and few analyses need it

    return PublicSuffixList()

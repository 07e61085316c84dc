r"""Text from outside as people are shown it: inert in each medium, and without e-mail and IP addresses.

What has no glyph, would move a terminal's cursor or turn the direction of reading is shown as U+FFFD in every medium;
JSON has an escape for it. Letters, emoji and combining marks stay as they are. Each medium has one function:

- a line or a cell of a terminal, a log or a table: :func:`as_line`; several of them: :func:`as_lines`
- a text with lines of its own, such as YAML: :func:`as_text`; HTML is that, escaped by the templates
- JSON: :func:`as_json`
- names that must stay apart, such as the first cells of a table: :class:`Labels`

``FUNNELSIM_SHOW_PERSONAL_DATA=1`` shows the addresses.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Final

_NO_GLYPH: Final = (
    "\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
"""C1 controls, soft hyphen, marks of direction, separators of lines, tags and halves of surrogates. Joiners stay: emoji
and several scripts are written with them."""
_OF_TEXT: Final = re.compile(f"[\x00-\x08\x0b-\x1f{_NO_GLYPH}]")
_OF_LINE: Final = re.compile(f"[\x00-\x1f{_NO_GLYPH}]")

# In addresses of pages an @ is %40, or %2540 where they are escaped twice. The look-behind keeps a long word without
# any @ from being searched anew from each of its characters. Messages shorten what they quote by an ellipsis.
_LOCAL: Final = r"[\w.%+~!#$*^-]"
_E_MAIL: Final = re.compile(rf"(?<!{_LOCAL}){_LOCAL}+(?:[@\uff20]|%(?:25)*40)(?:[\w-]+(?:(?:\.|%2[eE])[\w-]+)*|(?=…))")
# After an escape, as in ?ip%3D192.0.2.7, a digit begins a word although a letter stands before it.
_BEGINS: Final = r"(?:(?<![0-9A-Za-z])|(?<=%[0-9A-Fa-f]{2}))"
_DOT, _COLON = r"(?:\.|%2[eE])", r"(?::|%3[aA])"
_IPV4: Final = re.compile(rf"{_BEGINS}(?<![0-9]\.)(?:[0-9]{{1,3}}{_DOT}){{3}}[0-9]{{1,3}}(?![0-9A-Za-z]|\.[0-9])")
_GROUPS: Final = rf"[0-9A-Fa-f]{{1,4}}(?:{_COLON}[0-9A-Fa-f]{{1,4}}){{0,6}}"
_IPV6: Final = re.compile(
    rf"{_BEGINS}(?:[0-9A-Fa-f]{{1,4}}(?:{_COLON}[0-9A-Fa-f]{{1,4}}){{7}}|"
    rf"(?:{_GROUPS})?{_COLON}{{2}}(?:{_GROUPS})?(?:\.[0-9]{{1,3}}){{0,3}})(?![0-9A-Za-z])"
)

GIVEN: Final = ContextVar[tuple[str, ...]]("given", default=())
"""Words of the user's own command: addresses in them are known to whoever reads its output, and are shown."""


class Rendered(str):
    """Text that is written as it stands: what came from outside is inert in it, and its line ends are its own."""

    __slots__ = ()


def as_line(text: str) -> Rendered:
    r"""Return a text as one line of a terminal, a log or a table.

    Args:
        text: From outside, or with parts from outside.

    >>> as_line("bad\x1b[2J\nfunnelsim: all is well, jane@acme.io at 192.0.2.7")
    'bad�[2J�funnelsim: all is well, [e-mail] at [IP address]'
    """
    return Rendered(masked(_replaced(_OF_LINE, text)))


def as_text(text: str) -> Rendered:
    r"""Return a text whose lines are its own.

    Args:
        text: With line ends and tabs that are kept.

    >>> as_text("a: 1\nb: \x9b2J")
    'a: 1\nb: �2J'
    """
    return Rendered(masked(_replaced(_OF_TEXT, text)))


def as_lines(lines: Iterable[str]) -> Rendered:
    r"""Return lines, none of which is broken by what is in it.

    Args:
        lines: The lines, without ends.

    >>> as_lines(["pages: 3", "more\npages: 9"])
    'pages: 3\nmore�pages: 9'
    """
    return Rendered("\n".join(map(as_line, lines)))


def as_json(text: str) -> Rendered:
    r"""Return JSON with the same values, in which no character is active.

    Args:
        text: JSON.

    >>> print(as_json('{"name": "a\u202eb"}'))
    {"name": "a\u202eb"}
    """
    return Rendered(_OF_TEXT.sub(lambda found: json.dumps(found[0])[1:-1], text))


class Labels:
    """Texts as they are shown, of which those that differ stay different: the second of two gets a number.

    Args:
        form: How one text is shown.

    >>> labels = Labels()
    >>> [labels(page) for page in ("/jane@acme.io", "/joe@acme.io", "/jane@acme.io", "/docs")]
    ['/[e-mail]', '/[e-mail] #2', '/[e-mail]', '/docs']
    """

    def __init__(self, form: Callable[[str], str] = as_line) -> None:
        self._form = form
        self._labels: dict[str, str] = {}
        self._taken: set[str] = set()
        self._n_alike: dict[str, int] = {}

    def __call__(self, text: str) -> str:
        """Return the label of a text.

        Args:
            text: From outside.
        """
        if text not in self._labels:
            label = shown = self._form(text)
            while label in self._taken:
                n = self._n_alike[shown] = self._n_alike.get(shown, 1) + 1
                label = type(shown)(f"{shown} #{n}")
            self._taken.add(label)
            self._labels[text] = label
        return self._labels[text]


def masked(text: str) -> str:
    """Replace e-mail and IP addresses, also those that are escaped as in addresses of pages.

    Addresses of this machine (127.0.0.1, ::1) are nobody's. Four numbers with dots are taken for an IP address also
    where they are a version, as in user agents.

    Args:
        text: Any text.

    >>> masked("/thanks?email=jane%40acme.io, 2001:db8::7, version 3.11.7 at 10:20:30 took 0.123 s")
    '/thanks?email=[e-mail], [IP address], version 3.11.7 at 10:20:30 took 0.123 s'
    """
    n_dots, n_colons = text.count(".") + text.count("%2"), text.count(":") + text.count("%3")
    has_e_mail = "@" in text or "40" in text or "\uff20" in text
    has_address = n_dots > 2 or n_colons > 1  # noqa: PLR2004 - the fewest of an address
    # Nearly every text ends here, at the price of a few searches for a character.
    if not (has_e_mail or has_address) or os.environ.get("FUNNELSIM_SHOW_PERSONAL_DATA"):
        return text
    if has_e_mail:
        text = _E_MAIL.sub(lambda found: found[0] if _is_given(found[0]) else "[e-mail]", text)
    return _IPV4.sub(_ip_masked, _IPV6.sub(_ip_masked, text)) if has_address else text


def _is_given(found: str) -> bool:
    return any(found in word for word in GIVEN.get())


def _ip_masked(found: re.Match[str]) -> str:
    return "[IP address]" if _is_foreign(found[0]) and not _is_given(found[0]) else found[0]


def _is_foreign(found: str) -> bool:
    """Whether a text is an IP address, and one of another machine."""
    plain = re.sub("%3a", ":", re.sub("%2e", ".", found, flags=re.IGNORECASE), flags=re.IGNORECASE)
    if ":" not in plain:
        # Leading zeros, which Python refuses, are in some logs.
        plain = ".".join(str(int(part)) for part in plain.split("."))
    try:
        address = ip_address(plain)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _replaced(pattern: re.Pattern[str], text: str) -> str:
    return text if text.isascii() and text.isprintable() else pattern.sub("\N{REPLACEMENT CHARACTER}", text)

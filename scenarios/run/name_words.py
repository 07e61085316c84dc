"""Guesses of what a tracked event is, by well-known words in its name."""

from __future__ import annotations

import re
from typing import Final

from analytics.events.tracking_plan import EventName

_DEMO: Final = re.compile(r"demo(?!cra|gra|li|ns)")
# Whole words, as "book" is in "Facebook" and "Ebook", and "call" in "Recall"; German joins them.
_OUTCOME: Final = re.compile(
    rf"{_DEMO.pattern}|\b(?:meetings?|calls?|callback|sales|quotes?|leads?|contact|consult\w*|trials?|request\w*|book(?:ed|ing)?"
    r"|walkthrough|termin(?:e|anfrage|buchung|vereinbarung)?)\b|beratung|anfrage"
)
_ASKED: Final = re.compile(r"\b(?:request|book|schedul|submit|form|sign|start|creat|ask|angefragt|gebucht)")
# What is only looked at, or comes to nothing.
_NO_REQUEST: Final = re.compile(
    r"\b(?:cancel|fail|error|declin|reject|miss|no show|view|watch|video|play|open|clos|abandon|remind|reschedul)"
)

_KNOWN: Final = {
    EventName.WHITE_PAPER_DOWNLOADED: (
        r"\b(?:(?:e|play) ?books?|white ?papers?|guides?|reports?|case stud(?:y|ies)|brochures?|data ?sheets?)\b",
        r"\bdownload",
    ),
    EventName.WEBINAR_REGISTERED: (r"\bwebinars?\b", r"\b(?:regist|sign|join|book|enrol)"),
    EventName.NEWSLETTER_SUBSCRIBED: (r"\bnewsletters?\b", r"\b(?:subscri|sign|join|regist)"),
}
"""Events of the tracking plan, with the patterns of a thing and of what is done to it."""


def guess_event(name: str) -> EventName | None:
    """Guess which event of the tracking plan is meant by a name.

    Args:
        name: The name, in any spelling.

    >>> [guess_event(name) for name in ("Ebook Downloaded", "callbackRequested", "Facebook Clicked")]
    [<EventName.WHITE_PAPER_DOWNLOADED: 'White Paper Downloaded'>, <EventName.DEMO_REQUESTED: 'Demo Requested'>, None]
    """
    words = _words(name)
    for event, patterns in _KNOWN.items():
        if all(re.search(pattern, words) for pattern in patterns) and not _NO_REQUEST.search(words):
            return event
    return EventName.DEMO_REQUESTED if _OUTCOME.search(words) and not _NO_REQUEST.search(words) else None


def asks_for_demo(name: str) -> bool:
    """Whether a name says that somebody asks for a demo, rather than that a demo is somehow concerned.

    >>> asks_for_demo("demo_form_submitted"), asks_for_demo("Demo Video Started")
    (True, False)
    """
    words = _words(name)
    return bool(_DEMO.search(words)) and bool(_ASKED.search(words)) and not _NO_REQUEST.search(words)


def _words(name: str) -> str:
    """The words of a name in small letters: "eBookDownload" is "e book download"."""
    return re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)).strip().lower()

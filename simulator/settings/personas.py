"""Personas: kinds of visitors and how they differ."""

from __future__ import annotations

import hashlib

from pydantic import Field

from simulator.settings.base import Factor, LogOdds, PositiveFactor, Probability, Settings
from simulator.settings.traffic import Engagement, Name

__all__ = ["DEFAULT_PERSONAS", "PersonaSettings", "persona_code"]


class PersonaSettings(Settings):
    """A kind of visitor; with the default values it has no effect.

    Events do not contain the persona: it affects only behaviour. ``people.parquet`` of a run records it.

    Attributes:
        weight: Frequency relative to the other personas.
        channels: Multipliers of that weight by arrival channel; 1 for channels that are not named.
        account_factor: Multiplier of ``population.account_rate``, the probability of belonging to a recognised company;
            the result is at most 1.
        company_email_factor: Multiplier of ``population.company_email_rate``; the result is at most 1.
        pages: Multipliers of the weight of a page, in links to it and as a landing page.
        engagement: Multiplier of the odds of viewing another page.
        return_factor: Multiplier of ``visits.return_rate``, the probability of another visit; the result is at most
            0.99.
        log_odds: Effect on the log-odds of a demo request at the end of every visit. It is unobserved, and so confounds
            every signal that the persona affects.
        invitation_factor: Multiplier of ``population.invitation_hours`` for invited visitors of this persona.
        invites: Probability that a visitor from a company sends a colleague a link to the site, by the colleague's
            persona. Invitations follow the first visit; invited visitors invite nobody.
    """

    weight: PositiveFactor = 1.0
    channels: dict[str, Factor] = Field(default_factory=dict)
    account_factor: Factor = 1.0
    company_email_factor: Factor = 1.0
    pages: dict[str, PositiveFactor] = Field(default_factory=dict)
    engagement: Engagement = 1.0
    return_factor: Factor = 1.0
    log_odds: LogOdds = 0.0
    invitation_factor: PositiveFactor = 1.0
    invites: dict[Name, Probability] = Field(default_factory=dict)


DEFAULT_PERSONAS = {
    "champion": PersonaSettings(
        weight=0.14,
        pages={"product": 1.3, "customers": 1.5, "white_paper": 1.5, "careers": 0.3},
        engagement=1.3,
        return_factor=1.3,
        invites={"evaluator": 0.10, "security_reviewer": 0.08, "economic_buyer": 0.08},
    ),
    "evaluator": PersonaSettings(
        weight=0.26,
        channels={"tech_blog": 1.5},
        pages={"docs": 1.8, "integrations": 1.8, "engineering_blog": 1.3, "careers": 0.4},
        return_factor=1.2,
    ),
    "security_reviewer": PersonaSettings(
        weight=0.06,
        pages={"security": 6.0, "docs": 1.5, "white_paper": 1.5, "careers": 0.2},
        invitation_factor=1.5,
    ),
    "economic_buyer": PersonaSettings(
        weight=0.06,
        channels={"email": 1.5, "tech_blog": 0.2},
        pages={"pricing": 3.0, "customers": 2.5, "docs": 0.3, "careers": 0.2},
        invitation_factor=2.0,
        engagement=0.8,
    ),
    # The four that follow never buy, but read some of the same pages.
    "job_seeker": PersonaSettings(
        weight=0.11,
        channels={"paid_search": 0.2, "paid_social": 0.2, "email": 0.2},
        account_factor=0.0,
        pages={"careers": 12.0, "about": 4.0, "engineering_blog": 1.5, "pricing": 0.2, "white_paper": 0.2},
    ),
    "student": PersonaSettings(
        weight=0.12,
        account_factor=0.0,
        pages={"docs": 2.0, "blog": 2.0, "engineering_blog": 2.0, "webinar": 1.5, "pricing": 0.3},
        return_factor=0.7,
    ),
    "existing_customer": PersonaSettings(
        weight=0.21,
        channels={"direct": 2.0, "paid_search": 0.3, "paid_social": 0.3},
        account_factor=1.5,
        pages={"docs": 5.0, "integrations": 2.0, "pricing": 0.6, "customers": 0.5},
        return_factor=1.3,
    ),
    "competitor": PersonaSettings(
        weight=0.04,
        account_factor=0.3,
        company_email_factor=0.1,
        pages={"pricing": 3.0, "product": 1.5, "customers": 1.5},
    ),
}
"""Personas of an ordinary B2B software site: four who buy together, and four who do not buy. The figures are
assumptions. None affects the decision directly; their requests differ only through what they read.
"""


def persona_code(name: str) -> int:
    """24-bit number of a persona name, independent of all other names; it addresses the draws of invited visitors.

    >>> persona_code("champion") == persona_code("champion") < 2**24
    True
    """
    # A hash, not an index: adding a persona must not change the draws of the others.
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "little")

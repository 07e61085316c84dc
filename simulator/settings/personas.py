"""Personas: kinds of visitors and how they differ."""

from __future__ import annotations

import hashlib
from typing import Final

from pydantic import Field

from simulator.settings.base import Factor, LogOdds, PositiveFactor, Probability, Settings, defaults
from simulator.settings.traffic import Engagement, Name


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


DEFAULT_PERSONAS: Final = {name: PersonaSettings.model_validate(each) for name, each in defaults("personas").items()}
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

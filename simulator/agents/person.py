"""Who a visitor is: attributes that do not change, and random numbers."""

from __future__ import annotations

from analytics.events.geography import REGIONS
from simulator.agents.awake import AwakeCohort
from simulator.agents.randomness import VisitorRandom
from simulator.world.accounts import Company


class Person:
    """A person who may visit the site.

    Args:
        cohort: The cohort of the person.
        row: The person's row in it.
    """

    __slots__ = ("_cohort", "_randoms", "_row")

    def __init__(self, cohort: AwakeCohort, row: int) -> None:
        self._cohort = cohort
        self._row = row
        self._randoms: dict[str, VisitorRandom] = {}

    @property
    def id(self) -> str:
        """Identifier of the person: the ``anonymousId`` of the first browser."""
        return self._cohort.ids[self._row]

    @property
    def account(self) -> Company | None:
        """Company of the visitor; None if it is not recognised."""
        return self._cohort.company_of(self._row)

    @property
    def persona(self) -> str:
        """Persona; empty without any in the scenario."""
        return self._cohort.population.personas[self._cohort.people.persona[self._row]] or ""

    @property
    def country(self) -> str:
        """ISO 3166-1 alpha-2 code of the country."""
        return self._cohort.population.countries[self._cohort.people.country[self._row]]

    @property
    def region(self) -> str:
        """World region, such as ``europe``."""
        return REGIONS[self._cohort.people.region[self._row]]

    @property
    def channel(self) -> str:
        """Channel or campaign that led the visitor to the site."""
        return self._cohort.origins[self._cohort.people.channel[self._row]]

    @property
    def source(self) -> str:
        """Arrival source: empty for the ordinary traffic, ``campaign:NAME``, or one of these with ``/invited``."""
        return self._cohort.cohort.arrival_source

    @property
    def invited_by(self) -> str | None:
        """Identifier of the colleague who invited the visitor."""
        inviter: str | None = self._cohort.cohort.invited_by[self._row]
        return inviter

    def rng(self, name: str) -> VisitorRandom:
        """The visitor's random numbers for one purpose; the same, no matter who else is on the clock.

        Args:
            name: Any name; components put their own before it (:meth:`Component.rng`).
        """
        if name not in self._randoms:
            self._randoms[name] = VisitorRandom(self._cohort.uniforms(name), self._cohort.rows[self._row])
        return self._randoms[name]

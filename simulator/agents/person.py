"""What can be seen of a visitor: who it is, the visits so far, and random numbers."""

from __future__ import annotations

from datetime import datetime

from analytics.events.geography import REGIONS
from simulator.agents.awake import AwakeCohort, SignalState
from simulator.agents.randomness import VisitorRandom
from simulator.agents.timeline import Timeline
from simulator.agents.visit import Page, Visit
from simulator.agents.world_view import World
from simulator.engine.clock import ExactEnvironment
from simulator.errors import ComponentError
from simulator.visitors.journey import IDLE_MS
from simulator.world.accounts import Company


class Person:
    """A person who may visit the site, to be looked at; :class:`Visitor` acts.

    Args:
        world: The world of the person.
        cohort: The cohort of the person.
        row: The person's row in it.

    Attributes:
        visits: The visits so far, the current one last.
        visit: The current or last visit; None before the first.
        has_requested: Whether the person has requested a demo.
    """

    __slots__ = (
        "_cohort",
        "_env",
        "_on_site",
        "_randoms",
        "_replay_ms",
        "_row",
        "_seen",
        "_world",
        "has_requested",
        "visit",
        "visits",
    )

    def __init__(self, world: World, cohort: AwakeCohort, row: int) -> None:
        self._world, self._env = world, world.clock.env
        self._cohort = cohort
        self._row = row
        self._randoms: dict[str, VisitorRandom] = {}
        self._seen = cohort.seen_from_start[row]
        self._on_site = self.has_requested = False
        # Moment of the past that is relived; None where time passes on the clock.
        self._replay_ms: int | None = None
        self.visits: list[Visit] = []
        self.visit: Visit | None = None

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
        # Kept: the next number of a purpose has to be the next address.
        if name not in self._randoms:
            self._randoms[name] = VisitorRandom(self._cohort.uniforms(name), self._cohort.rows[self._row])
        return self._randoms[name]

    # The visits

    @property
    def device(self) -> str:
        """Device of the current visit, or of the first one."""
        row, people = self._row, self._cohort.people
        second = self.visit is not None and self.visit.itinerary.second_browser
        return self._cohort.population.devices[(people.second_device if second else people.device)[row]]

    @property
    def signals(self) -> dict[str, bool | float]:
        """Signals so far, as a perfect tracker would have seen them, by name."""
        history = self._cohort.history(self._row, self.visits)
        return self._cohort.signals(SignalState(self._seen, self.visit.minutes if self.visit else 0.0, history))

    @property
    def page(self) -> Page | None:
        """Page that was viewed last in the current visit."""
        return self._world.pages[self.visit.pages[-1]] if self.visit and self.visit.pages else None

    @property
    def env(self) -> ExactEnvironment:
        """The SimPy environment, in whole milliseconds."""
        return self._env

    @property
    def now_ms(self) -> int:
        """Now, in ms since the start of the simulation."""
        return self._env.now if self._replay_ms is None else self._replay_ms

    @property
    def now(self) -> datetime:
        """Now, in UTC."""
        return self._world.clock.now

    @property
    def idle_ms_left(self) -> int:
        """Time for which the visitor can still be kept without an event; after it, analysts take the visit for over."""
        visit = self._current_visit("wait")
        return visit.last_event_ms + IDLE_MS - 1 - self.now_ms if visit.pages else IDLE_MS - 1

    @property
    def log_odds(self) -> float:
        """Log-odds of a request in the current visit, without the effects of components."""
        return self._cohort.log_odds(self._row, self._current_visit("decide"))

    @property
    def chance(self) -> float:
        """Uniform number of the decision at the end of the current visit."""
        return self._cohort.chance(self._row, self._current_visit("decide"))

    def trace(self) -> Timeline:
        """Everything that the visitor has done, in order."""
        title = f"visitor {self.id}, {self.persona or 'somebody'} in {self.country}, visits: {len(self.visits)}"
        return Timeline.of(title, self.visits, self._world.pages, self._world.clock)

    def __repr__(self) -> str:
        where = f" on {self.page.name}" if self._on_site and self.page else ""
        return (
            f"<{type(self).__name__} {self.id[:8]} {self.persona} in {self.country}, visit {len(self.visits)}{where}>"
        )

    def _current_visit(self, act: str) -> Visit:
        if self.visit is None:
            raise ComponentError(f"a visitor who has not come yet cannot {act}")
        return self.visit

"""Tables shared by all cohorts of a world: companies, pages, and the navigation of each kind of visitor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulator.engine.arrays import Floats, Integers
from simulator.engine.streams import Streams
from simulator.settings.personas import PersonaSettings
from simulator.settings.world import WorldSettings
from simulator.visitors.decision_rule import LOGIT, DecisionRule
from simulator.visitors.journey import JourneyParameters, JourneySampler
from simulator.visitors.signals import SignalReader
from simulator.world.arrival_sources import INVITATION, Link, arrival_sources_of, origins_of
from simulator.world.assignment import Experiments
from simulator.world.navigation import Navigation, NavigationProfiles
from simulator.world.population import People, Population

MAX_RETURN_RATE = 0.99
"""Largest return rate that a persona's multiplier can lead to."""


class WorldTables:
    """Tables built once for a world and a replication.

    Args:
        world: Settings of the world.
        streams: Random streams of the replication; the companies are drawn from them.
        campaigns: Links of the components' campaigns, by name.

    Attributes:
        population: Attributes of the visitors of the ordinary traffic, and the companies.
        experiments: Assignment of visitors to arms.
        journeys: Draws the journeys of visitors.
        reader: Computes the signals of visits.
        rule: Rule by which visitors decide.
        invitation: Index of the origin of invited colleagues.
        invites: Probability that a visitor of one persona invites a colleague of another; shape (personas, personas).
        invitation_hours: Mean time until an invited colleague of each persona arrives, in hours; shape (personas,).
        log_odds: Effect of each persona on the decision in log-odds; shape (personas,).
    """

    def __init__(self, world: WorldSettings, streams: Streams, campaigns: Mapping[str, Link] | None = None) -> None:
        origins = origins_of(world.traffic)
        personas = world.population.persona_list
        # Draws the companies; the other arrival sources reuse them.
        self.population = Population(world.population, arrival_sources_of(world.traffic)[0].shares, streams)
        self.experiments = Experiments(world.experiments)
        self._profiles = NavigationProfiles(list(origins.values()), self.experiments.combinations, personas)
        navigation = Navigation(world.site, self._profiles.profiles)
        # Landing tables: one for returning visitors, whatever their first channel, one for each origin, one for the
        # invited.
        *ways, _invitation = origins.values()
        returning = world.visits.return_landing
        landings = [returning, *(way.landing for way in ways), returning]
        tables = np.array([[navigation.mix(landing, persona.pages) for persona in personas] for landing in landings])
        self.journeys = JourneySampler(world.visits, navigation, tables.reshape(-1, len(navigation.names)))
        self.reader = SignalReader(
            world.site, {**origins, **(campaigns or {})}, self.population, world.decision_signals
        )
        self.rule: DecisionRule = world.decision.build("decision") if world.decision else LOGIT
        self.invitation = list(origins).index(INVITATION)
        self.invites = _invites(personas, world)
        self.invitation_hours: Floats = world.population.invitation_hours * np.array(
            [persona.invitation_factor for persona in personas]
        )
        self.log_odds: Floats = np.array([persona.log_odds for persona in personas])
        returns = world.visits.return_rate * np.array([persona.return_factor for persona in personas])
        # A multiplier must not keep visitors returning for ever; a rate that the settings give directly is kept.
        self._return_rates = np.minimum(returns, max(world.visits.return_rate, MAX_RETURN_RATE))

    def journey_parameters(self, people: People, arms: Integers) -> JourneyParameters:
        """Parameters of the visitors' journeys.

        Args:
            people: The visitors; their channel is an index of all origins.
            arms: Combination of experiment arms of each; shape (visitors,).
        """
        n_personas = len(self.log_odds)
        return JourneyParameters(
            # Row 0 of the tables belongs to returning visitors.
            landing=(people.channel + 1) * n_personas + people.persona,
            returning=people.persona,
            profile=self._profiles.of(people.channel, arms, people.persona),
            return_rate=self._return_rates[people.persona],
        )


def _invites(personas: list[PersonaSettings], world: WorldSettings) -> Floats:
    """Invitation probabilities by the inviter's and the colleague's persona; shape (personas, personas)."""
    names = list(world.population.personas) or [""]
    return np.array([[persona.invites.get(name, 0.0) for name in names] for persona in personas])

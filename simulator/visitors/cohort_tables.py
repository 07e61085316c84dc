"""What all cohorts of a world share: its companies, its pages, and how each kind of visitor moves about them."""

from __future__ import annotations

import numpy as np

from simulator.engine.arrays import Floats, Integers
from simulator.engine.streams import Streams
from simulator.settings.personas import PersonaSettings
from simulator.settings.world import WorldSettings
from simulator.visitors.journey import JourneyParameters, JourneySampler
from simulator.visitors.signals import SignalReader
from simulator.world.arrival_sources import INVITATION, arrival_sources_of, origins_of
from simulator.world.assignment import Experiments
from simulator.world.navigation import Navigation, NavigationProfiles
from simulator.world.population import People, Population

__all__ = ["WorldTables"]

MAX_RETURN_RATE = 0.99
"""Largest return rate that a persona's factor can lead to."""


class WorldTables:
    """Tables that are made once for a world and a replication.

    Args:
        world: The scenario's world.
        streams: Randomness of the replication, from which the companies are drawn.

    Attributes:
        population: Who the visitors of the ordinary traffic are, and the companies.
        experiments: Who is in which arm.
        journeys: Draws what visitors do.
        reader: Reads the signals off what they do.
        invitation: Index of the way by which invited colleagues come.
        invites: Probability that a visitor of one persona invites a colleague of another; shape (personas, personas).
        invitation_hours: Mean time until somebody of each persona who is invited comes; shape (personas,).
        log_odds: Effect of each persona on the decision; shape (personas,).
    """

    def __init__(self, world: WorldSettings, streams: Streams) -> None:
        origins = origins_of(world.traffic)
        personas = world.population.persona_list
        self.population = Population(world.population, arrival_sources_of(world.traffic)[0].shares, streams)
        self.experiments = Experiments(world.experiments)
        self._profiles = NavigationProfiles(list(origins.values()), self.experiments.combinations, personas)
        navigation = Navigation(world.site, self._profiles.profiles)
        # Those who come again, by whatever channel they came first, and those whom a colleague sends.
        *ways, _invitation = origins.values()
        returning = world.visits.return_landing
        landings = [returning, *(way.landing for way in ways), returning]
        tables = np.array([[navigation.mix(landing, persona.pages) for persona in personas] for landing in landings])
        self.journeys = JourneySampler(world.visits, navigation, tables.reshape(-1, len(navigation.names)))
        self.reader = SignalReader(world.site, origins, self.population)
        self.invitation = list(origins).index(INVITATION)
        self.invites = _invites(personas, world)
        self.invitation_hours: Floats = world.population.invitation_hours * np.array(
            [persona.invitation_factor for persona in personas]
        )
        self.log_odds: Floats = np.array([persona.log_odds for persona in personas])
        returns = world.visits.return_rate * np.array([persona.return_factor for persona in personas])
        # A factor may not keep anybody coming for ever; a rate that the settings themselves give stays as it is.
        self._return_rates = np.minimum(returns, max(world.visits.return_rate, MAX_RETURN_RATE))

    def journey_parameters(self, people: People, arms: Integers) -> JourneyParameters:
        """How visitors move.

        Args:
            people: The visitors, with how they come as an index of all origins.
            arms: Combination of experiment arms of each; shape (visitors,).
        """
        n_personas = len(self.log_odds)
        return JourneyParameters(
            landing=(people.channel + 1) * n_personas + people.persona,
            returning=people.persona,
            profile=self._profiles.of(people.channel, arms, people.persona),
            return_rate=self._return_rates[people.persona],
        )


def _invites(personas: list[PersonaSettings], world: WorldSettings) -> Floats:
    names = list(world.population.personas) or [""]
    return np.array([[persona.invites.get(guest, 0.0) for guest in names] for persona in personas])

"""Personas: why people come to the site, and so what they read, how often they return and whom they bring along."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.engine.arrays import Floats
from simulator.engine.sampling import probabilities
from simulator.settings.personas import PersonaSettings

__all__ = ["persona_mix"]


def persona_mix(personas: Sequence[PersonaSettings], channels: Sequence[str]) -> Floats:
    """Share of each persona among the visitors of each channel; shape (channels, personas).

    Args:
        personas: The personas.
        channels: Names of the channels, each with somebody who comes by it.
    """
    weights = np.array(
        [[persona.weight * persona.channels.get(name, 1.0) for persona in personas] for name in channels]
    )
    return probabilities(weights)

"""Behaviours: the ways in which some visitors walk through the site otherwise than others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from simulator.engine.arrays import Integers
from simulator.settings.experiments import ArmSettings
from simulator.settings.personas import PersonaSettings
from simulator.settings.site import LEAST_EXIT_RATE, PageSettings
from simulator.settings.traffic import ChannelSettings

__all__ = ["PLAIN", "Behaviour", "Behaviours"]

_Factors = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Behaviour:
    """How a visitor's walk differs from what the site's pages say.

    Attributes:
        engagement: Factor on the odds of going on to another page.
        links: Factors on the weights of the links to a page, by page.
        exit_rates: Factors on the probability of leaving from a page, by page.
    """

    engagement: float = 1.0
    links: _Factors = ()
    exit_rates: _Factors = ()

    def link_weights(self, page: PageSettings) -> dict[str, float]:
        """Weights of the links of a page."""
        factors = dict(self.links)
        return {target: weight * factors.get(target, 1.0) for target, weight in page.links.items()}

    def exit_rate(self, name: str, page: PageSettings) -> float:
        """Probability of leaving the site from a page; never below 0.01, so that visits end."""
        rate = min(page.exit_rate * dict(self.exit_rates).get(name, 1.0), 1.0)
        if self.engagement != 1:
            rate /= rate + self.engagement * (1 - rate)
        return max(rate, LEAST_EXIT_RATE)


PLAIN = Behaviour()
"""The behaviour of a visitor whom nothing sets apart."""


class Behaviours:
    """The behaviours that a world holds, and who shows which.

    Args:
        origins: Ways by which visitors come, in the order in which visitors index them.
        combinations: Arms of each combination of experiments.
        personas: Personas, in the order in which visitors index them.

    Attributes:
        kinds: All behaviours, :data:`PLAIN` first.
    """

    def __init__(
        self,
        origins: Sequence[ChannelSettings],
        combinations: Sequence[Sequence[ArmSettings]],
        personas: Sequence[PersonaSettings],
    ) -> None:
        number = {PLAIN: 0}
        exits = [_joint([arm.exit_rate for arm in arms]) for arms in combinations]
        links = [[_joint([*(arm.links for arm in arms), who.pages]) for who in personas] for arms in combinations]

        def kind(origin: ChannelSettings, combination: int, persona: int) -> int:
            engagement = origin.engagement * personas[persona].engagement
            behaviour = Behaviour(engagement, links[combination][persona], exits[combination])
            return number.setdefault(behaviour, len(number))

        self._table = np.array(
            [
                [[kind(origin, c, p) for p in range(len(personas))] for c in range(len(combinations))]
                for origin in origins
            ],
            dtype=np.int64,
        )
        self.kinds = tuple(number)

    def of(self, origin: Integers, combination: Integers, persona: Integers) -> Integers:
        """Behaviour of each visitor, as an index of ``kinds``; shapes (visitors,)."""
        found: Integers = self._table[origin, combination, persona]
        return found


def _joint(factors: Sequence[Mapping[str, float]]) -> _Factors:
    """Products of several factors, by page; those of 1 are left out."""
    pages = sorted({page for each in factors for page in each})
    products = [(page, prod(each.get(page, 1.0) for each in factors)) for page in pages]
    return tuple((page, factor) for page, factor in products if factor != 1)

"""How readers walk through the site: a Markov chain over its pages, and the navigation profiles that change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from simulator.engine.arrays import Floats, Integers
from simulator.engine.sampling import Choices, probabilities
from simulator.settings.experiments import ArmSettings
from simulator.settings.personas import PersonaSettings
from simulator.settings.site import MIN_EXIT_RATE, PageSettings, SiteSettings
from simulator.settings.traffic import ChannelSettings

__all__ = ["DEFAULT_PROFILE", "Navigation", "NavigationProfile", "NavigationProfiles"]

_Factors = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class NavigationProfile:
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
        return max(rate, MIN_EXIT_RATE)


DEFAULT_PROFILE = NavigationProfile()
"""The behaviour of a visitor whom nothing sets apart."""


class Navigation:
    """The chain: from each page to the next, with leaving the site as the absorbing state.

    Args:
        settings: The site.
        behaviours: The ways in which visitors may walk through it; a visitor's is given as an index of these.

    Attributes:
        names: Names of the pages; everywhere else a page is its index in this list.
        transitions: Probability of going from page i to page j, by behaviour; shape (behaviours, pages, pages). What a
            row lacks to 1 is the probability of leaving.
    """

    def __init__(self, settings: SiteSettings, profiles: Sequence[NavigationProfile] = (DEFAULT_PROFILE,)) -> None:
        self.settings = settings
        self.names = list(settings.pages)
        self.pages: Sequence[PageSettings] = list(settings.pages.values())
        self.transitions = np.stack([self._transition(profile) for profile in profiles])
        self._choices = Choices(self.transitions.reshape(-1, len(self.names)))

    @property
    def transition(self) -> Floats:
        """Probability of going from page i to page j, by the first behaviour; shape (pages, pages)."""
        first: Floats = self.transitions[0]
        return first

    def _transition(self, profile: NavigationProfile) -> Floats:
        exits = [profile.exit_rate(name, page) for name, page in self.settings.pages.items()]
        links = [self.mix(profile.link_weights(page)) for page in self.pages]
        return np.stack([mix * (1 - leaves) for mix, leaves in zip(links, exits, strict=True)])

    def mix(self, weights: Mapping[str, float], factors: Mapping[str, float] | None = None) -> Floats:
        """Probability of each page, from relative weights and factors on them by name; shape (pages,)."""
        others = factors or {}
        return probabilities(np.array([weights.get(name, 0.0) * others.get(name, 1.0) for name in self.names]))

    def next_pages(self, pages: Integers, uniforms: Floats, profile: Integers | int = 0) -> Integers:
        """Page to which each reader goes on, or ``len(names)`` for one who leaves; shapes (n,).

        Args:
            pages: Page where each reader is.
            uniforms: One number between 0 and 1 for each.
            behaviour: How each walks, as an index of the behaviours.
        """
        return self._choices.pick_or_none(pages + np.asarray(profile, dtype=np.int64) * len(self.names), uniforms)

    def expected_views(self, landing: Floats) -> Floats:
        """Expected views of each page in a visit: landing · (I − P)⁻¹, the chain's fundamental matrix.

        Kemeny and Snell, *Finite Markov Chains*, theorem 3.2.4.

        Args:
            landing: Probability of each page as the first of a visit; shape (pages,).
        """
        return np.linalg.solve(np.eye(len(self.names)) - self.transition.T, landing).astype(np.float64)


class NavigationProfiles:
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
        number = {DEFAULT_PROFILE: 0}
        exits = [_joint([arm.exit_rate for arm in arms]) for arms in combinations]
        links = [[_joint([*(arm.links for arm in arms), who.pages]) for who in personas] for arms in combinations]

        def kind(origin: ChannelSettings, combination: int, persona: int) -> int:
            engagement = origin.engagement * personas[persona].engagement
            profile = NavigationProfile(engagement, links[combination][persona], exits[combination])
            return number.setdefault(profile, len(number))

        self._table = np.array(
            [
                [[kind(origin, c, p) for p in range(len(personas))] for c in range(len(combinations))]
                for origin in origins
            ],
            dtype=np.int64,
        )
        self.profiles = tuple(number)

    def of(self, origin: Integers, combination: Integers, persona: Integers) -> Integers:
        """Behaviour of each visitor, as an index of ``kinds``; shapes (visitors,)."""
        found: Integers = self._table[origin, combination, persona]
        return found


def _joint(factors: Sequence[Mapping[str, float]]) -> _Factors:
    """Products of several factors, by page; those of 1 are left out."""
    pages = sorted({page for each in factors for page in each})
    products = [(page, prod(each.get(page, 1.0) for each in factors)) for page in pages]
    return tuple((page, factor) for page, factor in products if factor != 1)

"""How visitors navigate the site: a Markov chain over its pages, and the profiles that modify it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from simulator.engine.arrays import Floats, Integers
from simulator.engine.sampling import Choices, probabilities
from simulator.errors import ComponentError
from simulator.settings.base import PositiveFactor, Settings as SettingsModel
from simulator.settings.experiments import ArmSettings
from simulator.settings.own_classes import check_class
from simulator.settings.personas import PersonaSettings
from simulator.settings.plugins import NAVIGATION
from simulator.settings.site import MIN_EXIT_RATE, PageName, PageSettings, SiteSettings
from simulator.settings.traffic import ChannelSettings
from simulator.settings.world import WorldSettings

_Factors = tuple[tuple[str, float], ...]

_ROUNDING = 1e-9
"""Larger than any rounding error of a sum of probabilities."""


@dataclass(frozen=True)
class NavigationProfile:
    """How a visitor's navigation differs from the settings of the site.

    Attributes:
        engagement: Multiplier of the odds of viewing another page.
        links: Multipliers of the weights of the links to a page, by page.
        exit_rates: Multipliers of the probability of leaving from a page, by page.

    >>> page = SiteSettings().pages["home"]
    >>> NavigationProfile(engagement=2.0).exit_rate("home", page) < page.exit_rate
    True
    """

    engagement: float = 1.0
    links: _Factors = ()
    exit_rates: _Factors = ()

    def link_weights(self, page: PageSettings) -> dict[str, float]:
        """Weight of each link of a page, by target."""
        factors = dict(self.links)
        return {target: weight * factors.get(target, 1.0) for target, weight in page.links.items()}

    def exit_rate(self, name: str, page: PageSettings) -> float:
        """Probability of leaving the site from a page; at least 0.01.

        Args:
            name: Name of the page.
            page: Its settings.
        """
        rate = min(page.exit_rate * dict(self.exit_rates).get(name, 1.0), 1.0)
        # Not for 1: the division would change the last digit of the settings' own rate.
        if self.engagement != 1:
            # Odds, not rates: the result stays a probability for every multiplier.
            rate /= rate + self.engagement * (1 - rate)
        return max(rate, MIN_EXIT_RATE)


DEFAULT_PROFILE = NavigationProfile()
"""Profile that changes nothing."""


class NavigationModel:
    """Base class of the models of how visitors go from page to page; it is the Markov chain by links and exit rates.

    Override :meth:`transitions`; everything follows it: planned and unplanned visits, and the calibration of the
    intercept.

    Args:
        settings: Settings of the model, as keyword arguments.

    Attributes:
        settings: Its settings, checked.

    >>> class StraightOn(NavigationModel):
    ...     def transitions(self, site, profile):
    ...         chain = super().transitions(site, profile)
    ...         np.fill_diagonal(chain, 0.0)  # instead of reading a page again, they leave
    ...         return chain
    """

    class Settings(SettingsModel):
        """Settings of the model; frozen, with a default for each."""

    registered_as: ClassVar[str] = NAVIGATION
    """Group of entry points under which packages register such classes by short names."""

    settings: Any

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - as Python has it
        super().__init_subclass__(**options)
        check_class(cls, SettingsModel, ("transitions",))

    def __init__(self, _name: str | None = None, /, **settings: object) -> None:
        self.settings = self.Settings(**settings)

    def check(self, world: WorldSettings) -> None:
        """Check the transitions on the site of a world, before anything runs.

        Args:
            world: Settings of the world.

        Raises:
            ValueError: They are no probabilities.
        """
        try:
            _checked_transitions(self, world.site, DEFAULT_PROFILE)
        except ComponentError as error:
            raise ValueError(str(error)) from None

    def transitions(self, site: SiteSettings, profile: NavigationProfile) -> Floats:
        """Probability of going from page i to page j; a pure function.

        Args:
            site: The pages, with their links and exit rates.
            profile: How some visitors differ from the settings of the site: by channel, persona and experiment.

        Returns:
            Probabilities, the pages in the order of ``site.pages``; shape (pages, pages). What a row lacks to 1 is the
            probability of leaving, at least 0.01.
        """
        pages = site.pages
        exits = [profile.exit_rate(name, page) for name, page in pages.items()]
        links = [_mix(list(pages), profile.link_weights(page)) for page in pages.values()]
        return np.stack([mix * (1 - leaves) for mix, leaves in zip(links, exits, strict=True)])


class ByLinks(NavigationModel):
    """By links: visitors follow the links of a page by their weights, or leave by its exit rate."""


class TowardPage(NavigationModel):
    """Toward a page: visitors prefer links that bring them nearer to it; how many leave is as by links."""

    class Settings(NavigationModel.Settings):
        """Settings of the preference.

        Attributes:
            page: The page.
            pull: Multiplier of the weight of each link that leads to a page with fewer clicks to go.
        """

        page: PageName = "pricing"
        pull: PositiveFactor = Field(default=3.0)

    def transitions(self, site: SiteSettings, profile: NavigationProfile) -> Floats:
        """Those by links, with the weights of the shorter ways multiplied."""
        by_links, clicks = super().transitions(site, profile), self._clicks(site)
        is_nearer = clicks[None, :] < clicks[:, None]
        pulled = by_links * np.where(is_nearer, self.settings.pull, 1.0)
        # From a page that everybody leaves there is no way to prefer.
        total = np.maximum(pulled.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        chain: Floats = pulled * (by_links.sum(axis=1, keepdims=True) / total)
        return chain

    def _clicks(self, site: SiteSettings) -> Floats:
        """Clicks from each page to the page by the shortest way, infinite without any; shape (pages,)."""
        names = list(site.pages)
        clicks = np.where(np.array(names) == self.settings.page, 0.0, np.inf)
        ways = [
            [names.index(target) for target, weight in each.links.items() if weight] for each in site.pages.values()
        ]
        # As many rounds as the longest of all ways could have clicks.
        for _ in names:
            clicks = np.minimum(clicks, [1 + min(clicks[targets], default=np.inf) for targets in ways])
        return clicks


def _checked_transitions(model: NavigationModel, site: SiteSettings, profile: NavigationProfile) -> Floats:
    """Transitions of a model, if they are probabilities.

    Raises:
        ComponentError: They are not.
    """
    chain, names = model.transitions(site, profile), list(site.pages)
    is_array = isinstance(chain, np.ndarray) and chain.shape == (len(names),) * 2 and chain.dtype.kind == "f"
    # NaN fails every comparison.
    if not (is_array and (chain >= 0).all()):
        raise ComponentError(
            f"{type(model).__name__}: transitions() must return a probability for each pair of {len(names)} pages, an "
            f"array of shape ({len(names)}, {len(names)}); it returned {chain!r:.80}"
        )
    exits = 1 - chain.sum(axis=1)
    # Rounding may leave a little less.
    if (exits < MIN_EXIT_RATE - _ROUNDING).any():
        page = names[int(np.argmin(exits))]
        raise ComponentError(
            f"{type(model).__name__}: transitions() must leave a probability of {MIN_EXIT_RATE:g} or more of leaving, "
            f"or visits would not end; from page {page!r} it is {exits.min():g}"
        )
    return chain


class Navigation:
    """The Markov chain over the pages; leaving the site is its absorbing state.

    Args:
        settings: The site, with the model of navigation if there is one.
        profiles: Navigation profiles; a visitor's profile is an index in this list.

    Attributes:
        names: Names of the pages; everywhere else a page is its index in this list.
        transitions: Probability of going from page i to page j, by profile; shape (profiles, pages, pages). What a row
            lacks to 1 is the probability of leaving.

    >>> navigation = Navigation(SiteSettings())
    >>> landing = navigation.mix({"home": 1.0})
    >>> bool(navigation.expected_views(landing)[navigation.names.index("home")] >= 1)
    True
    """

    def __init__(self, settings: SiteSettings, profiles: Sequence[NavigationProfile] = (DEFAULT_PROFILE,)) -> None:
        self.settings = settings
        self.names = list(settings.pages)
        self.pages: Sequence[PageSettings] = list(settings.pages.values())
        model: NavigationModel = settings.navigation.build("navigation") if settings.navigation else NavigationModel()
        self.transitions = np.stack([_checked_transitions(model, settings, profile) for profile in profiles])
        self._choices = Choices(self.transitions.reshape(-1, len(self.names)))

    @property
    def transition(self) -> Floats:
        """Transition probabilities of the first profile; shape (pages, pages)."""
        first: Floats = self.transitions[0]
        return first

    def mix(self, weights: Mapping[str, float], factors: Mapping[str, float] | None = None) -> Floats:
        """Probability of each page from relative weights.

        Args:
            weights: Relative weights by page name; 0 for pages that are not named.
            factors: Multipliers of the weights by page name; 1 for pages that are not named.

        Returns:
            Probabilities; shape (pages,).
        """
        return _mix(self.names, weights, factors)

    def next_pages(self, pages: Integers, uniforms: Floats, profile: Integers | int = 0) -> Integers:
        """Next page of each visitor.

        Args:
            pages: Current page of each; shape (n,).
            uniforms: A number between 0 and 1 for each; shape (n,).
            profile: Index of the profile of each, shape (n,), or of all.

        Returns:
            Index of the next page, ``len(names)`` for visitors who leave; shape (n,).
        """
        return self._choices.pick_or_none(pages + np.asarray(profile, dtype=np.int64) * len(self.names), uniforms)

    def expected_views(self, landing: Floats) -> Floats:
        """Expected views of each page in a visit: landing · (I − P)⁻¹, by the chain's fundamental matrix.

        Kemeny and Snell, *Finite Markov Chains*, theorem 3.2.4.

        Args:
            landing: Probability of each page as the first of a visit; shape (pages,).

        Returns:
            Expected views by the first profile; shape (pages,).
        """
        return np.linalg.solve(np.eye(len(self.names)) - self.transition.T, landing).astype(np.float64)


class NavigationProfiles:
    """The navigation profiles of a world, and the profile of each visitor.

    Args:
        origins: Origins of the visitors, in the order of the visitors' indices.
        combinations: Arms of each combination of experiments.
        personas: Personas, in the order of the visitors' indices.

    Attributes:
        profiles: All distinct profiles, :data:`DEFAULT_PROFILE` first.
    """

    def __init__(
        self,
        origins: Sequence[ChannelSettings],
        combinations: Sequence[Sequence[ArmSettings]],
        personas: Sequence[PersonaSettings],
    ) -> None:
        # Equal profiles share one transition matrix: most combinations of origin, arm and persona are alike.
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
        """Profile of each visitor.

        Args:
            origin: Index of the origin; shape (visitors,).
            combination: Index of the combination of arms; shape (visitors,).
            persona: Index of the persona; shape (visitors,).

        Returns:
            Index in ``profiles``; shape (visitors,).
        """
        found: Integers = self._table[origin, combination, persona]
        return found


def _mix(names: Sequence[str], weights: Mapping[str, float], factors: Mapping[str, float] | None = None) -> Floats:
    """Probability of each page from relative weights and multipliers of them; shape (pages,)."""
    # Pages without a factor keep their weight.
    others = factors or {}
    return probabilities(np.array([weights.get(name, 0.0) * others.get(name, 1.0) for name in names]))


def _joint(factors: Sequence[Mapping[str, float]]) -> _Factors:
    """Product of several multipliers, by page, without those of 1."""
    # Sorted, so that equal factors make equal profiles.
    pages = sorted({page for each in factors for page in each})
    products = [(page, prod(each.get(page, 1.0) for each in factors)) for page in pages]
    return tuple((page, factor) for page, factor in products if factor != 1)

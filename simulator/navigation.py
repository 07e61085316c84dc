"""How readers walk through the site: a Markov chain over its pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simulator.behaviour import PLAIN, Behaviour
from simulator.engine.arrays import Floats, Integers
from simulator.engine.sampling import Choices, probabilities
from simulator.settings.site import PageSettings, SiteSettings

__all__ = ["Navigation"]


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

    def __init__(self, settings: SiteSettings, behaviours: Sequence[Behaviour] = (PLAIN,)) -> None:
        self.settings = settings
        self.names = list(settings.pages)
        self.pages: Sequence[PageSettings] = list(settings.pages.values())
        self.transitions = np.stack([self._transition(behaviour) for behaviour in behaviours])
        self._choices = Choices(self.transitions.reshape(-1, len(self.names)))

    @property
    def transition(self) -> Floats:
        """Probability of going from page i to page j, by the first behaviour; shape (pages, pages)."""
        first: Floats = self.transitions[0]
        return first

    def _transition(self, behaviour: Behaviour) -> Floats:
        exits = [behaviour.exit_rate(name, page) for name, page in self.settings.pages.items()]
        links = [self.mix(behaviour.link_weights(page)) for page in self.pages]
        return np.stack([mix * (1 - leaves) for mix, leaves in zip(links, exits, strict=True)])

    def mix(self, weights: Mapping[str, float], factors: Mapping[str, float] | None = None) -> Floats:
        """Probability of each page, from relative weights and factors on them by name; shape (pages,)."""
        others = factors or {}
        return probabilities(np.array([weights.get(name, 0.0) * others.get(name, 1.0) for name in self.names]))

    def next_pages(self, pages: Integers, uniforms: Floats, behaviour: Integers | int = 0) -> Integers:
        """Page to which each reader goes on, or ``len(names)`` for one who leaves; shapes (n,).

        Args:
            pages: Page where each reader is.
            uniforms: One number between 0 and 1 for each.
            behaviour: How each walks, as an index of the behaviours.
        """
        return self._choices.pick_or_none(pages + np.asarray(behaviour, dtype=np.int64) * len(self.names), uniforms)

    def expected_views(self, landing: Floats) -> Floats:
        """Expected views of each page in a visit: landing · (I − P)⁻¹, the chain's fundamental matrix.

        Kemeny and Snell, *Finite Markov Chains*, theorem 3.2.4.

        Args:
            landing: Probability of each page as the first of a visit; shape (pages,).
        """
        return np.linalg.solve(np.eye(len(self.names)) - self.transition.T, landing).astype(np.float64)

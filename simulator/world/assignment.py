"""Experiments (A/B tests): each visitor stays in one arm, and each arm has a known effect.

Colleagues interfere with each other, as in practice: a visitor's demo request stops colleagues in other arms from
requesting (``intent.conversion_unit``), and a longer visit delays an invitation. No random draw is affected by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import polars as pl

from simulator.engine.arrays import Floats, Integers
from simulator.engine.streams import VisitorDraws
from simulator.settings.experiments import ArmSettings, ExperimentSettings


class Experiments:
    """Assigns visitors to arms, by a random number that depends on experiment and visitor only.

    A visitor has one *combination*: an arm of every experiment. All effects are looked up by its index.

    Args:
        settings: Experiments by name.

    Attributes:
        combinations: The arms of each combination.
        labels: Value of ``context.experiments`` for each combination: ``experiment=arm`` joined by ``;``; null without
            experiments.
        log_odds: Effect of each combination on the decision; shape (combinations,).

    >>> arms = {"a": ArmSettings(share=0.5), "b": ArmSettings(share=0.5, log_odds=0.4)}
    >>> experiments = Experiments({"pricing": ExperimentSettings(arms=arms)})
    >>> experiments.labels.to_list()
    ['pricing=a', 'pricing=b']
    >>> from simulator.engine.streams import Streams
    >>> experiments.combination(VisitorDraws(Streams(seed=7), 0, np.arange(5))).shape
    (5,)
    """

    def __init__(self, settings: Mapping[str, ExperimentSettings]) -> None:
        self._settings = settings
        self._shape = tuple(len(experiment.arms) for experiment in settings.values())
        named = [
            [(f"{name}={arm}", effects) for arm, effects in experiment.arms.items()]
            for name, experiment in settings.items()
        ]
        # The order of ``combination`` below.
        combinations = list(product(*named))
        self.combinations: list[tuple[ArmSettings, ...]] = [tuple(arm for _, arm in both) for both in combinations]
        texts = [";".join(label for label, _ in both) or None for both in combinations]
        self.labels = pl.Series(texts, dtype=pl.String)
        self.log_odds: Floats = np.array([sum(arm.log_odds for arm in arms) for arms in self.combinations], dtype=float)

    def combination(self, draws: VisitorDraws) -> Integers:
        """Combination of arms of each visitor of a cohort.

        Args:
            draws: Draws of the visitors.

        Returns:
            Index of the combination; shape (visitors,).
        """
        combination = np.zeros(len(draws.rows), dtype=np.int64)
        for (name, experiment), n_arms in zip(self._settings.items(), self._shape, strict=True):
            steps = np.cumsum([arm.share for arm in experiment.arms.values()])[:-1]
            # A stream for each experiment: adding one leaves the arms of the others as they are.
            uniforms = draws.uniforms(f"experiment:{name}")
            # Mixed-radix numbers: the last experiment varies fastest, as in ``itertools.product``.
            combination = combination * n_arms + np.searchsorted(steps, uniforms, side="right")
        return combination

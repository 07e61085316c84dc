"""Experiments (A/B tests) and the effects of their arms."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from simulator.settings.base import LogOdds, Positive, Settings, Share, shares_fault
from simulator.settings.traffic import Name


class ArmSettings(Settings):
    """One arm of an experiment; with its default values it changes nothing.

    Attributes:
        share: Share of the visitors; the shares of all arms sum to 1.
        links: Multipliers of the weights of all links to a page, by page.
        exit_rate: Multipliers of the probability of leaving the site from a page, by page; the result is limited to
            0.01 to 1.
        log_odds: Effect on the log-odds of a demo request at the end of every visit.
    """

    share: Share
    links: dict[str, Positive] = Field(default_factory=dict)
    exit_rate: dict[str, Positive] = Field(default_factory=dict)
    log_odds: LogOdds = 0.0


class ExperimentSettings(Settings):
    """An experiment on all visitors.

    Attributes:
        unit: Unit of randomisation: the visitor, with all their visits.
        arms: Arms by name; their shares sum to 1.
    """

    unit: Literal["visitor"] = "visitor"
    arms: dict[Name, ArmSettings] = Field(min_length=2)

    @model_validator(mode="after")
    def _arms_make_a_whole(self) -> Self:
        if fault := shares_fault(arm.share for arm in self.arms.values()):
            raise ValueError(f"arms: {fault}")
        return self


# Each combination has its own table of transition probabilities.
_MAX_COMBINATIONS = 4096


def _few_enough(experiments: dict[str, ExperimentSettings]) -> dict[str, ExperimentSettings]:
    # All combinations exist, because experiments are assigned independently.
    combinations = prod(len(experiment.arms) for experiment in experiments.values())
    if combinations > _MAX_COMBINATIONS:
        raise ValueError(
            f"the arms of all experiments have {combinations} combinations; at most {_MAX_COMBINATIONS} can be"
        )
    return experiments


ExperimentsSettings = Annotated[dict[Name, ExperimentSettings], AfterValidator(_few_enough)]
"""Experiments by name; their arms have at most 4,096 combinations."""


def arm_effects(experiments: Mapping[str, ExperimentSettings]) -> dict[str, float]:
    """True effect of each arm on the log-odds of a request, by ``experiment=arm``.

    >>> arms = {"a": ArmSettings(share=0.5), "b": ArmSettings(share=0.5, log_odds=0.4)}
    >>> arm_effects({"pricing": ExperimentSettings(arms=arms)})
    {'pricing=a': 0.0, 'pricing=b': 0.4}
    """
    return {
        f"{name}={arm}": settings.log_odds
        for name, experiment in experiments.items()
        for arm, settings in experiment.arms.items()
    }

"""The truth that estimates are held against: the intercept and the coefficients of the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Truth"]


@dataclass(frozen=True)
class Truth:
    """The coefficients that produced a run.

    Attributes:
        intercept: Log-odds of a request at the end of a visit when every signal is 0.
        coefficients: True effect of every signal and interaction, 0 for decoys, in log-odds.
        account_sd: Standard deviation of the companies' unobserved willingness.
        arms: True effect of every arm of every experiment, by ``experiment=arm``, in log-odds.
        personas: True effect of every persona, which no event tells of, in log-odds.
    """

    intercept: float
    coefficients: Mapping[str, float]
    account_sd: float
    arms: Mapping[str, float] = field(default_factory=dict)
    personas: Mapping[str, float] = field(default_factory=dict)

    @property
    def terms(self) -> dict[str, float]:
        """The intercept, as ``intercept``, and all coefficients.

        The first arm of each experiment, by name, is the reference: its effect is part of the intercept, and those of
        the other arms are differences to it.
        """
        reference: dict[str, str] = {}
        for arm in sorted(self.arms):
            reference.setdefault(arm.split("=")[0], arm)
        contrasts = {arm: effect - self.arms[reference[arm.split("=")[0]]] for arm, effect in self.arms.items()}
        for arm in reference.values():
            del contrasts[arm]
        return {"intercept": self.intercept + sum(self.arms[arm] for arm in reference.values())} | {
            **self.coefficients,
            **contrasts,
        }

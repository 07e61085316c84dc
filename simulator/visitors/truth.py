"""The true parameters of the decision, against which estimates are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Truth:
    """The true parameters of a run.

    Attributes:
        intercept: Log-odds of a request at the end of a visit when all signals are 0.
        coefficients: True effect of every signal and interaction, 0 for decoys, in log-odds.
        account_sd: Standard deviation of the companies' unobserved random effect in log-odds.
        arms: True effect of every arm of every experiment, by ``experiment=arm``, in log-odds.
        personas: True effect of every persona in log-odds; unobserved.
        unknown: Why the true coefficients are not known, one sentence a reason; empty if they are.

    >>> Truth(-4.0, {"pricing_page_view": 0.8}, 0.0, arms={"e=a": 0.1, "e=b": 0.5}).terms
    {'intercept': -3.9, 'pricing_page_view': 0.8, 'e=b': 0.4}
    """

    intercept: float
    coefficients: Mapping[str, float]
    account_sd: float
    arms: Mapping[str, float] = field(default_factory=dict)
    personas: Mapping[str, float] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def why_unknown(self) -> str:
        """Why the true coefficients are not known, in a sentence without its full stop; empty if they are.

        >>> Truth(-4.0, {}, 0.0, unknown=("visitors decide by a probit",)).why_unknown
        'the true coefficients are not known: visitors decide by a probit'
        """
        return f"the true coefficients are not known: {'; '.join(self.unknown)}" if self.unknown else ""

    @property
    def terms(self) -> dict[str, float]:
        """The intercept, as ``intercept``, and all coefficients.

        The first arm of each experiment in alphabetical order is the reference: its effect is part of the intercept,
        and the effects of the other arms are differences to it.
        """
        reference: dict[str, str] = {}
        # Sorted by name, as the analysis chooses its reference level.
        for arm in sorted(self.arms):
            reference.setdefault(arm.split("=")[0], arm)
        contrasts = {arm: effect - self.arms[reference[arm.split("=")[0]]] for arm, effect in self.arms.items()}
        for arm in reference.values():
            del contrasts[arm]
        return {"intercept": self.intercept + sum(self.arms[arm] for arm in reference.values())} | {
            **self.coefficients,
            **contrasts,
        }

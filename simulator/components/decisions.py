"""Built-in decision models."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field
from scipy.special import log_ndtr, ndtri

from simulator.agents.decision import DecisionModel
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools, Floats
from simulator.settings.base import LogOdds, Positive, Settings


class Logit(DecisionModel):
    """The logit: a request with probability logistic(log-odds)."""

    @property
    def unknown(self) -> str | None:
        """The coefficients are those of the scenario."""
        return None


class Probit(DecisionModel):
    """The probit: a request with probability Φ(log-odds / scale)."""

    class Settings(DecisionModel.Settings):
        """Settings of a probit.

        Attributes:
            scale: Standard deviation of the latent variable in log-odds; with 1.7 the curve is close to that of a
                logit.
        """

        scale: Positive = 1.7

    settings: Settings

    def thresholds(self, uniforms: Floats) -> Floats:
        """Normal thresholds."""
        normal: Floats = self.settings.scale * ndtri(uniforms)
        return normal

    def log_refusal(self, log_odds: Floats) -> Floats:
        """The logarithm of Φ(−log-odds / scale)."""
        refusal: Floats = log_ndtr(-log_odds / self.settings.scale)
        return refusal


class Threshold(DecisionModel):
    """No chance at all: visitors with log-odds above 0 request a demo."""

    def thresholds(self, uniforms: Floats) -> Floats:
        """The same for all."""
        return np.zeros_like(uniforms)

    def log_refusal(self, log_odds: Floats) -> Floats:
        """Certainty either way."""
        return np.where(log_odds > 0, -math.inf, 0.0)


class MultinomialLogit(DecisionModel):
    """A demo, a trial, a message to the company, or nothing: a multinomial logit over the four.

    The log-odds of a demo are those of the scenario; those of the others are constants. Against all others together, a
    demo still follows a logit with the coefficients of the scenario.
    """

    class Settings(DecisionModel.Settings):
        """Settings of the other outcomes.

        Attributes:
            trial: Log-odds of a trial at the end of a visit, against nothing.
            contact: Log-odds of a message.
        """

        trial: LogOdds = Field(default=-4.0)
        contact: LogOdds = Field(default=-5.0)

    settings: Settings
    events = ("Trial Started", "Contact Requested")

    @property
    def unknown(self) -> str | None:
        """The coefficients are those of the scenario."""
        return None

    @property
    def intercept_shift(self) -> float:
        """−log(1 + Σ exp(constants)): what the others take away from a demo."""
        return -math.log1p(math.exp(self.settings.trial) + math.exp(self.settings.contact))

    def thresholds(self, uniforms: Floats) -> Floats:
        """Of a logit, with the others' share added."""
        logits: Floats = np.log(uniforms / (1 - uniforms)) - self.intercept_shift
        return logits

    def log_refusal(self, log_odds: Floats) -> Floats:
        """Of a logit, with the others' share taken away."""
        refusal: Floats = -np.logaddexp(0.0, log_odds + self.intercept_shift)
        return refusal

    def touches(self, plan: Plan) -> Bools:
        """Visitors who may choose one of the others at the end of a visit, or a demo."""
        others = math.exp(self.settings.trial) + math.exp(self.settings.contact)
        return plan.decides_below(lambda odds: (odds + others) / (1 + odds + others))

    def on_no_request(self, visitor: Visitor) -> None:
        """Choose a trial or a message, where the number of the decision lies beyond the share of a demo."""
        if visitor.visit is None or visitor.state.get(self.name):
            return
        odds = math.exp(min(visitor.log_odds + visitor.visit.shift, 700.0))
        trial, contact = math.exp(self.settings.trial), math.exp(self.settings.contact)
        beyond = visitor.chance * (1 + odds + trial + contact) - odds
        for event, weight in zip(self.events, (trial, contact), strict=True):
            if beyond < weight:
                visitor.state[self.name] = event
                visitor.track(event)
                return
            beyond -= weight

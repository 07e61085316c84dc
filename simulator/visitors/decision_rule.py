"""The rule by which visitors decide: how log-odds become a request."""

from __future__ import annotations

import numpy as np

from simulator.engine.arrays import Floats


class DecisionRule:
    """Visitors with log-odds above a random threshold request a demo; the logit's threshold unless overridden.

    >>> rule = DecisionRule()
    >>> rule.thresholds(np.array([0.5]))
    array([0.])
    >>> rule.log_refusal(np.array([0.0])).round(4)
    array([-0.6931])
    """

    def thresholds(self, uniforms: Floats) -> Floats:
        """Threshold of each decision, in log-odds.

        Args:
            uniforms: A uniform number strictly between 0 and 1 for each decision; shape (n,).

        Returns:
            Thresholds, whose distribution gives the probability of a request; shape (n,).
        """
        logits: Floats = np.log(uniforms / (1 - uniforms))
        return logits

    def log_refusal(self, log_odds: Floats) -> Floats:
        """Logarithm of the probability that no request follows, for the calibration of the intercept.

        Args:
            log_odds: Log-odds of each decision; shape (n,).
        """
        # log(1 − p) of a logistic p, stable for large and small log-odds.
        refusal: Floats = -np.logaddexp(0.0, log_odds)
        return refusal


LOGIT = DecisionRule()
"""The rule of a world without any other."""

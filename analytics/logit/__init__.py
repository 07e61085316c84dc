"""The estimator: logistic regression on a visit table, checked before its numbers are used.

Modules, in reading order: ``design`` (the matrix, and what must be left out), ``likelihood`` (the maximum),
``separation`` (where there is none), ``firth`` (the penalised likelihood for it), ``clusters`` (robust standard
errors and the jackknife), ``estimation`` (which of them applies), ``joint_tests``, ``marginal_effects``, ``splines``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

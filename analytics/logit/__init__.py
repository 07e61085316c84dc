"""Logistic regression on a visit table, with checks of identification and separation.

Modules, in reading order: ``eligibility`` (the visits to fit), ``matrix`` (the design matrix, block by block),
``design`` (its terms, and those that are dropped), ``scaling`` (its columns in any unit), ``likelihood`` (maximum
likelihood), ``separation`` (where it has no maximum), ``firth`` (the penalised likelihood for that case), ``clusters``
(of visits), ``robust`` (clustered standard errors and the jackknife), ``satterthwaite`` (their degrees of freedom),
``fit`` (errors, tests and intervals of a fit), ``estimation`` (choice between them), ``joint_tests``,
``score_bootstrap``, ``marginal_effects``, ``splines``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""The intent model: a logit of demo requests on behavioural signals.

Modules, in reading order: ``model`` (fit), ``baseline`` (over visits or time), ``own_tables`` (columns of any table as
signals), ``table_columns`` (what columns look like), ``results`` (estimates and diagnostics), ``coefficients`` (their
table), ``findings`` (in words), ``summary`` (the same to be read), ``e_values`` (against unmeasured causes),
``fit_context`` (what diagnostics are computed from), ``interaction_effects``, ``time_to_request`` (curves over visits),
``random_intercept`` (of accounts), ``weighted`` (by inverse probabilities of being seen), ``estimators`` (several side
by side), ``session_length`` (flag, logarithm or spline), ``validation`` (AUC, Brier score, calibration,
cross-validation), ``naive_analyses`` (one row per visitor, for comparison).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

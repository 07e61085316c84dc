"""The intent model: which signals predict a demo request, how sure that is, and how well it predicts.

Modules, in reading order: ``model`` (fit), ``results`` (what it says), ``coefficients`` (the table), ``fit_context``
(what later questions need), ``interaction_effects``, ``session_length`` (flag, logarithm or spline), ``validation``
(AUC, Brier, calibration, out of fold), ``naive_analyses`` (the usual short-cuts, beside it).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

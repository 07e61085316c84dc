"""Experiments: which visitors are in which arm, and how the arms differ in conversion.

Modules, in reading order: ``arms`` (who is in which arm, and whether arms have their shares), ``outcomes`` (when each
visitor came into an arm, and whether a demo was requested), ``effects`` (the comparison of arms), ``proportions`` (the
difference and the ratio of two of them), ``covariates`` (CUPED), ``sequential`` (intervals that hold at every look),
``power`` (how many visitors show which difference).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

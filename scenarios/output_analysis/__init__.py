"""Output analysis: statistics over the replications of a study.

Modules, in reading order: ``results`` (frames), ``summary`` (means, paired differences, performance of estimates),
``point_values`` (what sensitivity indices are computed from), ``sobol``, ``morris``, ``pawn`` and ``sensitivity`` (the
indices, and those of a design), ``metamodel`` (a polynomial metamodel), ``power_curve`` (power by sample size),
``rank_calibration`` (simulation-based calibration), ``side_by_side`` (several estimators).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

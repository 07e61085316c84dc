"""Visitors: who they are, what they would do, and how they decide.

Modules, in reading order: ``cohort`` (some thousands of visitors as arrays) is drawn by ``cohort_sampler`` with the
help of ``cohort_tables``, ``journey`` (visits, pages, reading times) and ``outages``; ``signals`` and ``truth`` are
the decision, ``calibration`` its intercept; ``visitor`` is the agent on the clock, ``cohort_process`` steps all
agents of a cohort.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Visitors: their attributes, planned journeys and decisions.

Modules, in reading order: ``cohort`` (some thousand visitors as arrays) is drawn by ``cohort_sampler`` with
``cohort_tables``, ``journey`` (visits, pages, reading times) and ``outages``; ``signals`` and ``truth`` define the
decision, of facts that events have ``shown`` and of whole ``histories``, ``decision_rule`` its rule, ``calibration``
its intercept.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Visitors who act, and the components that act on them.

Modules, in reading order: ``visit`` (what a visitor means to do, and did), ``randomness`` (random numbers of one
visitor), ``plan`` (what a cohort would do if nothing touched it), ``awake`` (the visitors of a cohort who are on the
clock), ``made`` (what they did, as activity and arrays), ``timeline`` (the same of one visitor, in words),
``world_view`` (what visitors act on, and the hooks that act on them), ``person`` (what can be seen of a visitor),
``visitor`` (the agent), ``sleeping`` (visitors who are not on the clock), ``component`` (base class of everything that
visitors can meet), ``component_set`` (all components of a world), ``decision`` and ``traffic_source`` (base classes of
decision models and of traffic sources), ``probe`` (what is measured while the clock runs), ``parts`` (all of these in
one model).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

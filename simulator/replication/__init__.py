"""One seeded replication, from drawing cohorts to the truth tables, by one process or many.

Modules, in reading order: ``schedule`` (when each cohort is drawn), ``generator`` (everything that depends on no
state of the world), ``candidates`` (who may request a demo), ``live_world`` (the clock with agents and sales),
``pending_hours`` (what is still to happen), ``run_state`` (all of it together), ``workers`` (the same on many
processes), ``truth_tables``, ``people_truth`` and ``visit_truth`` (what really happened).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

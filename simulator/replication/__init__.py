"""One seeded replication, from drawing cohorts to the truth tables, on one process or many.

Modules, in reading order: ``schedule`` (order of the cohorts), ``generator`` (everything that does not depend on the
state of the world), ``candidates`` (visitors who may request a demo), ``planned_people`` (who may come, in files),
``live_world`` (the clock with agents and sales), ``planned_agents`` (visitors on the clock whom nothing touches),
``pending_hours`` (activity still to come), ``run_state`` (all of it together), ``delivered_hours`` (what happened, on
its way to the sinks), ``workers`` (the same on many processes), ``truth_tables``, ``people_truth`` and ``visit_truth``
(tables of what really happened), ``outcome`` (all results).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

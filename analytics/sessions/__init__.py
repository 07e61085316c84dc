"""Visitors and their visits.

Modules, in reading order: ``persons`` (the graph of browsers and user ids), ``identity`` (which browsers are one
person, and how well that was found), ``timeline`` (each visitor's events in order, divided into visits), ``forms``
(calls that belong to the form of a request), ``visits`` (the visit table: one row per visit with signals and
outcome), ``bots`` (bot detection), ``partitions`` (the same for more events than fit into memory).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

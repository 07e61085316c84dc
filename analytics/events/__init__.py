"""The vocabulary of events: the tracking plan and what can be derived from one event.

Modules, in reading order: ``tracking_plan`` (columns, call types, event names), ``times`` (moments and milliseconds),
``geography`` (countries and regions), ``enrichment`` (event time, channel, region, device), ``dimensions`` (what
traffic can be segmented by), ``event_names`` (other names for our events), ``dead_letters`` (events that could not be
used).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

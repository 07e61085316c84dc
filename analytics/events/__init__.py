"""Events: the tracking plan, and what is derived from a single event.

Modules, in reading order: ``tracking_plan`` (columns, call types, event names), ``times`` (moments and milliseconds),
``identifiers`` (who stands for nobody), ``geography`` (countries and regions), ``enrichment`` (event time, channel,
region, device), ``channels`` (of one's own), ``dimensions`` (of segments), ``event_names`` (renaming events from other
sources), ``dead_letters`` (unusable events).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

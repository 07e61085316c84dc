"""Events: the tracking plan, and what is derived from a single event.

Modules, in reading order: ``tracking_plan`` (columns, call types, event names), ``times`` (moments and milliseconds),
``time_values`` (reading times as senders write them), ``event_time`` (when an event happened), ``clocks`` (impossible
times), ``identifiers`` (who stands for nobody), ``geography`` (countries and regions), ``hosts`` (kinds of sites),
``acquisition`` (rules of channels), ``user_agents`` (devices, bots), ``mail`` (free mail), ``enrichment`` (channel,
region, device), ``channels`` (of one's own), ``server_side`` (events of servers), ``dimensions`` (of segments),
``pages`` (globs of addresses), ``event_rows`` (events by their keys), ``dead_letters`` (unusable events).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

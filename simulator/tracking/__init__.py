"""Tracking: the events that browsers and servers send, the faults on the way, and their delivery.

Modules, in reading order: ``activity`` (what happened, as integer records), ``lookups`` and ``tracker`` (the events of
it, lossless), ``faults`` and ``bots`` (data-quality faults), ``labels`` (which event had which fault), ``transport``
(delivery with faults), ``delivery`` (the sinks).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

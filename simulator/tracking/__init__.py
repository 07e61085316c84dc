"""What browsers send of what happens, what gets lost on the way, and how it arrives.

Modules, in reading order: ``activity`` (what happened, as numbers), ``lookups`` and ``tracker`` (the events of it,
lossless), ``faults`` and ``bots`` (what goes wrong), ``labels`` (which event it happened to), ``transport`` (delivery
with all of that), ``delivery`` (the sinks that receive it).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

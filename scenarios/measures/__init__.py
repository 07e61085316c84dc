"""Single numbers of a run by name, and claims made of them.

Modules, in reading order: ``expressions`` (the language), ``definition`` (what a measure is, and what it reads of a
run), ``registry`` (all measures), ``traffic``, ``model``, ``people`` (their definitions), ``truth`` (known true
effects), ``window`` (hours left out), ``claims`` (comparisons that a scenario makes).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

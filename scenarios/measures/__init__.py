"""Measures: single numbers of a run by name, and claims about them.

Modules, in reading order: ``expressions`` (the language), ``definition`` (a measure, and its view of a run),
``registry`` (all measures), ``simulation``, ``probes``, ``traffic``, ``experiments``, ``measurement``, ``model`` (their
definitions),
``component_signals`` (terms of components), ``truth`` (known true effects), ``window`` (warm-up and cool-down),
``claims`` (comparisons in a scenario).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""The report of a run, or of events from anywhere: one HTML page without scripts or network.

Modules, in reading order: ``data`` (what is shown), ``render`` (the page), ``sections``, ``traffic``, ``content``,
``model``, ``trust``, ``sales`` (its sections), ``wording`` (the model in words), ``html`` (elements and style).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

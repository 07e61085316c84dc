"""The report of a run, or of events from anywhere: one HTML page without scripts or network.

Modules, in reading order: ``data`` (what a report is about), ``render`` (writes the page), ``view`` (what the page
shows, as plain values), ``summary`` (all in short), ``traffic``, ``segments``, ``experiments``, ``model``,
``model_checks``, ``answers``, ``sales``, ``probes`` (its sections), ``measurement`` (true, seen, estimated), ``trust``
(checks whether the figures can be trusted). ``templates`` lay the values out.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

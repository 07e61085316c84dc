"""The world before anybody visits: companies, people, when visitors arrive and how they navigate.

Modules, in reading order: ``accounts`` (the companies), ``population`` (the people), ``arrivals`` and
``arrival_sources`` (when they come, and from where), ``navigation`` (the Markov chain over the pages), ``assignment``
(who is in which arm of an experiment).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

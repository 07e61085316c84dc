"""The world that visitors enter: companies, people, arrivals, navigation and experiment arms.

Modules, in reading order: ``accounts`` (the companies), ``population`` (the people), ``arrivals``, ``traffic_rule`` and
``arrival_sources`` (when visitors arrive, and from where), ``navigation`` (the Markov chain over the pages),
``assignment`` (the experiment arm of each visitor).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

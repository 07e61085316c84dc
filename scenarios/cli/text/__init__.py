"""Results as the command line prints them.

Modules, in reading order: ``tables`` (what Rich draws), ``runs``, ``studies``, ``power``, ``stores``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

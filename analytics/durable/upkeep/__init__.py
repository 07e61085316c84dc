"""Upkeep of a store in a folder: what is done to it between its runs.

Modules, in reading order: ``reprocessing`` (what could not be used, once more), ``rewinding`` (stream time set back),
``mentions`` (a person in texts of others), ``forgetting`` (a person removed), ``verification`` (checking),
``salvaging`` (what is whole of a damaged store), ``health`` (what a monitor watches).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Experiments: which visitors are in which arm, and whether arms have their planned shares; in ``arms``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

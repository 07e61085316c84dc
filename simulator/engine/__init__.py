"""The engine below every part of the world: the clock, random streams and arrays.

Modules, in reading order: ``clock`` (a SimPy environment with exact times), ``streams`` (named streams of random
numbers, addressed by visitor, visit and step), ``stream_digests`` (streams that record their draws, for tests),
``sampling`` (discrete sampling by inversion), ``arrays`` (array types, ragged arrays).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

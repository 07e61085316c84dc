"""What every part of the world runs on: the clock, random streams and arrays.

Modules, in reading order: ``clock`` (SimPy's environment with exact moments), ``streams`` (named streams of random
numbers, addressed by visitor, visit and step), ``stream_digests`` (streams that record their draws, for tests),
``sampling`` (choices by inversion), ``arrays`` (array types, ragged arrays).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

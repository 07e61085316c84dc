"""Everything that reads events: it knows nothing of simulation and works on any Segment-Spec stream."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

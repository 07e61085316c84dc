"""Intent signals: behaviour and attributes of visitors that may predict a demo request.

Modules, in reading order: ``definitions`` (the built-in signals), ``settings`` (signals defined by the user),
``arms`` (experiments as signals), ``expressions`` (how all of them are computed as Polars expressions),
``site`` (pages and funnel of one's own).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

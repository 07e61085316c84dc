"""The simulated world: visitors, site, traffic, sales and tracking, on the SimPy clock.

Dependencies between the subpackages point one way: ``model`` > ``replication`` > ``agents`` > ``tracking`` >
``visitors`` > ``sales`` > ``world`` > ``engine`` > ``settings`` > ``errors``. The built-in ``components`` stand beside
``model``: they use the public API, as everybody's do.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

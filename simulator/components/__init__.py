"""Built-in components. They use the public API only, and scenario files name them as they name anybody's.

Modules: ``live_chat``, ``nurture_email``, ``web_server``, ``webinar``, ``retargeting``, ``discount_banner``,
``buying_committee``, ``competitor``, ``campaign_budget`` (of ``traffic``), ``traffic_sources``, ``decisions``,
``probes``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Adapters: events as other tools export them, converted to objects of the Segment Spec.

Modules, in reading order: ``adapter`` (what every adapter does, by a table of fields), ``registry`` (which adapters
there are, installed ones included), then one for each tool: ``rudderstack``, ``snowplow``, ``ga4``, ``posthog``,
``amplitude``, ``mixpanel``, ``matomo``. ``devices`` names the kinds of devices as the tracking plan does, ``clocks``
reads times in other units.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

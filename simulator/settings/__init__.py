"""The settings of a world: pydantic models, checked as a whole and frozen. Nothing here draws.

Modules, in reading order: ``base`` (what all settings share), ``clock``, ``traffic``, ``population`` and
``personas``, ``site``, ``visits``, ``intent``, ``sales``, ``tracking``, ``experiments``; ``world`` puts them together
and checks what must hold between them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Settings of a world: frozen Pydantic models, validated as a whole. No module here draws random numbers.

Modules, in reading order: ``base`` (types that all settings share), ``clock``, ``traffic``, ``population`` and
``personas``, ``site``, ``visits``, ``intent``, ``sales``, ``tracking``, ``experiments``; ``own_classes`` (what is
checked of a class of the user's own), ``plugins`` (classes that files name, and whose code may run) and ``components``;
``signals`` (which of the user's own visitors can decide by); ``world`` combines them and validates the relations
between them; ``class_identity`` distinguishes the classes of one world from those of another by their
``class_content``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Charts of statistics, the model, sales and studies: small tables in, Altair charts out.

Modules, in reading order: ``style`` (colours, labels, rendering), ``chart`` (a drawing to show or save), ``traffic``,
``segments``, ``experiments``, ``model``, ``sales``, ``probes``, ``studies``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

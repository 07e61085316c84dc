"""HTML of reports and notebooks: what a page shows as plain values, and the templates that lay it out.

Modules, in reading order: ``numbers`` (how numbers are written), ``tables`` (tables of formatted cells), ``rendering``
(Jinja2 templates, escaped), ``notebook`` (what objects show in a notebook).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""What people are shown: texts made inert for each medium, and HTML of reports and notebooks.

Modules, in reading order: ``escaping`` (texts from outside, in any medium), ``numbers`` (how numbers are written),
``tables`` (tables of formatted cells), ``rendering`` (Jinja2 templates, escaped), ``frames`` (frames for people, CSV),
``notebook`` (what objects show in a notebook).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

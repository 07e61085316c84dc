"""The report of a study: one HTML page.

Modules, in reading order: ``view`` (what the page shows, as plain values, and the page), ``designs`` (each
response in the form that suits the design), ``comparison`` (several scenarios), ``stress_des`` (the STRESS-DES
checklist). ``templates`` lay the values out.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

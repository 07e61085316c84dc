"""The report of a study: one HTML page.

Modules, in reading order: ``page`` (the page), ``pictures`` (charts by design), ``scenarios`` (several scenarios in
one study), ``numbers`` (how numbers are written), ``stress_des`` (the STRESS-DES checklist).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""The sales team behind the demo form: a queueing system on the SimPy clock.

Modules, in reading order: ``desk`` (the SimPy processes from request to deal), ``routing`` (which team a request goes
to, and which account executive), ``team`` (inbox and demo slots of a team), ``office_hours`` (working hours of teams
and representatives), ``outcome`` (the record of each request, and the summary).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

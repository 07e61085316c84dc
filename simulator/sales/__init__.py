"""The sales team behind the form: a queueing system on the SimPy clock.

Modules, in reading order: ``desk`` (the SimPy processes from request to deal), ``office_hours`` (when a team is at
work), ``outcome`` (what became of each request, and the summary).
"""

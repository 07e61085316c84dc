"""The report of a study: one HTML page.

Modules, in reading order: ``page`` (the page), ``pictures`` (charts by design), ``scenarios`` (several scenarios in
one study), ``numbers`` (how numbers are written), ``stress_des`` (the STRESS-DES checklist).
"""

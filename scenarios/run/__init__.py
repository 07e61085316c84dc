"""One run of a scenario: simulate, keep the events, analyse, write the folder.

Modules, in reading order: ``run`` (what a run holds, and its files), ``running`` (simulate), ``sinks`` (where
events go on the way), ``sharing`` (one run on many workers), ``pools`` and ``dispatch`` (the workers), ``folder`` (a
run straight into a folder), ``events_analysis`` (events from anywhere), ``mapping_proposal``,
``page_words`` and ``name_words`` (what their pages and events may be), ``progress`` (what the terminal shows).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

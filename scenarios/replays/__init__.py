"""A recorded run, sent once more to a pipeline under test.

Modules, in reading order: ``recorded_run`` (its lines in order), ``pace`` (recorded time against the clock),
``target`` (the interface of receivers), ``files``, ``http`` on ``bounded_http``, ``kafka`` (the receivers), ``state``
(how far it has come), ``sending`` (the replay itself), ``export`` (the run as warehouse tables).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

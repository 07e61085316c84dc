"""Sources of events that can be resumed: files, standard input, Parquet, Kafka.

Modules, in reading order: ``source`` (what every source does), ``names`` (folders and patterns), ``opening`` (a source
by its address), ``ndjson`` (files, also logs that are rotated), ``rotation`` (what was in a log before), ``stream``,
``parquet``, ``records`` (all other files), ``kafka``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

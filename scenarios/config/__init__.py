"""From YAML files to checked settings, with line and column in every message.

Modules, in reading order: ``yaml_source`` (YAML with positions), ``library`` (files by name), ``layers`` (extends and
overrides), ``loading`` (files to settings), ``renamed`` (old names, with a warning), ``validation`` and
``model_paths`` (all faults at once, by position), ``file_schema`` (JSON Schema), ``settings`` (what a scenario file
holds), ``pages_file`` (a mapping of pages), ``description`` (what readers of results should know of it).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Files that runs, studies and replays share.

Modules, in reading order: ``atomic_folder`` (a folder that appears whole or not at all), ``checksums`` (of its files),
``folder_exchange`` (how it takes its name, and what killed processes leave), ``plain_data`` (results as
JSON and CSV), ``event_files`` and ``delivered_lines`` (events and lines on disk), ``digest`` (a fingerprint of
events), ``run_folder`` (a run folder, read back), ``flat_table`` (a table of any columns), ``versions`` (versions and
free memory).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

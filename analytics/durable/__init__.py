"""The event store in a folder: what it has acknowledged survives the death of the process.

Modules, in reading order: ``opening`` (open or create one), ``durable_store`` (the store), ``journal``, ``records``
and ``journal_file`` (what is written before it is acknowledged), ``checkpoint`` and ``window_files`` (the state at one
moment), ``recovery`` (from both to the state before), ``side_file``, ``dead_letter_lines`` and ``checked_lines`` (dead
letters and late events), ``archive`` (hours that left the window), ``privacy`` (personal data), ``backfill`` (history
in any order), ``files`` (safe writes and the lock), ``settings``; :mod:`analytics.durable.upkeep` (``upkeep``: what is
done to a store between its runs).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

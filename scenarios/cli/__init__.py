"""The command line `funnelsim`: one module a group of commands, and what they print.

Modules, in reading order: ``app`` (the entry point), ``options`` (options and completion), ``output`` (text, JSON,
tables), ``runs``, ``studies``, ``stores``, ``replays``, ``tools`` (the commands), ``run_text``, ``study_text``,
``store_text`` (their results in words), ``shutdown`` (interruptions).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""The command line ``funnelsim``: one module for each group of commands, and what they print.

Modules, in reading order: ``app`` (the entry point), ``commands`` (the table of commands), ``options`` (shared
options and completion), ``output`` (standard output and messages), ``progress`` (a bar on a terminal);
``scenario_files``, ``runs``, ``models``, ``studies``, ``stores``, ``store_upkeep``, ``upkeep``, ``replays``,
``diagnosis`` (the commands);
:mod:`scenarios.cli.text` (their results as text, ``text``); ``shutdown`` (interruptions).

The commands are public names of this package, so each is imported when it is called.
"""

import os

import lazy_loader

# Matrices are small here: further threads of linear algebra only wait for each other, and on a busy machine for long.
# Before NumPy is loaded, which reads them once.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Measurements of speed, always as a ratio to a yardstick.

A comparison is a function that prepares its data and returns what to run, the yardstick first; it is in the module
of its subject (:mod:`benchmarks.generation`, ``files``, ``counting``, ``fitting``, ``startup``) and is listed in
:mod:`benchmarks.comparisons`. Measurements that cannot be taken in turns (long runs, peak memory, several workers)
have their own module beside them.
"""

"""Measurements of speed, always as a ratio against what one would otherwise have.

A comparison is a function that prepares its data and returns what to run, the yardstick first; it stands in the module
of its subject (:mod:`benchmarks.generation`, ``files``, ``counting``, ``fitting``, ``startup``) and is listed in
:mod:`benchmarks.comparisons`. What cannot be taken in turns (long runs, peak memory, several workers) belongs into a
module of its own beside them.
"""

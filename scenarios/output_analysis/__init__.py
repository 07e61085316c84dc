"""What the replications of a study say together.

Modules, in reading order: ``results`` (frames), ``summary`` (means, differences, quality of estimates),
``sensitivity`` (Sobol, Morris, PAWN), ``meta_model`` (a polynomial metamodel), ``power_curve`` (power by sample
size), ``rank_calibration`` (simulation-based calibration).
"""

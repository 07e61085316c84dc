from .metamodel import Metamodel as Metamodel, fit_metamodel as fit_metamodel
from .power_curve import PowerCurve as PowerCurve, fit_power_curve as fit_power_curve
from .results import StudyResults as StudyResults
from .sensitivity import morris_indices as morris_indices, sobol_indices as sobol_indices

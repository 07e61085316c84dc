from .metamodel import Metamodel as Metamodel, fit_metamodel as fit_metamodel
from .morris import morris_indices as morris_indices
from .pawn import pawn_indices as pawn_indices
from .power_curve import PowerCurve as PowerCurve, fit_power_curve as fit_power_curve
from .results import StudyResults as StudyResults
from .sensitivity import (
    all_indices as all_indices,
    all_interactions as all_interactions,
    index_remarks as index_remarks,
    ranked_indices as ranked_indices,
)
from .side_by_side import (
    BIAS_MEANING as BIAS_MEANING,
    bias_by_point as bias_by_point,
    bias_cells as bias_cells,
)
from .sobol import (
    sobol_convergence as sobol_convergence,
    sobol_indices as sobol_indices,
    sobol_interactions as sobol_interactions,
)

from .clusters import (
    ACCOUNT_COLUMNS as ACCOUNT_COLUMNS,
    VISITOR_COLUMNS as VISITOR_COLUMNS,
    cluster_keys as cluster_keys,
    cluster_numbers as cluster_numbers,
    name_keys as name_keys,
    with_keys as with_keys,
)
from .design import (
    ALWAYS_WITH as ALWAYS_WITH,
    INTERCEPT as INTERCEPT,
    NEVER as NEVER,
    NEVER_WITHOUT as NEVER_WITHOUT,
    OUTCOME_ITSELF as OUTCOME_ITSELF,
    Design as Design,
    design_matrix as design_matrix,
    prepare as prepare,
    variance_inflation as variance_inflation,
)
from .eligibility import eligible_visits as eligible_visits, refuse_gaps as refuse_gaps
from .estimation import Estimate as Estimate, Estimator as Estimator, estimate as estimate
from .firth import PenalisedLogit as PenalisedLogit, intercept_shift as intercept_shift
from .fit import LogitFit as LogitFit, quantile as quantile, two_sided as two_sided
from .joint_tests import JointTest as JointTest, joint_test as joint_test
from .likelihood import (
    climb as climb,
    information as information,
    inverse_information as inverse_information,
    maximise as maximise,
    maximum as maximum,
)
from .marginal_effects import MarginalEffects as MarginalEffects
from .matrix import DesignMatrix as DesignMatrix, Floats as Floats, Integers as Integers
from .robust import (
    MIN_CLUSTERS as MIN_CLUSTERS,
    effective_clusters as effective_clusters,
    jackknife_errors as jackknife_errors,
    squared_scores as squared_scores,
    sums_by_cluster as sums_by_cluster,
)
from .scaling import Scaling as Scaling
from .score_bootstrap import WildBootstrap as WildBootstrap, wild_bootstrap as wild_bootstrap
from .splines import knots_of as knots_of, restricted_cubic as restricted_cubic

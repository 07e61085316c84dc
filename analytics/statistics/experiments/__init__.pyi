from .arms import (
    SAMPLE_RATIO_SCHEMA as SAMPLE_RATIO_SCHEMA,
    ExperimentArms as ExperimentArms,
    sample_ratio_test as sample_ratio_test,
)
from .covariates import (
    AdjustedDifference as AdjustedDifference,
    cuped as cuped,
    predicted_requests as predicted_requests,
)
from .effects import (
    EFFECT_SCHEMA as EFFECT_SCHEMA,
    SEQUENCE_SCHEMA as SEQUENCE_SCHEMA,
    variance_by_accounts as variance_by_accounts,
)
from .outcomes import OUTCOME_SCHEMA as OUTCOME_SCHEMA, visitor_outcomes as visitor_outcomes
from .power import (
    detectable_difference as detectable_difference,
    power_of_test as power_of_test,
    visitors_needed as visitors_needed,
)
from .proportions import TwoProportions as TwoProportions, compare_proportions as compare_proportions
from .sequential import confidence_sequence as confidence_sequence

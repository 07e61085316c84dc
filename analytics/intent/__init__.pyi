from .baseline import (
    BASELINE_COLUMNS as BASELINE_COLUMNS,
    BaselineKind as BaselineKind,
    baseline_names as baseline_names,
)
from .coefficients import unit_of as unit_of
from .estimators import ESTIMATE_SCHEMA as ESTIMATE_SCHEMA, ESTIMATORS as ESTIMATORS, estimated_by as estimated_by
from .findings import (
    BUILT_IN as BUILT_IN,
    FINDING_MARKS as FINDING_MARKS,
    coefficient_groups as coefficient_groups,
    coverage_sentence as coverage_sentence,
    findings_of as findings_of,
    significant as significant,
    term_name as term_name,
)
from .model import IntentModel as IntentModel
from .naive_analyses import NaiveComparison as NaiveComparison, compare_analyses as compare_analyses
from .own_tables import TableColumn as TableColumn
from .random_intercept import RandomIntercept as RandomIntercept
from .results import IntentResults as IntentResults
from .session_length import SessionForm as SessionForm, SessionLengthComparison as SessionLengthComparison
from .summary import Summary as Summary, finding_cells as finding_cells
from .validation import PredictiveQuality as PredictiveQuality

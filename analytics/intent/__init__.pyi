from .coefficients import unit_of as unit_of
from .model import IntentModel as IntentModel
from .naive_analyses import NaiveComparison as NaiveComparison, compare_analyses as compare_analyses
from .own_tables import TableColumn as TableColumn
from .results import IntentResults as IntentResults
from .session_length import SessionForm as SessionForm, SessionLengthComparison as SessionLengthComparison
from .validation import PredictiveQuality as PredictiveQuality

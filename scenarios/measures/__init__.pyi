from .claims import ClaimResult as ClaimResult, Claims as Claims, check_claims as check_claims
from .component_signals import analysis_settings as analysis_settings
from .definition import AnalysedRun as AnalysedRun, RunView as RunView
from .expressions import ExpressionError as ExpressionError, Reference as Reference, references as references
from .model import BY_ESTIMATOR as BY_ESTIMATOR, MODEL_MEASURES as MODEL_MEASURES, model_terms as model_terms
from .registry import (
    Measure as Measure,
    all_measures as all_measures,
    needs_events as needs_events,
    spans_clock as spans_clock,
)
from .truth import known_truth as known_truth
from .window import WHOLE as WHOLE, Window as Window

"""Everything that reads events: it knows nothing of simulation and works on any Segment-Spec stream."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from analytics.errors import AnalyticsError
from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA
from analytics.io.flatten import DeadLetter, Flattened, track_view
from analytics.io.ndjson import decode, encode, read_ndjson
from analytics.io.warehouse import unfold
from analytics.sessions.identity import StitchingScore, score_stitching, stitch, stitched
from analytics.sessions.partitions import partitions_by_visitor
from analytics.sessions.visits import assign_visits, visit_table, visit_table_of_parts
from analytics.signals.definitions import SIGNALS, EventCount, EverSeen, SessionLength
from analytics.statistics.funnel import FunnelStatistics
from analytics.store.buckets import HourBucket
from analytics.store.counts import Counts
from analytics.store.event_store import EventStore

if TYPE_CHECKING:
    from analytics.errors import (
        ConvergenceError,
        IntentModelError,
        OneOutcomeError,
        SeparationError,
        TooFewVisitsError,
        VisitTableError,
    )
    from analytics.intent.model import IntentModel
    from analytics.intent.naive_analyses import NaiveComparison, compare_analyses
    from analytics.intent.results import IntentResults
    from analytics.intent.session_length import SessionLengthComparison
    from analytics.intent.validation import PredictiveQuality
    from analytics.logit.joint_tests import JointTest
    from analytics.sessions.bots import BotScore, BotSettings, score_bots, tag_bots
    from analytics.settings import AnalyticsSettings
    from analytics.statistics.odds_ratios import Homogeneity
    from analytics.statistics.segment_content import SegmentContent, segment_content

__all__ = [
    "COLUMNS",
    "EVENT_SCHEMA",
    "SIGNALS",
    "AnalyticsError",
    "AnalyticsSettings",
    "BotScore",
    "BotSettings",
    "ConvergenceError",
    "Counts",
    "DeadLetter",
    "EventCount",
    "EventStore",
    "EverSeen",
    "Flattened",
    "FunnelStatistics",
    "Homogeneity",
    "HourBucket",
    "IntentModel",
    "IntentModelError",
    "IntentResults",
    "JointTest",
    "NaiveComparison",
    "OneOutcomeError",
    "PredictiveQuality",
    "SegmentContent",
    "SeparationError",
    "SessionLength",
    "SessionLengthComparison",
    "StitchingScore",
    "TooFewVisitsError",
    "VisitTableError",
    "assign_visits",
    "compare_analyses",
    "decode",
    "encode",
    "partitions_by_visitor",
    "read_ndjson",
    "score_bots",
    "score_stitching",
    "segment_content",
    "stitch",
    "stitched",
    "tag_bots",
    "track_view",
    "unfold",
    "visit_table",
    "visit_table_of_parts",
]

# Whoever needs SciPy and statsmodels waits for them; whoever only wants the tracking plan does not.
_HEAVY: Final = {
    "AnalyticsSettings": "analytics.settings",
    "BotScore": "analytics.sessions.bots",
    "BotSettings": "analytics.sessions.bots",
    "ConvergenceError": "analytics.errors",
    "Homogeneity": "analytics.statistics.odds_ratios",
    "IntentModel": "analytics.intent.model",
    "IntentModelError": "analytics.errors",
    "IntentResults": "analytics.intent.results",
    "JointTest": "analytics.logit.joint_tests",
    "OneOutcomeError": "analytics.errors",
    "PredictiveQuality": "analytics.intent.validation",
    "SegmentContent": "analytics.statistics.segment_content",
    "SeparationError": "analytics.errors",
    "SessionLengthComparison": "analytics.intent.session_length",
    "NaiveComparison": "analytics.intent.naive_analyses",
    "TooFewVisitsError": "analytics.errors",
    "VisitTableError": "analytics.errors",
    "compare_analyses": "analytics.intent.naive_analyses",
    "score_bots": "analytics.sessions.bots",
    "segment_content": "analytics.statistics.segment_content",
    "tag_bots": "analytics.sessions.bots",
}


def __getattr__(name: str) -> object:
    if name in _HEAVY:
        return getattr(import_module(_HEAVY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

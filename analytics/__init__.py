"""Everything that reads events: it knows nothing of simulation and works on any Segment-Spec stream."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from analytics.errors import AnalyticsError
from analytics.event_store import EventStore
from analytics.events import COLUMNS, EVENT_SCHEMA
from analytics.hour_bucket import HourBucket
from analytics.identity import StitchingScore, score_stitching, stitch, stitched
from analytics.ndjson import decode, encode, read_ndjson
from analytics.partitions import partitions_by_visitor
from analytics.sessions import assign_visits, visit_table, visit_table_of_parts
from analytics.signals import SIGNALS, EventCount, EverSeen, SessionLength
from analytics.statistics import FunnelStatistics
from analytics.store_counts import Counts
from analytics.tracking import DeadLetter, Flattened, track_view
from analytics.warehouse import unfold

if TYPE_CHECKING:
    from analytics.bots import BotScore, BotSettings, score_bots, tag_bots
    from analytics.intent_model import IntentModel
    from analytics.intent_results import IntentResults
    from analytics.segment_content import SegmentContent, segment_content

__all__ = [
    "COLUMNS",
    "EVENT_SCHEMA",
    "SIGNALS",
    "AnalyticsError",
    "BotScore",
    "BotSettings",
    "Counts",
    "DeadLetter",
    "EventCount",
    "EventStore",
    "EverSeen",
    "Flattened",
    "FunnelStatistics",
    "HourBucket",
    "IntentModel",
    "IntentResults",
    "SegmentContent",
    "SessionLength",
    "StitchingScore",
    "assign_visits",
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
    "BotScore": "analytics.bots",
    "BotSettings": "analytics.bots",
    "score_bots": "analytics.bots",
    "tag_bots": "analytics.bots",
    "IntentModel": "analytics.intent_model",
    "IntentResults": "analytics.intent_results",
    "SegmentContent": "analytics.segment_content",
    "segment_content": "analytics.segment_content",
}


def __getattr__(name: str) -> object:
    if name in _HEAVY:
        return getattr(import_module(_HEAVY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

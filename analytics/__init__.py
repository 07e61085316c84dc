"""Everything that reads events: it knows nothing of simulation and works on any Segment-Spec stream."""

from analytics.errors import AnalyticsError
from analytics.event_store import Counts, EventStore, HourBucket
from analytics.events import COLUMNS, EVENT_SCHEMA
from analytics.identity import StitchingScore, score_stitching, stitch, stitched
from analytics.intent_model import IntentModel
from analytics.intent_results import IntentResults
from analytics.ndjson import decode, encode, read_ndjson
from analytics.partitions import partitions_by_visitor
from analytics.segment_content import SegmentContent, segment_content
from analytics.sessions import assign_visits, visit_table, visit_table_of_parts
from analytics.signals import SIGNALS, EventCount, EverSeen, SessionLength
from analytics.statistics import FunnelStatistics
from analytics.tracking import DeadLetter, Flattened, track_view

__all__ = [
    "COLUMNS",
    "EVENT_SCHEMA",
    "SIGNALS",
    "AnalyticsError",
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
    "score_stitching",
    "segment_content",
    "stitch",
    "stitched",
    "track_view",
    "visit_table",
    "visit_table_of_parts",
]

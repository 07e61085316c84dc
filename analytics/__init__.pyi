from .analysis import Analysis as Analysis
from .durable.durable_store import DurableStore as DurableStore
from .durable.opening import open_store as open_store
from .durable.recovery import read_store as read_store
from .durable.settings import StoreSettings as StoreSettings
from .durable.upkeep.forgetting import Forgotten as Forgotten, forget as forget
from .durable.upkeep.reprocessing import Reprocessed as Reprocessed, reprocess as reprocess
from .durable.upkeep.rewinding import Rewound as Rewound, rewind as rewind
from .errors import (
    AnalyticsError as AnalyticsError,
    ConvergenceError as ConvergenceError,
    EventFileError as EventFileError,
    EventFileWarning as EventFileWarning,
    EventFrameError as EventFrameError,
    EventFrameWarning as EventFrameWarning,
    IntentModelError as IntentModelError,
    OneOutcomeError as OneOutcomeError,
    SeparationError as SeparationError,
    StoreCorruptError as StoreCorruptError,
    StoreError as StoreError,
    StoreFormatError as StoreFormatError,
    StoreLockedError as StoreLockedError,
    StoreWriteError as StoreWriteError,
    TooFewVisitsError as TooFewVisitsError,
    VisitTableError as VisitTableError,
)
from .events.dead_letters import DeadLetter as DeadLetter
from .events.tracking_plan import COLUMNS as COLUMNS, EVENT_SCHEMA as EVENT_SCHEMA
from .ingestion import ingest as ingest
from .intent.model import IntentModel as IntentModel
from .intent.naive_analyses import NaiveComparison as NaiveComparison, compare_analyses as compare_analyses
from .intent.results import IntentResults as IntentResults
from .intent.session_length import SessionLengthComparison as SessionLengthComparison
from .intent.validation import PredictiveQuality as PredictiveQuality
from .io.adapters.adapter import Adapter as Adapter
from .io.flatten import Flattened as Flattened, track_view as track_view
from .io.ndjson import decode as decode, encode as encode, read_ndjson as read_ndjson
from .io.reading import EventFormat as EventFormat, event_files as event_files, read_events as read_events
from .io.warehouse import unfold as unfold
from .logit.joint_tests import JointTest as JointTest
from .report.measurement import Measurement as Measurement, measurement as measurement
from .report.trust import TrustCheck as TrustCheck, trust_checks as trust_checks
from .sessions.bots import (
    BotScore as BotScore,
    BotSettings as BotSettings,
    score_bots as score_bots,
    tag_bots as tag_bots,
)
from .sessions.identity import (
    StitchingScore as StitchingScore,
    score_stitching as score_stitching,
    stitch as stitch,
    stitched as stitched,
)
from .sessions.partitions import partitions_by_visitor as partitions_by_visitor
from .sessions.visits import (
    assign_visits as assign_visits,
    visit_table as visit_table,
    visit_table_of_parts as visit_table_of_parts,
)
from .settings import AnalyticsSettings as AnalyticsSettings, PrivacySettings as PrivacySettings
from .signals.definitions import (
    SIGNALS as SIGNALS,
    EventCount as EventCount,
    EverSeen as EverSeen,
    SessionLength as SessionLength,
)
from .statistics.funnel import FunnelStatistics as FunnelStatistics
from .statistics.odds_ratios import Homogeneity as Homogeneity
from .statistics.prepared_events import EventsInParts as EventsInParts
from .statistics.segment_content import SegmentContent as SegmentContent, segment_content as segment_content
from .store.buckets import HourBucket as HourBucket
from .store.counts import Counts as Counts
from .store.event_store import EventStore as EventStore

from .buckets import HourBucket as HourBucket, HourReports as HourReports
from .counts import Counts as Counts, StoreCounters as StoreCounters
from .deliveries import REPEATS_SCHEMA as REPEATS_SCHEMA, Redeliveries as Redeliveries, hashes as hashes, ms as ms
from .event_store import EventStore as EventStore
from .history import EventHistory as EventHistory
from .hour import NO_TIMED_EVENTS as NO_TIMED_EVENTS
from .spill import write_passing as write_passing
from .window import HourWindow as HourWindow

from .buckets import HourBucket as HourBucket, HourReports as HourReports
from .clock_guard import ClockGuard as ClockGuard, SteadyClock as SteadyClock
from .counts import (
    UNASKED as UNASKED,
    Counts as Counts,
    Lateness as Lateness,
    StoreCounters as StoreCounters,
)
from .deliveries import REDELIVERIES_SCHEMA as REDELIVERIES_SCHEMA, event_hours as event_hours
from .event_store import EventStore as EventStore
from .history import EventHistory as EventHistory
from .hour import IN_ORDER as IN_ORDER, NO_TIMED_EVENTS as NO_TIMED_EVENTS
from .hour_sorter import HourSorter as HourSorter
from .intake import EventIntake as EventIntake, JudgedEvents as JudgedEvents
from .quarantine import Quarantine as Quarantine
from .snapshot import StoreSnapshot as StoreSnapshot
from .spill import (
    lock_folder as lock_folder,
    temporary_folder as temporary_folder,
    write_part as write_part,
    write_temporary as write_temporary,
)
from .whole_history import WholeHistory as WholeHistory
from .window import HourWindow as HourWindow

from .delivered_hours import DeliveredHours as DeliveredHours
from .generator import EventGenerator as EventGenerator, what_happened as what_happened
from .outcome import Outcome as Outcome
from .pending_hours import PendingHours as PendingHours
from .planned_people import PlannedPeople as PlannedPeople
from .run_state import RunState as RunState
from .truth_tables import TruthTables as TruthTables
from .workers import HourWork as HourWork, RunSpec as RunSpec, SharedRun as SharedRun

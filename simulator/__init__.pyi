from .engine.streams import Streams as Streams
from .sales.desk import SalesDesk as SalesDesk
from .sales.outcome import SalesOutcome as SalesOutcome
from .settings.world import WorldSettings as WorldSettings
from .simulation import Outcome as Outcome, Simulation as Simulation
from .tracking.delivery import CollectingSink as CollectingSink, Delivery as Delivery, Sink as Sink
from .visitors.cohort import Cohort as Cohort
from .visitors.truth import Truth as Truth
from .visitors.visitor import Visitor as Visitor

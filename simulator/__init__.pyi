from .agents.component import Component as Component, Effect as Effect, event_signal as event_signal
from .agents.plan import Plan as Plan
from .agents.visit import Page as Page
from .agents.visitor import Visitor as Visitor
from .engine.streams import Streams as Streams
from .errors import ComponentError as ComponentError
from .model import Model as Model
from .replication.outcome import Outcome as Outcome
from .sales.desk import SalesDesk as SalesDesk
from .sales.outcome import SalesOutcome as SalesOutcome
from .sales.routing import RoutingPolicy as RoutingPolicy
from .settings.world import WorldSettings as WorldSettings
from .tracking.delivery import CollectingSink as CollectingSink, Delivery as Delivery, Sink as Sink
from .visitors.cohort import Cohort as Cohort
from .visitors.truth import Truth as Truth

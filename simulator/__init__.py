"""The world: visitors, site, traffic, sales and tracker, on the SimPy clock."""

from simulator.engine.streams import Streams
from simulator.sales.desk import SalesDesk
from simulator.sales.outcome import SalesOutcome
from simulator.settings.world import WorldSettings
from simulator.simulation import Outcome, Simulation
from simulator.tracking.delivery import CollectingSink, Delivery, Sink
from simulator.visitors.cohort import Cohort
from simulator.visitors.truth import Truth
from simulator.visitors.visitor import Visitor

__all__ = [
    "Cohort",
    "CollectingSink",
    "Delivery",
    "Outcome",
    "SalesDesk",
    "SalesOutcome",
    "Simulation",
    "Sink",
    "Streams",
    "Truth",
    "Visitor",
    "WorldSettings",
]

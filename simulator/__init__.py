"""The world: visitors, site, traffic, sales and tracker, on the SimPy clock."""

from simulator.cohort import Cohort
from simulator.engine.streams import Streams
from simulator.intent import Truth
from simulator.sales.desk import SalesDesk
from simulator.sales.outcome import SalesOutcome
from simulator.settings.world import WorldSettings
from simulator.simulation import Outcome, Simulation
from simulator.sinks import CollectingSink, Delivery, Sink
from simulator.visitor import Visitor

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

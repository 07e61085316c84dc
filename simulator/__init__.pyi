from .agents.component import Component as Component, Effect as Effect, event_signal as event_signal
from .agents.decision import DecisionModel as DecisionModel
from .agents.plan import Plan as Plan
from .agents.probe import Probe as Probe
from .agents.traffic_source import TrafficSource as TrafficSource
from .agents.visit import Page as Page
from .agents.visitor import Visitor as Visitor
from .engine.arrays import Bools as Bools, Floats as Floats
from .engine.streams import Streams as Streams
from .errors import ComponentError as ComponentError
from .model import Model as Model
from .replication.outcome import Outcome as Outcome
from .sales.desk import SalesDesk as SalesDesk
from .sales.outcome import SalesOutcome as SalesOutcome
from .sales.routing import RoutingPolicy as RoutingPolicy
from .settings.base import (
    Count as Count,
    LogOdds as LogOdds,
    NonNegative as NonNegative,
    Positive as Positive,
    Probability as Probability,
    Real as Real,
    Settings as Settings,
)
from .settings.components import (
    ComponentSettings as ComponentSettings,
    DecisionSettings as DecisionSettings,
    NavigationSettings as NavigationSettings,
    ProbeSettings as ProbeSettings,
    SourceSettings as SourceSettings,
)
from .settings.plugins import allow_plugins as allow_plugins
from .settings.site import FormPageName as FormPageName, PageName as PageName
from .settings.traffic import CampaignSettings as CampaignSettings
from .settings.world import WorldSettings as WorldSettings
from .tracking.delivery import CollectingSink as CollectingSink, Delivery as Delivery, Sink as Sink
from .visitors.cohort import Cohort as Cohort
from .visitors.truth import Truth as Truth
from .world.navigation import NavigationModel as NavigationModel, NavigationProfile as NavigationProfile
from .world.traffic_rule import Hours as Hours

from .awake import AwakeCohort as AwakeCohort, WorldOfAwake as WorldOfAwake
from .component import (
    Component as Component,
    Effect as Effect,
    Window as Window,
    event_signal as event_signal,
)
from .component_set import (
    ComponentHooks as ComponentHooks,
    ComponentSet as ComponentSet,
    Masks as Masks,
    checked_mask as checked_mask,
)
from .decision import DecisionModel as DecisionModel
from .made import Act as Act, activity_of as activity_of, made_cohort as made_cohort
from .parts import classes_of as classes_of, components_of as components_of, probes_of as probes_of
from .plan import Plan as Plan
from .probe import Probe as Probe
from .sleeping import SleepingVisitor as SleepingVisitor
from .traffic_source import TrafficSource as TrafficSource
from .visit import Page as Page, Visit as Visit
from .visitor import Visitor as Visitor

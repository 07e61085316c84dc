from .base import (
    Count as Count,
    LogOdds as LogOdds,
    NonNegative as NonNegative,
    Positive as Positive,
    PositiveFactor as PositiveFactor,
    Probability as Probability,
    Real as Real,
    Settings as Settings,
    unknown as unknown,
)
from .class_identity import (
    ClassIdentity as ClassIdentity,
    identities_of as identities_of,
    identity_of as identity_of,
    require_importable as require_importable,
    require_same as require_same,
)
from .clock import ClockSettings as ClockSettings, in_utc as in_utc
from .components import faults_of as faults_of, name_of as name_of
from .experiments import (
    ArmSettings as ArmSettings,
    ExperimentSettings as ExperimentSettings,
    arm_effects as arm_effects,
)
from .own_classes import check_class as check_class, check_copy as check_copy
from .personas import PersonaSettings as PersonaSettings, persona_code as persona_code
from .plugins import (
    COMPONENTS as COMPONENTS,
    DECISIONS as DECISIONS,
    NAVIGATION as NAVIGATION,
    PROBES as PROBES,
    ROUTING as ROUTING,
    SOURCES as SOURCES,
    allow_plugins as allow_plugins,
)
from .population import (
    USER_AGENTS as USER_AGENTS,
    CompanySizeSettings as CompanySizeSettings,
    PopulationSettings as PopulationSettings,
)
from .sales import (
    WEEKDAYS as WEEKDAYS,
    SalesSettings as SalesSettings,
    StaffSettings as StaffSettings,
    TeamSettings as TeamSettings,
    check_regions as check_regions,
    minutes_of as minutes_of,
    team_of as team_of,
)
from .signals import ORIGIN_COLUMNS as ORIGIN_COLUMNS
from .site import (
    MIN_EXIT_RATE as MIN_EXIT_RATE,
    FormPageName as FormPageName,
    PageName as PageName,
    PageSettings as PageSettings,
    SiteSettings as SiteSettings,
)
from .tracking import TrackingSettings as TrackingSettings
from .traffic import (
    DEFAULT_CHANNELS as DEFAULT_CHANNELS,
    CampaignSettings as CampaignSettings,
    ChannelSettings as ChannelSettings,
    LinkSettings as LinkSettings,
    Moment as Moment,
    TimedCampaignSettings as TimedCampaignSettings,
    TrafficSettings as TrafficSettings,
    WorldEventSettings as WorldEventSettings,
)
from .visits import STEP_BITS as STEP_BITS, VISIT_BITS as VISIT_BITS, VisitSettings as VisitSettings
from .world import ActiveAgents as ActiveAgents, WorldParts as WorldParts, WorldSettings as WorldSettings

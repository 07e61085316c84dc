from .accounts import UNKNOWN_COMPANY as UNKNOWN_COMPANY, Accounts as Accounts, Company as Company
from .arrival_sources import (
    INVITATION as INVITATION,
    ORDINARY as ORDINARY,
    ArrivalSource as ArrivalSource,
    CampaignLink as CampaignLink,
    Link as Link,
    arrival_sources_of as arrival_sources_of,
    arrivals_of as arrivals_of,
    invited_scope as invited_scope,
    origins_of as origins_of,
    steady_arrivals as steady_arrivals,
)
from .arrivals import ArrivalProcess as ArrivalProcess, Arrivals as Arrivals
from .assignment import Experiments as Experiments
from .navigation import (
    Navigation as Navigation,
    NavigationModel as NavigationModel,
    NavigationProfile as NavigationProfile,
    NavigationProfiles as NavigationProfiles,
)
from .population import People as People, Population as Population
from .traffic_rule import Hours as Hours, TrafficRule as TrafficRule, expected_in as expected_in

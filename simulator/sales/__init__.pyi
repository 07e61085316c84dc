from .desk import SALES_EVENTS as SALES_EVENTS, BuyerDraws as BuyerDraws, SalesDesk as SalesDesk
from .outcome import SalesOutcome as SalesOutcome, request_measures as request_measures, sales_outcome as sales_outcome
from .routing import RoutingPolicy as RoutingPolicy
from .team import Executive as Executive, Team as Team

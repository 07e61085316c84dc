from .buying_committee import BuyingCommittee as BuyingCommittee
from .campaign_budget import CampaignBudget as CampaignBudget
from .competitor import Competitor as Competitor
from .discount_banner import DiscountBanner as DiscountBanner
from .live_chat import LiveChat as LiveChat
from .nurture_email import NurtureEmail as NurtureEmail
from .probes import ComponentProbe as ComponentProbe, QueueLength as QueueLength
from .retargeting import Retargeting as Retargeting
from .traffic_sources import Burst as Burst
from .web_server import WebServer as WebServer
from .webinar import Webinar as Webinar

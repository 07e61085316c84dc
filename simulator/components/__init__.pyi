from .discount_banner import DiscountBanner as DiscountBanner
from .live_chat import LiveChat as LiveChat
from .nurture_email import NurtureEmail as NurtureEmail
from .probes import QueueLength as QueueLength
from .web_server import WebServer as WebServer
from .webinar import Webinar as Webinar

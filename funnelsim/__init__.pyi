from analytics import *
from scenarios import *
from simulator import *

__version__: str

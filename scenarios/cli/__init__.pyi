from .app import main as main
from .components import check_component as check_component
from .diagnosis import doctor as doctor
from .models import model as model
from .replays import export as export, replay as replay
from .runs import (
    analyze as analyze,
    list_scenarios as list_scenarios,
    run as run,
    schema as schema,
    show as show,
    validate as validate,
)
from .starters import map_pages as map_pages, new as new
from .stores import ingest as ingest, stats as stats
from .studies import compare as compare, power as power, study as study, warm_up as warm_up

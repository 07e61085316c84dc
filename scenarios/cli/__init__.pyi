from .app import main as main
from .diagnosis import doctor as doctor
from .models import model as model
from .replays import export as export, replay as replay
from .runs import (
    analyze as analyze,
    check_component as check_component,
    map_pages as map_pages,
    run as run,
)
from .scenario_files import (
    list_scenarios as list_scenarios,
    new as new,
    schema as schema,
    show as show,
    validate as validate,
)
from .store_upkeep import forget as forget, reprocess as reprocess, rewind as rewind
from .stores import ingest as ingest, stats as stats
from .studies import compare as compare, power as power, study as study, warm_up as warm_up
from .upkeep import recover as recover, verify as verify

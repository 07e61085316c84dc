from .bots import (
    BotScore as BotScore,
    BotSettings as BotSettings,
    n_suspected_bots as n_suspected_bots,
    score_bots as score_bots,
    tag_bots as tag_bots,
)
from .forms import FORM_CALLS as FORM_CALLS, FORM_TIME as FORM_TIME, after_form as after_form
from .identity import (
    StitchingScore as StitchingScore,
    score_stitching as score_stitching,
    stitch as stitch,
    stitched as stitched,
)
from .partitions import (
    ANALYSED_COLUMNS as ANALYSED_COLUMNS,
    NOT_ANALYSED as NOT_ANALYSED,
    PART as PART,
    ChangedParts as ChangedParts,
    PartsByPerson as PartsByPerson,
    partitions_by_visitor as partitions_by_visitor,
)
from .persons import Identities as Identities, Persons as Persons
from .timeline import (
    VISITOR as VISITOR,
    as_categorical as as_categorical,
    changes as changes,
    countable as countable,
    enriched as enriched,
    first_known as first_known,
    stable_order as stable_order,
)
from .visits import (
    IS_HUMAN as IS_HUMAN,
    PartVisits as PartVisits,
    Settled as Settled,
    assign_visits as assign_visits,
    begins_in as begins_in,
    read_visits as read_visits,
    visit_table as visit_table,
    visit_table_of_parts as visit_table_of_parts,
)

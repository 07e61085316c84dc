from .data import Claim as Claim, SalesDesk as SalesDesk, SimulatedTruth as SimulatedTruth
from .measurement import (
    Measurement as Measurement,
    coefficient_cells as coefficient_cells,
    count_cells as count_cells,
    measured_counts as measured_counts,
    measured_sentences as measured_sentences,
    people_of as people_of,
)
from .render import (
    analysis_report as analysis_report,
    result_tables as result_tables,
    write_report as write_report,
)
from .trust import TrustCheck as TrustCheck, trust_checks as trust_checks

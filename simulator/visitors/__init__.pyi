from .calibration import true_intercept as true_intercept
from .cohort import Cohort as Cohort, hexadecimal as hexadecimal
from .cohort_process import activate as activate
from .cohort_sampler import CohortSampler as CohortSampler
from .cohort_tables import WorldTables as WorldTables
from .journey import IDLE_MS as IDLE_MS, Journeys as Journeys
from .truth import Truth as Truth
from .visitor import Visitor as Visitor

from .calibration import (
    calibration_settings as calibration_settings,
    true_intercept as true_intercept,
    true_parameters as true_parameters,
)
from .cohort import Cohort as Cohort, hexadecimal as hexadecimal
from .cohort_sampler import CohortSampler as CohortSampler
from .cohort_tables import WorldTables as WorldTables
from .decision_rule import DecisionRule as DecisionRule
from .histories import scaled as scaled
from .journey import IDLE_MS as IDLE_MS, MAX_DWELL_MS as MAX_DWELL_MS, MIN_GAP_MS as MIN_GAP_MS, Journeys as Journeys
from .outages import in_outage as in_outage
from .signals import bits_of as bits_of
from .truth import Truth as Truth

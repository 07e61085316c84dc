from .arms import (
    SAMPLE_RATIO_SCHEMA as SAMPLE_RATIO_SCHEMA,
    ExperimentArms as ExperimentArms,
    sample_ratio_test as sample_ratio_test,
)

from .power import (
    experiment_power_text as experiment_power_text,
    power_text as power_text,
    warm_up_text as warm_up_text,
)
from .runs import (
    analysis_results as analysis_results,
    analysis_summary as analysis_summary,
    component_text as component_text,
    invalid_events as invalid_events,
    run_summary as run_summary,
)
from .stores import (
    forgotten_text as forgotten_text,
    ingest_text as ingest_text,
    reprocessed_text as reprocessed_text,
    rewound_text as rewound_text,
    stats_data as stats_data,
    stats_text as stats_text,
)
from .studies import comparison_text as comparison_text, study_text as study_text

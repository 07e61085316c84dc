"""All comparisons, in the order of the table."""

from __future__ import annotations

from typing import Final

from benchmarks import components, counting, durable, earlier, files, fitting, generation, startup, studies, whole_runs
from benchmarks.measuring import Comparison

COMPARISONS: Final[tuple[Comparison, ...]] = (
    generation.COMPARISON,
    generation.ALL_ACTIVE,
    generation.DRAWING,
    components.COMPONENTS,
    files.NDJSON_OUT,
    files.NDJSON_IN,
    files.PARQUET_OUT,
    files.PARQUET_IN,
    durable.ACKNOWLEDGED,
    durable.INGEST,
    durable.LONG,
    counting.COMPARISON,
    counting.STATISTICS,
    fitting.ALL_SIGNALS,
    fitting.DISCRETE,
    fitting.LIKELIHOOD,
    startup.COMPARISON,
    studies.OVERHEAD,
    studies.POWER,
    earlier.REPLICATIONS,
    earlier.MILLION,
    earlier.ACKNOWLEDGED,
    whole_runs.GROWTH,
    whole_runs.WORKERS,
    whole_runs.ANALYSIS,
    whole_runs.DAYS,
    whole_runs.TEN_MILLION,
)

from .coverage import coverage_warnings as coverage_warnings, name_warnings as name_warnings, no_requests as no_requests
from .event_names import (
    NearName as NearName,
    near_names as near_names,
    renamed as renamed,
    unknown_names as unknown_names,
)
from .experiments import ExperimentArms as ExperimentArms
from .funnel import FunnelStatistics as FunnelStatistics
from .intervals import wilson_interval as wilson_interval
from .multiplicity import benjamini_hochberg as benjamini_hochberg, holm as holm
from .odds_ratios import Homogeneity as Homogeneity
from .page_coverage import (
    PageCoverage as PageCoverage,
    coverage_of_pages as coverage_of_pages,
    viewed_pages as viewed_pages,
)
from .segment_content import SegmentContent as SegmentContent

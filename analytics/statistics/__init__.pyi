from .analysed_events import AnalysedEvents as AnalysedEvents
from .coverage import Coverage as Coverage, NameCounts as NameCounts
from .event_names import (
    NearName as NearName,
    most_frequent as most_frequent,
    near_names as near_names,
    renamed as renamed,
    unknown_names as unknown_names,
)
from .experiments.arms import ExperimentArms as ExperimentArms
from .experiments.effects import EFFECT_SCHEMA as EFFECT_SCHEMA
from .funnel import FunnelStatistics as FunnelStatistics
from .intervals import wilson_interval as wilson_interval
from .measurement_loss import (
    Estimated as Estimated,
    captured_twice as captured_twice,
    expected_unseen as expected_unseen,
    probability_seen as probability_seen,
    rate_of_all as rate_of_all,
    unseen_requesters as unseen_requesters,
    weighted_rate as weighted_rate,
    weighted_total as weighted_total,
)
from .mergeable_counts import MergeableCounts as MergeableCounts, add_up as add_up
from .multiplicity import benjamini_hochberg as benjamini_hochberg, holm as holm
from .odds_ratios import Homogeneity as Homogeneity
from .page_coverage import (
    PageCounts as PageCounts,
    PageCoverage as PageCoverage,
)
from .prepared_events import (
    EventFacts as EventFacts,
    EventsInParts as EventsInParts,
    PreparedEvents as PreparedEvents,
    prepared as prepared,
)
from .prepared_visits import PreparedVisits as PreparedVisits
from .segment_content import (
    SegmentContent as SegmentContent,
    categories as categories,
    crossed_with_content as crossed_with_content,
)
from .traffic import Question as Question

from .cost import StudyCost as StudyCost
from .design import unit_design as unit_design
from .execution import Execution as Execution, Progress as Progress
from .folder import (
    JOURNAL as JOURNAL,
    STUDY_FILE as STUDY_FILE,
    StudyFolder as StudyFolder,
    lock_journal as lock_journal,
    read_journal as read_journal,
    study_folder as study_folder,
)
from .intervals import (
    ROUNDING as ROUNDING,
    Sample as Sample,
    mean_intervals as mean_intervals,
    t_half_width as t_half_width,
)
from .loading import (
    ESTIMATES as ESTIMATES,
    estimate_response as estimate_response,
    load_study as load_study,
    parse_study as parse_study,
    study_of as study_of,
)
from .plan import StudyPlan as StudyPlan
from .precision import PrecisionSettings as PrecisionSettings, is_response_met as is_response_met
from .replication import Failure as Failure, Function as Function, light_run as light_run
from .running import PointRun as PointRun, run_points as run_points
from .settings import DesignSettings as DesignSettings, Factor as Factor, StudySettings as StudySettings

from .comparison import compare_scenarios as compare_scenarios
from .component_check import ComponentCheck as ComponentCheck, check_component as check_component
from .config.pages_file import with_mapping as with_mapping
from .errors import (
    Fault as Fault,
    FunnelsimError as FunnelsimError,
    InputError as InputError,
    OutputError as OutputError,
    ScenarioError as ScenarioError,
    UndefinedMeasureError as UndefinedMeasureError,
)
from .output_analysis.morris import morris_indices as morris_indices
from .output_analysis.pawn import pawn_indices as pawn_indices
from .output_analysis.results import StudyResults as StudyResults
from .output_analysis.sobol import (
    sobol_convergence as sobol_convergence,
    sobol_indices as sobol_indices,
    sobol_interactions as sobol_interactions,
)
from .power import (
    ExperimentPower as ExperimentPower,
    SampleSize as SampleSize,
    experiment_power as experiment_power,
    sample_size as sample_size,
)
from .replays.sending import replay as replay
from .run.events_analysis import analyze as analyze
from .run.folder import run_to_folder as run_to_folder
from .run.run import Run as Run
from .saved_run import SavedRun as SavedRun, load_run as load_run
from .scenario import Scenario as Scenario, scenario_schema as scenario_schema
from .study import Study as Study, run_study as run_study, study_schema as study_schema
from .verification import Recovery as Recovery, Verification as Verification, recover as recover, verify as verify
from .warm_up import find_warm_up as find_warm_up

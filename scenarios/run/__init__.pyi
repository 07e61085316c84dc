from .dispatch import Lost as Lost
from .events_analysis import (
    EventFiles as EventFiles,
    EventsAnalysis as EventsAnalysis,
    analyze as analyze,
    mapped_settings as mapped_settings,
)
from .folder import default_folder as default_folder, run_to_folder as run_to_folder
from .mapping_proposal import Proposal as Proposal, propose_mapping as propose_mapping
from .pools import (
    ExecutorChoice as ExecutorChoice,
    Pool as Pool,
    available_cores as available_cores,
    pool_of as pool_of,
    shared_pool as shared_pool,
)
from .progress import text_bar as text_bar
from .run import (
    Run as Run,
    Timings as Timings,
    run_analysis as run_analysis,
    run_html as run_html,
    write_results as write_results,
)
from .running import simulate as simulate
from .sinks import Batches as Batches, StoreSink as StoreSink

from .arms import arm_dimension as arm_dimension, arm_signals as arm_signals
from .definitions import (
    DEFAULT_INTERACTIONS as DEFAULT_INTERACTIONS,
    IDLE_MINUTES as IDLE_MINUTES,
    MULTI_PAGE_VISIT as MULTI_PAGE_VISIT,
    SIGNALS as SIGNALS,
    VISIT_KEY_COLUMNS as VISIT_KEY_COLUMNS,
    VISIT_OUTCOME_COLUMNS as VISIT_OUTCOME_COLUMNS,
    ConversionUnit as ConversionUnit,
    EventCount as EventCount,
    EverSeen as EverSeen,
    SeenInOrder as SeenInOrder,
    SeenRecently as SeenRecently,
    SessionLength as SessionLength,
    Signal as Signal,
    current_term as current_term,
    interaction_parts as interaction_parts,
    visit_schema as visit_schema,
)
from .expressions import (
    gathered as gathered,
    hours_in_ms as hours_in_ms,
    known as known,
    known_columns as known_columns,
    shown as shown,
    so_far as so_far,
    values as values,
)
from .settings import (
    EventSignal as EventSignal,
    SignalSettings as SignalSettings,
    UserSignals as UserSignals,
    not_known as not_known,
)
from .site import (
    STAGE_STEPS as STAGE_STEPS,
    FunnelStep as FunnelStep,
    FunnelStepSettings as FunnelStepSettings,
    MappedPageSettings as MappedPageSettings,
    OwnFunnel as OwnFunnel,
    Pages as Pages,
    page_rules as page_rules,
)

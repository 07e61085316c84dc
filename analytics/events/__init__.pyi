from .channels import ChannelRule as ChannelRule, with_own_channels as with_own_channels
from .dead_letters import DeadLetter as DeadLetter, DeadLetterReason as DeadLetterReason, RejectedError as RejectedError
from .dimensions import (
    DIMENSIONS as DIMENSIONS,
    NOT_SET as NOT_SET,
    By as By,
    Dimension as Dimension,
    DimensionError as DimensionError,
    current_dimension as current_dimension,
    dimensions_of as dimensions_of,
)
from .enrichment import (
    DERIVED_SCHEMA as DERIVED_SCHEMA,
    conform as conform,
    enrich as enrich,
    event_times as event_times,
)
from .event_names import renamed as renamed, unknown_names as unknown_names
from .geography import REGION_OF_COUNTRY as REGION_OF_COUNTRY, REGIONS as REGIONS
from .identifiers import WHO as WHO, identifier as identifier, in_doubt as in_doubt
from .times import (
    EARLIEST as EARLIEST,
    EPOCH as EPOCH,
    HOUR_MS as HOUR_MS,
    LATEST as LATEST,
    epoch_ms as epoch_ms,
    in_utc as in_utc,
    moment as moment,
    moment_ms as moment_ms,
)
from .tracking_plan import (
    COLUMNS as COLUMNS,
    EVENT_SCHEMA as EVENT_SCHEMA,
    SERVER_LIBRARIES as SERVER_LIBRARIES,
    SERVER_SIDE_EVENTS as SERVER_SIDE_EVENTS,
    UTC_MS as UTC_MS,
    CallType as CallType,
    Column as Column,
    EventName as EventName,
    FunnelStage as FunnelStage,
    path_tree as path_tree,
)

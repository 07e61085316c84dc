from .acquisition import (
    CHANNELS as CHANNELS,
    Arrival as Arrival,
    Cause as Cause,
    arrival as arrival,
    campaign_of as campaign_of,
    default_channel as default_channel,
)
from .channels import ChannelRule as ChannelRule, with_own_channels as with_own_channels
from .clocks import (
    DEVICE as DEVICE,
    FARTHEST as FARTHEST,
    IMPOSSIBLE_YEAR as IMPOSSIBLE_YEAR,
    Bulk as Bulk,
    are_impossible as are_impossible,
    bulk_of as bulk_of,
    bulk_span as bulk_span,
    judged as judged,
    without_impossible as without_impossible,
)
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
    OwnNames as OwnNames,
    conform as conform,
    enrich as enrich,
    with_derived as with_derived,
)
from .event_rows import (
    KEYS as KEYS,
    OTHERS as OTHERS,
    DimensionTable as DimensionTable,
    EventRows as EventRows,
    RowNumbers as RowNumbers,
    Star as Star,
)
from .event_time import (
    COUNTED_TIME as COUNTED_TIME,
    DELIVERY_LAG as DELIVERY_LAG,
    EVENT_TIME as EVENT_TIME,
    KNOWN_ARRIVAL as KNOWN_ARRIVAL,
    ORIGINAL_TIME as ORIGINAL_TIME,
    event_times as event_times,
)
from .geography import (
    REGION_OF_COUNTRY as REGION_OF_COUNTRY,
    REGIONS as REGIONS,
    country_of as country_of,
    country_of_zone as country_of_zone,
)
from .hosts import site_of as site_of, source_category as source_category
from .identifiers import (
    BLANKS as BLANKS,
    WHO as WHO,
    identifier as identifier,
    in_doubt as in_doubt,
)
from .mail import is_free_mail as is_free_mail
from .pages import (
    IS_PAGE as IS_PAGE,
    Address as Address,
    PageRule as PageRule,
    address as address,
    addresses as addresses,
    category_and_stage as category_and_stage,
    checked_glob as checked_glob,
    looks_like_glob as looks_like_glob,
    matched_rules as matched_rules,
    matching as matching,
    with_pages as with_pages,
)
from .server_side import by_server as by_server, sent_by_channel as sent_by_channel, sent_by_server as sent_by_server
from .time_values import other_unit as other_unit, read_ms as read_ms, read_times as read_times
from .times import (
    DAY_MS as DAY_MS,
    EARLIEST as EARLIEST,
    EPOCH as EPOCH,
    HOUR_MS as HOUR_MS,
    LATEST as LATEST,
    epoch_ms as epoch_ms,
    in_utc as in_utc,
    moment as moment,
    moment_ms as moment_ms,
    window_start as window_start,
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
    refuse_uncountable as refuse_uncountable,
)
from .user_agents import browser_of as browser_of, device_of as device_of, is_bot as is_bot, system_of as system_of

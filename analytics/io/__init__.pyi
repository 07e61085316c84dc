from .batch_decoding import flatten_lines as flatten_lines
from .containers import HEAD as HEAD, is_data_file as is_data_file
from .flatten import Flattened as Flattened, flatten_numbered as flatten_numbered
from .lines import (
    CHUNK as CHUNK,
    KEPT as KEPT,
    LINE_BYTES as LINE_BYTES,
    Line as Line,
    LineCutter as LineCutter,
    LongLine as LongLine,
    batches_of_lines as batches_of_lines,
    begins_json as begins_json,
    flatten_cut_lines as flatten_cut_lines,
    is_complete as is_complete,
    piece_reader as piece_reader,
    shortened_line as shortened_line,
)
from .ndjson import (
    GZIP_MAGIC as GZIP_MAGIC,
    READ_ERRORS as READ_ERRORS,
    decode as decode,
    encode as encode,
    flatten_ahead as flatten_ahead,
    read_ndjson as read_ndjson,
)
from .position import Offset as Offset, SourceBatch as SourceBatch, SourcePosition as SourcePosition
from .reading import (
    EventFormat as EventFormat,
    event_files as event_files,
    is_plain as is_plain,
    is_plain_head as is_plain_head,
    located as located,
    read_events as read_events,
    unconverted as unconverted,
    unreadable as unreadable,
)
from .recognition import description as description, shown as shown
from .row_validation import usable_events as usable_events
from .strict_json import MAX_EVENT_BYTES as MAX_EVENT_BYTES
from .tables import parquet_tables as parquet_tables, whole_batches as whole_batches
from .warehouse import unfold as unfold, warehouse_tables as warehouse_tables

from .atomic_folder import MANIFEST as MANIFEST, new_folder as new_folder
from .checksums import (
    CHECKSUMS as CHECKSUMS,
    Checksums as Checksums,
    checksum_lines as checksum_lines,
    sha256_of as sha256_of,
    write_checksums as write_checksums,
)
from .delivered_lines import broken_lines as broken_lines
from .digest import EventsDigest as EventsDigest, HourDigest as HourDigest
from .event_files import (
    EventRecord as EventRecord,
    EventsFormat as EventsFormat,
    FileThenForward as FileThenForward,
    LabelParts as LabelParts,
    NdjsonFile as NdjsonFile,
    ParquetParts as ParquetParts,
    save_events as save_events,
    write_parts as write_parts,
)
from .flat_table import read_flat_table as read_flat_table
from .folder_exchange import replace_file as replace_file, sweep as sweep
from .plain_data import (
    model_data as model_data,
    shown_json as shown_json,
    to_json as to_json,
    without_personal_data as without_personal_data,
    write_dead_letters as write_dead_letters,
    write_json as write_json,
    write_tables as write_tables,
)
from .run_folder import (
    RunFolder as RunFolder,
    check_event_file as check_event_file,
    read_events as read_events,
)
from .versions import (
    available_bytes as available_bytes,
    events_in_memory as events_in_memory,
    installed_version as installed_version,
    no_room_to_analyse as no_room_to_analyse,
    parts_to_analyse as parts_to_analyse,
)

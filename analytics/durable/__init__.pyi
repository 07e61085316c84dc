from .backfill import BACKFILL as BACKFILL, Backfill as Backfill
from .checked_lines import checked_line as checked_line, with_crc as with_crc, without_crc as without_crc
from .dead_letter_lines import dead_letter_entry as dead_letter_entry, dead_letters_of as dead_letters_of
from .durable_store import DurableStore as DurableStore
from .opening import open_store as open_store
from .recovery import Recovery as Recovery, read_recovered as read_recovered, read_store as read_store
from .settings import Fsync as Fsync, StoreSettings as StoreSettings
from .side_file import AGAIN as AGAIN, LeftBehind as LeftBehind

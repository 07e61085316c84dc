from .dead_letter_file import dead_letter_entry as dead_letter_entry
from .durable_store import DurableStore as DurableStore
from .recovery import Recovery as Recovery
from .settings import Fsync as Fsync, StoreSettings as StoreSettings

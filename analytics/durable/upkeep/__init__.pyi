from .forgetting import Forgotten as Forgotten, forget as forget
from .health import Health as Health, health_of as health_of
from .reprocessing import Reprocessed as Reprocessed, reprocess as reprocess
from .rewinding import Rewound as Rewound, rewind as rewind
from .salvaging import recover_store as recover_store
from .verification import verify_store as verify_store

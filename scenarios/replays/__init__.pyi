from .export import ExportForm as ExportForm
from .http import HttpTarget as HttpTarget
from .kafka import KafkaTarget as KafkaTarget
from .recorded_run import ReplayOrder as ReplayOrder
from .sending import ReplayResult as ReplayResult, replay as replay
from .state import looks_like_state as looks_like_state, read_state as read_state

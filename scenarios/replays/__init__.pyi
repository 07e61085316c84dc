from .http import HttpTarget as HttpTarget
from .kafka import KafkaTarget as KafkaTarget
from .sending import ReplayResult as ReplayResult, replay as replay

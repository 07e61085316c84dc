from .sending import ReplayResult as ReplayResult, replay as replay

from .kafka import KafkaSink as KafkaSink
from .opening import open_source as open_source
from .source import Source as Source

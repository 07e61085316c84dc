from .kafka import KafkaSink as KafkaSink
from .opening import OpenSources as OpenSources, open_source as open_source
from .source import Source as Source

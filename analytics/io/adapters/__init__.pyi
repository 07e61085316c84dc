from .adapter import Adapter as Adapter, Record as Record
from .registry import adapter_names as adapter_names, adapters as adapters, find_adapter as find_adapter

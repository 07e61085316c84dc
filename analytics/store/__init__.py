"""The event store in memory: the last 24 hours in hourly buckets, by event time.

Modules, in reading order: ``event_store`` (the store), ``intake`` (how events come in, and their counts), ``window``
and ``hour`` (its hours), ``buckets`` (hours as readers get them), ``hourly_views`` (page views by hour and segment),
``seen_ids`` (which identifiers were seen), ``deliveries`` (duplicates and conflicts), ``counts`` (received = accepted +
duplicate + conflict + late + invalid), ``merge`` (stores of one stream), ``snapshot`` (the state, for a new store),
``spill`` (hours that do not fit into memory), ``history`` (all accepted events, also beyond the window),
``whole_history`` (events of the past, judged without a window), ``hour_sorter`` (events of the past, sorted for a
window), ``clock_guard`` (impossible clocks), ``quarantine`` (events far ahead).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

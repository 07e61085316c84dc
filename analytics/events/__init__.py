"""The vocabulary of events: the tracking plan and what can be derived from one event.

Modules, in reading order: ``tracking_plan`` (columns, call types, event names), ``times`` (moments and milliseconds),
``geography`` (countries and regions), ``enrichment`` (event time, channel, region, device), ``dimensions`` (what
traffic can be segmented by), ``event_names`` (other names for our events), ``dead_letters`` (events that could not be
used).
"""

"""Descriptive statistics: counts, rates with intervals, and tests without a model.

Modules, in reading order: ``funnel`` (views, visitors, visits, requests and conversion by hour, segment and stage),
``traffic`` and ``mergeable_counts`` (the underlying counts), ``intervals`` (Wilson), ``odds_ratios`` (homogeneity of
2×2 tables), ``multiplicity`` (adjusted p-values), ``segment_content`` (segment × content), ``experiments`` (arms and
their sample ratios), ``page_coverage`` (pages without category or stage), ``event_names`` (renaming events from other
sources), ``coverage`` (what of the events is in no figure, in sentences), ``prepared_events`` (events as they are
counted, whole or in parts on disk), ``analysed_events`` (what is known of them), ``prepared_visits`` (their visit
table), ``measurement_loss`` (how many were never seen).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Settings of the analysis of a scenario with components: its own, and the signals that show their effects."""

from __future__ import annotations

from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import MULTI_PAGE_VISIT, SIGNALS
from scenarios.measures.definition import Parts
from simulator.agents.component_set import ComponentSet


def analysis_settings(parts: Parts) -> AnalyticsSettings:
    """Return how the events of a scenario are analysed.

    Args:
        parts: Settings of the scenario by name: ``analytics``, and ``components`` and ``decision`` if there are any.

    Returns:
        The settings of the file, with a signal for each term of a component.

    Raises:
        ComponentError: Two components have one name for something of theirs.
        ValueError: A term has the name of another signal, which the model could not tell apart.

    >>> from scenarios import Scenario
    >>> chatty = Scenario.load("baseline").replace({"components.chat": {"use": "live_chat"}})
    >>> list(chatty.analysis.signals)
    ['live_chat']
    """
    analytics: AnalyticsSettings = parts["analytics"]
    named = {**({"decision": parts["decision"]} if parts.get("decision") else {}), **parts.get("components", {})}
    effects = ComponentSet(tuple(part.build(name) for name, part in named.items())).effects
    if not effects:
        return analytics
    built_in = {signal.name for signal in (*SIGNALS, MULTI_PAGE_VISIT)}
    for term, effect in effects.items():
        # The analyst may replace a built-in signal; a component would give its effect to something else.
        if term in built_in:
            raise ValueError(f"analytics.signals.{term}: is the name of a built-in signal; choose another term")
        if analytics.signals.get(term, effect.seen_as) != effect.seen_as:
            raise ValueError(f"analytics.signals.{term}: a component has a term of this name; choose another")
    signals = {**{term: effect.seen_as for term, effect in effects.items()}, **analytics.signals}
    # Validated again: a term may have the name of a column of the visit table.
    return AnalyticsSettings(**{**dict(analytics), "signals": signals})

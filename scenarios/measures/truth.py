"""True coefficients of the terms of a run's intent model, as far as they are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analytics.intent import baseline_names
from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import MULTI_PAGE_VISIT, SIGNALS, EverSeen, Signal, interaction_parts
from simulator.visitors.truth import Truth

_BUILT_IN = (*SIGNALS, MULTI_PAGE_VISIT)


def known_truth(truth: Truth, settings: AnalyticsSettings) -> dict[str, float]:
    """Return the known true coefficients by term, in log-odds.

    Simulated visitors decide by the built-in signals, by those of the user that ``intent`` gives an effect, by their
    interactions, the arms, the terms of components, and unobserved causes. The model has all of these signals. So any
    other signal (``multi_page_visit``, further ones of the user) and any other product has a true coefficient of 0: it
    is a decoy, however well it predicts requests by itself. As for every decoy, unobserved causes (personas, the
    companies' willingness, lost events) may bias its estimate. The true coefficient is unknown, and missing here,

    - for a duplicate of another signal under another name: only their sum is identified;
    - if the simulation says why its coefficients are not known: all of them are missing then;
    - if the model lacks a signal or an interaction of the world, for which any other signal may then be a proxy;
    - for a built-in signal that the settings define anew (by name, or by what they say of pages or channels): its
      column is another than the one that visitors decide by, which the model then lacks.

    Args:
        truth: True coefficients of the simulation.
        settings: Settings with the terms of the model.

    >>> truth = Truth(-4.0, {"security_page_view": 0.9}, account_sd=0.0)
    >>> known = known_truth(truth, AnalyticsSettings(interactions=()))
    >>> known["security_page_view"], known["multi_page_visit"]
    (0.9, 0.0)
    """
    if truth.unknown:
        return {}
    doubles = _doubles(truth.coefficients, settings)
    known = {**dict.fromkeys(_decoys(truth.coefficients, settings), 0.0), **truth.terms}
    unknown = doubles | settings.redefined_signals
    return {term: effect for term, effect in known.items() if unknown.isdisjoint(interaction_parts(term))}


def _decoys(effects: Mapping[str, float], settings: AnalyticsSettings) -> Iterator[str]:
    """Yield the names of the terms that are known to have no effect, doubles among them.

    Args:
        effects: True coefficients of the simulation by signal, or product of signals.
        settings: Settings with the terms of the model.
    """
    built_in = [signal.name for signal in settings.built_in_signals]
    # Sets, because a:b and b:a are one product.
    terms = {frozenset(interaction_parts(term)) for term in (*built_in, *settings.signals, *settings.interactions)}
    terms = {parts for parts in terms if parts.isdisjoint(settings.redefined_signals)}
    # A term without effect leaves no gap where the model lacks it.
    if all(frozenset(interaction_parts(term)) in terms for term, effect in effects.items() if effect):
        # Visitors do not decide by the number or the time of a visit.
        yield from (*built_in, *settings.signals, *baseline_names(settings.baseline), *settings.interactions)
    else:
        own = settings.signals.keys()
        yield from (term for term in settings.interactions if own.isdisjoint(interaction_parts(term)))


def _doubles(effects: Mapping[str, float], settings: AnalyticsSettings) -> set[str]:
    """Signals whose coefficient is not identified, because another one is the same under another name.

    A signal with an effect shares it with its double. One of the world keeps its own if the double has none.
    """
    found: set[str] = set()
    first: dict[tuple[object, ...], str] = {_definition_of(signal): signal.name for signal in _BUILT_IN}
    # Those with an effect first: it is their double that takes part of it.
    for signal in sorted(settings.user_signals, key=lambda signal: not effects.get(signal.name)):
        original = first.setdefault(_definition_of(signal), signal.name)
        if original != signal.name:
            found |= {signal.name} | ({original} if effects.get(signal.name) else set())
    return found


def _definition_of(signal: Signal) -> tuple[object, ...]:
    """What defines a signal, apart from its name."""
    if isinstance(signal, EverSeen):
        return signal.column, frozenset(signal.values)
    return tuple(value for name, value in vars(signal).items() if name not in {"name", "meaning", "expectation"})

"""True coefficients of the terms of a run's intent model, as far as they are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import MULTI_PAGE_VISIT, SIGNALS, EverSeen, Signal, interaction_parts
from simulator.visitors.truth import Truth


def known_truth(truth: Truth, settings: AnalyticsSettings) -> dict[str, float]:
    """Return the known true coefficients by term, in log-odds.

    Simulated visitors decide by the built-in signals, their interactions, the arms, the terms of components, and
    unobserved causes. The model
    has all of these signals. So any other signal (user-defined ones, ``multi_page_visit``) and any other product has a
    true coefficient of 0: it is a decoy, however well it predicts requests by itself. As for every decoy, unobserved
    causes (personas, the companies' willingness, lost events) may bias its estimate. The true coefficient is unknown,
    and missing here,

    - for a duplicate of a built-in signal, or of a component's, under another name: only their sum is identified;
    - if the simulation says why its coefficients are not known: all of them are missing then;
    - if the model lacks an interaction of the world, for which any other signal may then be a proxy.

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
    without_effect = dict.fromkeys(_decoys(truth.coefficients, settings), 0.0)
    return {**without_effect, **truth.terms}


def _decoys(effects: Mapping[str, float], settings: AnalyticsSettings) -> Iterator[str]:
    """Yield the names of the terms that are known to have no effect.

    Args:
        effects: True coefficients of the simulation by signal, or product of signals.
        settings: Settings with the terms of the model.
    """
    # Sets, because a:b and b:a are one product.
    products = {frozenset(interaction_parts(term)) for term in settings.interactions}
    # A product without effect leaves no gap where the model lacks it.
    complete = all(
        frozenset(interaction_parts(term)) in products for term, effect in effects.items() if effect and ":" in term
    )
    # The components' signals are among those of the user, and have effects as the built-in ones have.
    with_effect = (*SIGNALS, MULTI_PAGE_VISIT, *(signal for signal in settings.user_signals if signal.name in effects))
    unknown = {signal.name for signal in settings.user_signals if not complete or _is_double(signal, with_effect)}
    if complete:
        yield from (signal.name for signal in settings.built_in_signals)
    yield from (name for name in settings.signals if name not in unknown)
    yield from (term for term in settings.interactions if unknown.isdisjoint(interaction_parts(term)))


def _is_double(signal: Signal, with_effect: Iterable[Signal]) -> bool:
    """Whether a signal is one of those with effects under another name, with which it shares one coefficient."""
    return any(signal.name != other.name and _definition_of(signal) == _definition_of(other) for other in with_effect)


def _definition_of(signal: Signal) -> tuple[object, ...]:
    """What defines a signal, apart from its name."""
    if isinstance(signal, EverSeen):
        return signal.column, frozenset(signal.values)
    return tuple(value for name, value in vars(signal).items() if name not in {"name", "meaning", "expectation"})

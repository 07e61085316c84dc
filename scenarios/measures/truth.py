"""The truth of the terms that the intent model of a run holds, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import MULTI_PAGE_VISIT, SIGNALS, EverSeen, Signal, interaction_parts
from simulator.visitors.truth import Truth

__all__ = ["known_truth"]


def known_truth(truth: Truth, settings: AnalyticsSettings) -> dict[str, float]:
    """Return the true effect of every term whose effect is known, in log-odds.

    Nothing moves a simulated visitor but the built-in signals, their interactions, the arms and what no event tells of.
    All of these signals are in the model, so any other (of the analyst's own, whether the visit lasts), or a product
    that the world does not name, has an effect of 0 beside them: it is a decoy, however well it foretells requests by
    itself. As with every decoy, what the model does not hold (personas, the companies' willingness, events that were
    lost) may make it seem to have one. The truth of such a signal is not known, and is left out,

    - where it says the same as a built-in one, under another name: only their sum has an effect;
    - where the model lacks an interaction of the world, which any other signal may then stand for.

    Args:
        truth: What moved the visitors.
        settings: Which terms the model holds.
    """
    without_effect = dict.fromkeys(_decoys(truth.coefficients, settings), 0.0)
    return {**without_effect, **truth.terms}


def _decoys(effects: Mapping[str, float], settings: AnalyticsSettings) -> Iterator[str]:
    """Names of the terms that are known to have no effect, beside those that the world names."""
    products = {frozenset(interaction_parts(term)) for term in settings.interactions}
    complete = all(
        frozenset(interaction_parts(term)) in products for term, effect in effects.items() if effect and ":" in term
    )
    unknown = {signal.name for signal in settings.user_signals if not complete or _is_double(signal)}
    if complete:
        yield from (signal.name for signal in settings.built_in_signals)
    yield from (name for name in settings.signals if name not in unknown)
    yield from (term for term in settings.interactions if unknown.isdisjoint(interaction_parts(term)))


def _is_double(signal: Signal) -> bool:
    return any(_reading(signal) == _reading(built_in) for built_in in (*SIGNALS, MULTI_PAGE_VISIT))


def _reading(signal: Signal) -> tuple[object, ...]:
    """What a signal is read from, whatever it is called."""
    if isinstance(signal, EverSeen):
        return signal.column, frozenset(signal.values)
    return tuple(value for name, value in vars(signal).items() if name not in {"name", "meaning", "expectation"})

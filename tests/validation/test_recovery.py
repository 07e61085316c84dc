"""Claims about the whole laboratory: the intent model recovers the coefficients that produced the events."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analytics.intent.model import IntentModel
from analytics.sessions.visits import visit_table
from analytics.signals.definitions import SIGNALS, Signal
from simulator.agents.component_set import ComponentSet
from simulator.model import Model
from simulator.settings.world import WorldSettings

# Many requests from few visitors: a world in which every coefficient can be estimated from one day.
EFFICIENT: dict[str, Any] = {
    "traffic": {"visitors_per_day": 6000},
    "visits": {"gap_hours": 0.5, "return_rate": 0.45},
    "intent": {"target_conversion": 0.15},
}


# The same, but nine visitors to an account: a third of all visits come when a colleague has already asked.
CROWDED: dict[str, Any] = {**EFFICIENT, "population": {"accounts": 400}}


def true_visits(model: Model) -> pl.DataFrame:
    """The visit table as the world has it."""
    return model.outcome.visits


def as_if_each_asked_for_themselves(model: Model) -> pl.DataFrame:
    """The visit table of an analyst who does not know that an account asks once."""
    return visit_table(model.events, observed_until=model.clock.end, conversion_unit="visitor")


def seen_visits(model: Model) -> pl.DataFrame:
    """The visit table made of the events, with the signals of components."""
    unit = model.world.intent.conversion_unit
    return visit_table(model.events, signals=signals_of(model), observed_until=model.clock.end, conversion_unit=unit)


def signals_of(model: Model) -> tuple[Signal, ...]:
    """All signals, those of the model's components last."""
    effects = ComponentSet(tuple(model.components.values())).effects
    return (*SIGNALS, *(effect.seen_as.signal(name) for name, effect in effects.items()))


def estimates(
    world: WorldSettings,
    seed: int,
    replications: range,
    visits: Callable[[Model], pl.DataFrame] = true_visits,
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Terms, their standardised errors, and whether each interval holds the truth; arrays (replications, terms)."""
    errors, covered, terms = [], [], []
    for replication in replications:
        model = Model(world, seed=seed, replication=replication).run()
        results = IntentModel(signals_of(model)).fit(visits(model), truth=model.truth.terms)
        # A signal that is not named has no effect: a decoy.
        table = results.coefficients.with_columns(results.coefficients["true_coefficient"].fill_null(0.0))
        assert not results.dropped, results.dropped
        terms = table["signal"].to_list()
        errors.append(((table["coefficient"] - table["true_coefficient"]) / table["standard_error"]).to_numpy())
        covered.append(table["true_coefficient"].is_between(table["ci_low"], table["ci_high"]).to_numpy())
    return terms, np.stack(errors), np.stack(covered)


def pooled(errors: np.ndarray) -> np.ndarray:
    """Sum of the standardised errors of each term over √replications: standard normal if the model is true."""
    return errors.sum(axis=0) / np.sqrt(len(errors))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [EFFICIENT, CROWDED], ids=["many accounts", "few accounts"])
def test_the_intent_model_recovers_the_coefficients(settings: dict[str, Any]):
    """Over 6 replications together no term misses its truth by 4.1 standard errors, and the errors are as they say.

    The sum of standardised errors over √replications is standard normal if the model is true; of 18 terms one is beyond
    4.1 by chance in one of 1,400 seeds. Their squares together are chi-square with a degree each.
    """
    terms, errors, _ = estimates(WorldSettings.model_validate(settings), 1, range(6))
    assert len(terms) == 18
    z = pooled(errors)
    assert np.abs(z).max() < 4.1, dict(zip(terms, z.round(2), strict=True))
    assert stats.chi2(df=18).sf((z**2).sum()) > 1e-3


@pytest.mark.slow
def test_who_overlooks_that_an_account_asks_once_is_misled():
    """With the visits of colleagues who could not ask, what marks people of accounts seems to keep them from asking.

    A company address is given by people of accounts only: over 6 replications its coefficient is too low by more than
    4.1 standard errors, which chance does once in 50,000 seeds where nothing is wrong.
    """
    world = WorldSettings.model_validate(CROWDED)
    terms, errors, _ = estimates(world, 1, range(6), as_if_each_asked_for_themselves)
    assert pooled(errors)[terms.index("company_email")] < -4.1


def test_the_truth_names_every_term_with_an_effect():
    """The truth holds the intercept, every signal, and the interactions of the world."""
    world = WorldSettings.model_validate(EFFICIENT)
    truth = Model(world, seed=1).truth
    signals = {signal.name for signal in SIGNALS}
    assert set(truth.terms) == {"intercept", *signals, *world.intent.interactions}


COMPONENTS: dict[str, dict[str, Any]] = {
    "chat": {"use": "live_chat", "agents": 6, "effect": 0.8},
    "mail": {"use": "nurture_email", "delay_hours": 1.0, "read_hours": 0.5, "click_rate": 0.8},
}
WITH_COMPONENTS = {name: {**EFFICIENT, "components": {name: part}} for name, part in COMPONENTS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPONENTS)
def test_the_model_recovers_the_coefficients_with_components(name: str):
    """Over 4 replications no term misses its truth by 4.1 standard errors, that of the component among them.

    Visits that an e-mail brought are decided as all others, and a chat is a signal as all others.
    """
    terms, errors, _ = estimates(WorldSettings.model_validate(WITH_COMPONENTS[name]), 1, range(4), seen_visits)
    z = pooled(errors)
    assert ("live_chat" in terms) == (name == "chat")
    assert np.abs(z).max() < 4.1, dict(zip(terms, z.round(2), strict=True))


@pytest.mark.validation
@pytest.mark.parametrize("name", COMPONENTS)
def test_intervals_cover_the_truth_with_components(name: str):
    """Over 200 replications each 95 % interval holds the truth in 95 % of them, within 3.5 Monte-Carlo errors."""
    terms, errors, covered = estimates(
        WorldSettings.model_validate(WITH_COMPONENTS[name]), 2026, range(200), seen_visits
    )
    for row in zip(terms, covered.mean(axis=0), errors.mean(axis=0), strict=True):
        print("{:40} coverage {:.3f}, mean standardised error {:+.3f}".format(*row))
    # 18 or 19 terms: one is beyond 3.5 by chance in one of 100 seeds.
    assert (np.abs(covered.mean(axis=0) - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / 200)).all()
    assert (np.abs(errors.mean(axis=0)) < 3.5 / np.sqrt(200)).all()


@pytest.mark.validation
@pytest.mark.parametrize("settings", [EFFICIENT, CROWDED], ids=["many accounts", "few accounts"])
def test_intervals_cover_the_truth_as_often_as_they_say(settings: dict[str, Any]):
    """Over 150 replications each term's 95 % interval holds the truth in 95 % of them, and errors have mean 0.

    Within 3 Monte-Carlo standard errors for every term: √(0.95 · 0.05 / 150) of a coverage, 1 / √150 of a mean.
    """
    n = 150
    terms, errors, covered = estimates(WorldSettings.model_validate(settings), 2026, range(n))
    coverage, mean, spread = covered.mean(axis=0), errors.mean(axis=0), errors.std(axis=0, ddof=1)
    for row in zip(terms, coverage, mean, spread, strict=True):
        print("{:40} coverage {:.3f}, mean standardised error {:+.3f}, spread {:.3f}".format(*row))
    print(f"over all terms: coverage {covered.mean():.4f}, mean {errors.mean():+.4f}")
    assert (np.abs(coverage - 0.95) < 3 * np.sqrt(0.95 * 0.05 / n)).all()
    assert (np.abs(mean) < 3 / np.sqrt(n)).all()

"""Claims about the whole laboratory: the intent model recovers the coefficients that produced the events."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from analytics.intent_model import IntentModel
from analytics.signals import SIGNALS
from simulator.simulation import Simulation, WorldSettings

# Many requests from few visitors: a world in which every coefficient can be estimated from one day.
EFFICIENT: dict[str, Any] = {
    "traffic": {"visitors_per_day": 6000},
    "visits": {"gap_hours": 0.5, "return_rate": 0.45},
    "intent": {"visitor_to_demo": 0.15},
}


def estimates(world: WorldSettings, seed: int, replications: range) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Terms, their standardised errors, and whether each interval holds the truth; arrays (replications, terms)."""
    errors, covered, terms = [], [], []
    for replication in replications:
        simulation = Simulation(world, seed=seed, replication=replication)
        results = IntentModel().fit(simulation.run().visits, truth=simulation.truth.terms)
        # A signal that is not named has no effect: a decoy.
        table = results.coefficients.with_columns(results.coefficients["truth"].fill_null(0.0))
        assert not results.left_out, results.left_out
        terms = table["signal"].to_list()
        errors.append(((table["coefficient"] - table["truth"]) / table["standard_error"]).to_numpy())
        covered.append(table["truth"].is_between(table["ci_low"], table["ci_high"]).to_numpy())
    return terms, np.stack(errors), np.stack(covered)


def test_the_intent_model_recovers_the_coefficients():
    """Over 6 replications together no term misses its truth by 4.1 standard errors, and the errors are as they say.

    The sum of standardised errors over √replications is standard normal if the model is true; of 18 terms one is beyond
    4.1 by chance in one of 1,400 seeds. Their squares together are chi-square with a degree each.
    """
    terms, errors, _ = estimates(WorldSettings.model_validate(EFFICIENT), 1, range(6))
    assert len(terms) == 18
    pooled = errors.sum(axis=0) / np.sqrt(len(errors))
    assert np.abs(pooled).max() < 4.1, dict(zip(terms, pooled.round(2), strict=True))
    assert stats.chi2(df=18).sf((pooled**2).sum()) > 1e-3


def test_the_truth_names_every_term_with_an_effect():
    """The truth holds the intercept, every signal, and the interactions of the world."""
    world = WorldSettings.model_validate(EFFICIENT)
    truth = Simulation(world, seed=1).truth
    signals = {signal.name for signal in SIGNALS}
    assert set(truth.terms) == {"intercept", *signals, *world.intent.interactions}


@pytest.mark.validation
def test_intervals_cover_the_truth_as_often_as_they_say():
    """Over 150 replications each term's 95 % interval holds the truth in 95 % of them, and errors have mean 0.

    Within 3 Monte-Carlo standard errors for every term: √(0.95 · 0.05 / 150) of a coverage, 1 / √150 of a mean.
    """
    n = 150
    world = WorldSettings.model_validate(EFFICIENT)
    terms, errors, covered = estimates(world, 2026, range(n))
    coverage, mean, spread = covered.mean(axis=0), errors.mean(axis=0), errors.std(axis=0, ddof=1)
    for row in zip(terms, coverage, mean, spread, strict=True):
        print("{:40} coverage {:.3f}, mean standardised error {:+.3f}, spread {:.3f}".format(*row))
    print(f"over all terms: coverage {covered.mean():.4f}, mean {errors.mean():+.4f}")
    assert (np.abs(coverage - 0.95) < 3 * np.sqrt(0.95 * 0.05 / n)).all()
    assert (np.abs(mean) < 3 / np.sqrt(n)).all()

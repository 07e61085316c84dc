"""Claims about signals of the user's own with an effect: the intent model recovers their coefficients."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from analytics.intent.model import IntentModel
from simulator.model import Model
from simulator.settings.world import WorldSettings

# One of each kind that is not a built-in signal in other words, with an effect that one day of requests shows.
OWN: dict[str, tuple[float, dict[str, Any]]] = {
    "docs_view": (0.5, {"kind": "page_category", "categories": ["docs"]}),
    "newsletter": (0.6, {"kind": "event", "events": ["Newsletter Subscribed"]}),
    "in_germany": (-0.4, {"kind": "attribute", "attribute": "country", "equals": ["DE"]}),
    "products": (0.25, {"kind": "count", "attribute": "page_group", "equals": ["product"], "at_most": 3}),
    "long_visit": (0.3, {"kind": "minutes", "longer_than": 10}),
    "security_then_pricing": (0.7, {"kind": "sequence", "steps": ["security", "pricing"]}),
    "pricing_of_late": (0.6, {"kind": "recency", "attribute": "page_group", "equals": ["pricing"], "visits": 1}),
    "docs_of_late": (-0.3, {"kind": "recency", "attribute": "page_group", "equals": ["docs"], "hours": 0.25}),
}
SETTINGS: dict[str, Any] = {
    "traffic": {"visitors_per_day": 6000},
    "visits": {"gap_hours": 0.5, "return_rate": 0.45},
    "signals": {name: definition for name, (_, definition) in OWN.items()},
    "intent": {
        "target_conversion": 0.15,
        "coefficients": {"pricing_page_view": 0.4, **{name: effect for name, (effect, _) in OWN.items()}},
    },
}


def estimates(replications: range) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Own terms, their standardised errors, and whether each interval holds the truth; arrays (replications, terms)."""
    world = WorldSettings.model_validate(SETTINGS)
    errors, covered = [], []
    for replication in replications:
        model = Model(world, seed=11, replication=replication, active_agents="interacting", sinks=[]).run()
        results = IntentModel(world.decision_signals).fit(model.outcome.visits, truth=model.truth.terms)
        assert not results.dropped, results.dropped
        table = results.coefficients.filter(results.coefficients["signal"].is_in(list(OWN)))
        assert dict(zip(table["signal"], table["true_coefficient"], strict=True)) == {
            name: effect for name, (effect, _) in OWN.items()
        }
        errors.append(((table["coefficient"] - table["true_coefficient"]) / table["standard_error"]).to_numpy())
        covered.append(table["true_coefficient"].is_between(table["ci_low"], table["ci_high"]).to_numpy())
    return list(OWN), np.stack(errors), np.stack(covered)


@pytest.mark.slow
def test_coefficients_of_every_kind_are_recovered():
    """Over 4 replications together no signal misses its truth by 4 standard errors.

    The sum of standardised errors over √replications is standard normal if the model is true; of 8 signals one is
    beyond 4 by chance in one of 2,000 seeds. Their squares together are chi-square with a degree each.
    """
    terms, errors, _ = estimates(range(4))
    z = errors.sum(axis=0) / np.sqrt(len(errors))
    assert np.abs(z).max() < 4, dict(zip(terms, z.round(2), strict=True))
    assert stats.chi2(df=len(terms)).sf((z**2).sum()) > 1e-3


@pytest.mark.validation
def test_their_intervals_cover_the_truth_as_often_as_they_say():
    """Over 150 replications each 95 % interval holds the truth in 95 % of them, and errors have mean 0.

    Within 3 Monte-Carlo standard errors for every signal: √(0.95 · 0.05 / 150) of a coverage, 1 / √150 of a mean.
    """
    n = 150
    terms, errors, covered = estimates(range(n))
    coverage, mean, spread = covered.mean(axis=0), errors.mean(axis=0), errors.std(axis=0, ddof=1)
    for row in zip(terms, coverage, mean, spread, strict=True):
        print("{:24} coverage {:.3f}, mean standardised error {:+.3f}, spread {:.3f}".format(*row))
    assert (np.abs(coverage - 0.95) < 3 * np.sqrt(0.95 * 0.05 / n)).all()
    assert (np.abs(mean) < 3 / np.sqrt(n)).all()

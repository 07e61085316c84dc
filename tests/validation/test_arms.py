"""Claims about A/B tests from end to end: the model recovers the effect of an arm."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from analytics.intent.model import IntentModel
from analytics.sessions.visits import visit_table
from analytics.signals.arms import arm_signals
from analytics.signals.definitions import SIGNALS
from simulator.model import Model
from simulator.settings.world import WorldSettings


@pytest.mark.slow
def test_the_effect_of_an_arm_is_found_again():
    """An arm of log-odds 1.2 is estimated within 4 standard errors, beside the signals; so is one of none."""
    experiments: dict[str, Any] = {
        "e": {"arms": {"a": {"share": 0.5}, "b": {"share": 0.5, "log_odds": 1.2}}},
        "f": {"arms": {"x": {"share": 0.5}, "y": {"share": 0.5}}},
    }
    world = {"traffic": {"visitors_per_day": 8000}, "intent": {"target_conversion": 0.15}, "experiments": experiments}
    model = Model(WorldSettings.model_validate(world), seed=1).run()
    signals = (*SIGNALS, *arm_signals(model.events["context_experiments"].cast(pl.String).drop_nulls().unique()))
    visits = visit_table(model.events, signals=signals)
    results = IntentModel(signals).fit(visits, truth=model.truth.terms)
    arms = results.coefficients.filter(pl.col("signal").is_in(["e=b", "f=y"])).sort("signal")
    assert arms["true_coefficient"].to_list() == [1.2, 0.0]
    assert (np.abs(arms["coefficient"] - arms["true_coefficient"]) < 4 * arms["standard_error"]).all()
    assert arms["standard_error"].max() < 0.15

"""Claims about interactions on the scale of probabilities, against changing the table itself."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_of
from scipy.special import expit
from scipy.stats import t as student

from analytics.intent.model import IntentModel
from analytics.logit.design import design_matrix
from analytics.report.model import model_view
from analytics.signals.definitions import EventCount, EverSeen, Signal

FLAGS = tuple(EverSeen(name, f"has {name}", "high", "category", (name,)) for name in ("a", "b"))
COUNTS = tuple(EventCount(name, f"number of {name}", "high") for name in ("x", "y"))
SIGNALS: tuple[Signal, ...] = (*FLAGS, *COUNTS)
TRUTH = {"intercept": -1.5, "a": 0.6, "b": 0.4, "x": 0.3, "y": -0.2, "a:b": 0.8}


def visits(n: int, seed: int) -> pl.DataFrame:
    """Visits of accounts of four, whose log-odds are those of TRUTH."""
    rng = np.random.default_rng(seed)
    columns = {"a": rng.random(n) < 0.4, "b": rng.random(n) < 0.5, "x": rng.poisson(1.0, n), "y": rng.poisson(2.0, n)}
    return visits_of(columns, TRUTH, rng, per_account=4)


VISITS = visits(3_000, 1)


def by_hand(table: pl.DataFrame, terms: Sequence[str], b: np.ndarray, pair: tuple[str, str]) -> float:
    """Mean second difference of the probability: flags set to 1 and 0, quantities moved by 0.003 to either side."""
    total, step = 0.0, 0.003
    for up in (True, False):
        for also in (True, False):
            changed = table.with_columns(
                pl.lit(value=on).alias(signal)
                if table[signal].dtype == pl.Boolean
                else (pl.col(signal) + (step if on else -step)).alias(signal)
                for signal, on in zip(pair, (up, also), strict=True)
            )
            p = expit(design_matrix(changed, terms) @ b)
            total += (1 if up == also else -1) * p.mean()
    n_quantities = sum(table[signal].dtype != pl.Boolean for signal in pair)
    return total / (2 * step) ** n_quantities


@pytest.mark.parametrize("pair", [("a", "b"), ("a", "x"), ("x", "y")])
def test_effects_and_errors_are_those_of_changing_the_table(pair: tuple[str, str]):
    """Second differences of the predictions give the effect; moving coefficients, its error by the delta method.

    Differences of third order are neglected: with steps of 0.003 their share is some 10⁻⁵.
    """
    results = IntentModel(SIGNALS, [":".join(pair), "b:y"]).fit(VISITS)
    row = results.interaction_effects.row(0, named=True)
    b, eps = results.coefficients["coefficient"].to_numpy(), 1e-3
    assert row["signal"] == ":".join(pair)
    assert row["effect"] == pytest.approx(by_hand(VISITS, results.terms, b, pair), rel=1e-4)
    gradient = [
        (by_hand(VISITS, results.terms, b + move, pair) - by_hand(VISITS, results.terms, b - move, pair)) / (2 * eps)
        for move in eps * np.eye(len(b))
    ]
    assert row["standard_error"] == pytest.approx(np.sqrt(gradient @ results.covariance_matrix @ gradient), rel=1e-3)
    half = student.ppf(0.975, results.basis.n_clusters - 1) * row["standard_error"]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((row["effect"] - half, row["effect"] + half))


def test_of_two_signals_alone_it_is_the_difference_of_differences_of_rates():
    """A saturated model fits the four rates, so the effect is what they say and its error the binomial one."""
    table = VISITS.drop("account")
    (row,) = IntentModel(FLAGS, ["a:b"]).fit(table).interaction_effects.to_dicts()
    cells = table.group_by("a", "b").agg(pl.len(), rate=pl.col("requested_demo").mean()).sort("a", "b")
    none, other, one, both = cells["rate"]
    assert row["effect"] == pytest.approx(both - one - other + none, abs=1e-9)
    variance = (cells["rate"] * (1 - cells["rate"]) / cells["len"]).sum()
    assert row["standard_error"] == pytest.approx(np.sqrt(variance), rel=1e-7)


@pytest.mark.slow
def test_estimates_are_right_over_replications():
    """Over 80 samples the mean standardised error is 0 within 4 standard errors, and their spread is 1 within 4."""
    population = visits(400_000, 99)
    truth = by_hand(population, list(TRUTH), np.array(list(TRUTH.values())), ("a", "b"))
    z = []
    for seed in range(80):
        row = IntentModel(SIGNALS, ["a:b"]).fit(visits(1_500, seed)).interaction_effects.row(0, named=True)
        z.append((row["effect"] - truth) / row["standard_error"])
    assert abs(np.mean(z)) < 4 / np.sqrt(80)
    assert abs(np.std(z) - 1) < 4 / np.sqrt(2 * 80)


def test_a_product_of_coefficient_zero_still_moves_the_probability():
    """Two signals that each raise the odds reinforce each other below one half, without any product in the truth."""
    table = pl.concat([VISITS] * 3)
    p = expit(-2.0 + 1.0 * table["a"].to_numpy() + 1.0 * table["b"].to_numpy())
    asked = np.random.default_rng(2).random(table.height) < p
    results = IntentModel(FLAGS, ["a:b"]).fit(table.with_columns(requested_demo=pl.Series(asked)).drop("account"))
    (row,) = results.interaction_effects.to_dicts()
    rates = expit([-2.0, -1.0, 0.0])
    expected = rates[2] - 2 * rates[1] + rates[0]
    assert expected > 0.07
    assert row["effect"] == pytest.approx(expected, abs=4 * row["standard_error"])


def test_there_is_a_row_for_each_product_of_two_signals_and_no_other():
    """The product of three has no such effect here; without products the table is empty, and the report silent."""
    results = IntentModel(SIGNALS, ["a:b", "a:b:x", "b:x"]).fit(VISITS)
    assert results.interaction_effects["signal"].to_list() == ["a:b", "b:x"]
    assert results.to_dict()["interaction_effects"][0]["signal"] == "a:b"
    shown = model_view(results, None).coefficients
    assert shown is not None
    assert len(shown.interactions) == 2
    bare = IntentModel(SIGNALS, []).fit(VISITS)
    assert bare.interaction_effects.is_empty()
    shown = model_view(bare, None).coefficients
    assert shown is not None
    assert not shown.interactions

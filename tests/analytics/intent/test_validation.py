"""Claims about the scores of predictions, in sample and out of fold."""

import os

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_of
from other_processes import printed_by
from scipy.special import logit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from analytics.errors import OneOutcomeError, TooFewVisitsError
from analytics.intent.validation import (
    area_under_curve,
    calibration_table,
    coefficient_of_discrimination,
    folds_by_name,
    out_of_fold_quality,
    predictive_quality,
)
from analytics.logit.clusters import name_keys
from analytics.logit.design import prepare
from analytics.logit.likelihood import climb

RNG = np.random.default_rng(6)
P = np.round(RNG.random(400) * 0.6, 2) + 0.01
OUTCOME = (RNG.random(400) < P**1.5).astype(float)
ONES = np.ones(400)


def test_the_area_under_the_curve_is_the_share_of_rightly_ranked_pairs():
    """Counted pair by pair, ties as halves, it is the same."""
    ones, zeros = P[OUTCOME == 1][:, None], P[OUTCOME == 0][None, :]
    expected = np.mean((ones > zeros) + 0.5 * (ones == zeros))
    assert area_under_curve(OUTCOME, 1 - OUTCOME, P) == pytest.approx(expected, rel=1e-12)


def test_scores_are_their_definitions():
    """Brier's score and the log loss are means over visits; Tjur's R² is a difference of means."""
    scored = predictive_quality(P, ONES, OUTCOME, 5)
    assert scored.brier == pytest.approx(np.mean((OUTCOME - P) ** 2), rel=1e-12)
    assert scored.brier_of_base_rate == pytest.approx(OUTCOME.var(), rel=1e-12)
    assert scored.log_loss == pytest.approx(-np.mean(np.log(np.where(OUTCOME == 1, P, 1 - P))), rel=1e-12)
    expected = P[OUTCOME == 1].mean() - P[OUTCOME == 0].mean()
    assert coefficient_of_discrimination(OUTCOME, 1 - OUTCOME, P) == pytest.approx(expected, rel=1e-12)


def test_calibration_is_a_logit_on_the_log_odds_predicted():
    """Slope and intercept equal those of statsmodels' GLM, the intercept with the slope held at 1 by an offset."""
    scored = predictive_quality(P, ONES, OUTCOME, 5)
    slope = GLM(OUTCOME, np.column_stack([ONES, logit(P)]), family=Binomial()).fit(tol=1e-12).params[1]
    intercept = GLM(OUTCOME, ONES, family=Binomial(), offset=logit(P)).fit(tol=1e-12).params[0]
    assert scored.calibration_slope == pytest.approx(slope, rel=1e-8)
    assert scored.calibration_intercept == pytest.approx(intercept, rel=1e-8)


def test_the_groups_of_a_calibration_hold_all_visits_and_a_tenth_of_what_is_predicted():
    """No visit is lost, means are those of single visits, and each group has a tenth of the predicted requests."""
    table = calibration_table(P, ONES, OUTCOME)
    assert (table["n"].sum(), table["requests"].sum()) == (len(P), OUTCOME.sum())
    assert (table["predicted"] * table["n"]).sum() == pytest.approx(P.sum())
    assert table["predicted"].is_sorted()
    # Equal predictions hang together, by the middle of their own share: half of them may be too many at either end.
    largest = max(p * n for p, n in zip(*np.unique(P, return_counts=True), strict=True))
    assert np.abs((table["predicted"] * table["n"]).to_numpy() - P.sum() / 10).max() < largest
    assert ((table["share_low"] < table["share"]) & (table["share"] < table["share_high"])).all()


def test_equal_predictions_are_in_one_group():
    """Of three different predictions there are three groups at most, however many visits each was made for."""
    p = np.array([0.1, 0.1, 0.2, 0.4])
    table = calibration_table(p, np.array([50.0, 50.0, 50.0, 25.0]), np.array([4.0, 6.0, 12.0, 9.0]))
    assert table.select("n", "requests").rows() == [(100, 10), (50, 12), (25, 9)]


def test_predictions_that_do_not_differ_have_no_slope():
    """The share of requests predicted for all is calibrated in the large, and no slope can be estimated."""
    scored = predictive_quality(np.full(400, OUTCOME.mean()), ONES, OUTCOME, 5)
    assert scored.calibration_slope is None
    assert scored.calibration_intercept == pytest.approx(0, abs=1e-12)
    assert scored.auc == 0.5


def visits(n: int) -> pl.DataFrame:
    """Visits of n // 4 accounts with two signals."""
    rng = np.random.default_rng(11)
    columns = {"a": rng.random(n) < 0.4, "b": rng.exponential(1.0, n)}
    return visits_of(columns, {"intercept": -1.5, "a": 1.0, "b": 0.5}, rng, per_account=4)


def test_each_fold_is_predicted_by_a_fit_on_the_others():
    """Fitting with statsmodels, fold by fold, on the single visits gives the same scores."""
    table = visits(800)
    whose = table["account"]
    design = prepare(table, ["a", "b"], ())
    start, _ = climb(design.matrix, design.n_visits, design.n_requests, np.zeros(3))
    fold, p = folds_by_name(whose, 5), np.zeros(800)
    for number in range(5):
        left = fold != number
        fitted = GLM(design.outcome[left], design.matrix.dense()[left], family=Binomial()).fit(tol=1e-13)
        p[~left] = fitted.predict(design.matrix.dense()[~left])
    expected = predictive_quality(p, np.ones(800), design.outcome, 5)
    scored = out_of_fold_quality(design, name_keys(whose), start, 5)
    for score in ("auc", "brier", "log_loss", "calibration_slope", "calibration_intercept"):
        assert getattr(scored, score) == pytest.approx(getattr(expected, score), rel=1e-7), score


def test_collapsed_visits_are_scored_as_single_ones():
    """With a discrete table the patterns of the folds give the same scores as its visits."""
    table = visits(800).with_columns(pl.col("b").round(0))
    collapsed = prepare(table, ["a", "b"], ())
    single = prepare(table.with_columns(pl.col("b") + 1e-12 * pl.int_range(pl.len())), ["a", "b"], ())
    assert collapsed.pattern is not None
    assert single.pattern is None
    start = np.zeros(3)
    scores = [out_of_fold_quality(design, name_keys(table["account"]), start, 4) for design in (collapsed, single)]
    assert scores[0].log_loss == pytest.approx(scores[1].log_loss, rel=1e-8)
    assert scores[0].calibration_slope == pytest.approx(scores[1].calibration_slope, rel=1e-6)


def test_an_account_is_never_in_two_folds_and_folds_are_about_equal():
    """A fold is a function of the name alone; of 5,000 names each fold gets a fifth within 4 standard errors."""
    whose = pl.Series([f"n{i}" for i in range(5_000)])
    fold = folds_by_name(whose, 5)
    share = np.bincount(fold) / 5_000
    assert np.abs(share - 0.2).max() < 4 * np.sqrt(0.2 * 0.8 / 5_000)
    np.testing.assert_array_equal(folds_by_name(whose.reverse(), 5), fold[::-1])


def test_folds_do_not_depend_on_the_hash_seed():
    """Another process with another PYTHONHASHSEED puts the same names into the same folds."""
    script = (
        "import polars as pl; from analytics.intent.validation import folds_by_name; "
        "print(folds_by_name(pl.Series([f'n{i}' for i in range(20)]), 5).tolist())"
    )
    expected = str(folds_by_name(pl.Series([f"n{i}" for i in range(20)]), 5).tolist())
    assert printed_by(script, PYTHONHASHSEED="1" if os.environ.get("PYTHONHASHSEED") != "1" else "2") == expected


def test_too_few_names_or_requests_are_refused():
    """Two accounts do not fill five folds; when all requests are in one fold there is nothing to fit on without it."""
    table = visits(40)
    design = prepare(table, ["a"], ())
    with pytest.raises(TooFewVisitsError, match="2 accounts or visitors do not fill 5 folds"):
        out_of_fold_quality(design, name_keys(pl.Series(["x", "y"] * 20)), np.zeros(2), 5)
    fold = folds_by_name(table["account"], 2)
    one_sided = prepare(table.with_columns(requested_demo=pl.Series(fold == 0)), ["a"], ())
    with pytest.raises(OneOutcomeError, match="without one of the folds"):
        out_of_fold_quality(one_sided, name_keys(table["account"]), np.zeros(2), 2)


def test_a_signal_that_only_one_fold_knows_has_no_effect_where_it_is_not_known():
    """Its visits are predicted without it, instead of failing or being predicted by chance."""
    whose = visits(800)["account"]
    fold = folds_by_name(whose, 4)
    table = visits(800).with_columns(c=pl.Series((fold == 1) & (np.arange(800) % 2 == 0)))
    with_it, without = (prepare(table, signals, ()) for signals in (["a", "b", "c"], ["a", "b"]))
    starts = [(design, np.zeros(len(design.terms))) for design in (with_it, without)]
    scores = [out_of_fold_quality(design, name_keys(whose), start, 4) for design, start in starts]
    assert scores[0].auc == pytest.approx(scores[1].auc, abs=0.01)

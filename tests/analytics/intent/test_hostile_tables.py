"""Claims about tables that no number should come from in silence: each gets its error, or its warning, by name."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_of
from scipy.special import expit, logit
from scipy.stats import t as student
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from analytics.errors import VisitTableError
from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.logit.design import design_matrix
from analytics.signals.definitions import EventCount, EverSeen

A, B = (EverSeen(name, f"has {name}", "high", "category", (name,)) for name in ("a", "b"))
X = EventCount("x", "number of x", "high")
MODEL = IntentModel((A, B, X), ["a:b"])
N = 800


def table(**changed: pl.Expr | object) -> pl.DataFrame:
    """Well-behaved visits, 8 to an account, with some columns replaced."""
    rng = np.random.default_rng(12)
    columns = {"a": rng.random(N) < 0.4, "b": rng.random(N) < 0.5, "x": rng.poisson(2.0, N)}
    return visits_of(columns, {"intercept": -1.0, "a": 0.7, "x": 0.2}, rng, per_account=8).with_columns(**changed)


def fit(**changed: pl.Expr | object) -> IntentResults:
    """The model on such a table."""
    return MODEL.fit(table(**changed))


def test_a_table_that_is_as_it_should_be_has_no_remarks():
    """What the other tests find is not said of every table; what is said shows in the representation."""
    results, of_one = fit(), fit(account=pl.lit("all"))
    assert (results.warnings, results.dropped) == ((), {})
    assert of_one.warnings
    assert all(warning in repr(of_one) for warning in of_one.warnings)


@pytest.mark.parametrize(("column", "value"), [("requested_demo", 0.5), ("at_risk", 2), ("censored", -1)])
def test_an_outcome_that_is_neither_yes_nor_no(column: str, value: float):
    """Half a request, or two, would be fitted with errors of 0: the column is named instead."""
    with pytest.raises(VisitTableError, match=rf"values other than 0 and 1 in some rows: {column}$"):
        fit(**{column: pl.lit(value)})


def test_outcomes_kept_as_one_and_zero():
    """They are what yes and no are, in the fit of the visits that count too."""
    changed = {name: pl.col(name).cast(pl.Int8) for name in ("requested_demo", "at_risk", "censored")}
    assert fit(**changed).coefficients.equals(fit().coefficients)


def test_visits_of_nobody():
    """Where every account is known visitors need no names; where some are not, the missing column is named."""
    visits = table().drop("anonymous_id")
    assert MODEL.fit(visits).out_of_fold == fit().out_of_fold
    some = pl.when(pl.int_range(pl.len()) >= 9).then("account")
    for nobody in (visits.with_columns(account=some), visits.drop("account")):
        with pytest.raises(VisitTableError, match="no column anonymous_id"):
            _ = MODEL.fit(nobody).out_of_fold
    with pytest.raises(VisitTableError, match="9 visits have neither account nor anonymous_id"):
        MODEL.fit(visits.with_columns(account=some, anonymous_id=some))


@pytest.mark.parametrize("values", [["yes", "no"], ["0", "west"]])
def test_a_signal_that_is_a_text(values: list[str]):
    """A category in words is neither a number nor taken for one: the column and its type are named."""
    words = pl.Series(values * (N // 2))
    with pytest.raises(VisitTableError, match=r"b \(String\)"):
        fit(b=words)
    with pytest.raises(VisitTableError, match=r"b \(String\)"):
        fit().predict(table(b=words))


def test_intervals_of_predictions_equal_statsmodels(monkeypatch: pytest.MonkeyPatch):
    """They are those that statsmodels' generalised linear model states for the mean, clusters and all."""
    monkeypatch.setattr("analytics.logit.robust._MANY_EFFECTIVE", 10.0)
    visits, results = table(), fit()
    groups = visits["account"].str.slice(1).cast(int).to_numpy()
    model = GLM(visits["requested_demo"].cast(float).to_numpy(), design_matrix(visits, results.terms), Binomial())
    fitted = model.fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=False)
    frame = fitted.get_prediction(design_matrix(visits, results.terms)).summary_frame()
    found = results.predictions(visits)
    np.testing.assert_allclose(found["p_request"], frame["mean"], rtol=1e-7)
    error = np.diff(logit(found.select("p_low", "p_high").to_numpy()), axis=1)[:, 0] / (
        2 * student.ppf(0.975, groups.max())
    )
    x = design_matrix(visits, results.terms)
    np.testing.assert_allclose(error, np.sqrt((x @ fitted.cov_params() * x).sum(axis=1)), rtol=1e-6)
    assert (found["p_low"] < found["p_request"]).all()
    assert (found["p_request"] < found["p_high"]).all()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_signals_that_only_a_part_of_the_table_cannot_tell_apart(seed: int):
    """Of every tenth row, with which the search begins, one signal is the sum of two: the fit is that of other orders.

    From where such a part leads, at coefficients of 10¹⁴, no search comes back.
    """
    rng, n = np.random.default_rng(seed), 2_500
    flags = rng.random((8, n)) < 0.3
    flags[1] &= ~flags[0]
    flags[2, ::10] = (flags[0] | flags[1])[::10]
    minutes = rng.exponential(1.0, n)
    asked = rng.random(n) < expit(-2.5 + 0.8 * flags[0] + 0.5 * flags[2] + 0.3 * minutes)
    columns = {f"x{number}": each for number, each in enumerate(flags)}
    rows = pl.DataFrame({**columns, "minutes": minutes, "asked": asked}).cast(dict.fromkeys(columns, pl.Int8))
    found, mixed = (
        IntentModel.fit(each, signals=[*columns, "minutes"], outcome="asked").coefficients["coefficient"]
        for each in (rows, rows[rng.permutation(n)])
    )
    np.testing.assert_allclose(found, mixed, rtol=1e-6)

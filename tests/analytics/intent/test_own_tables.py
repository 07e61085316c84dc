"""Claims about tables of the user's own: any column names, statsmodels' numbers, and errors that name the column."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from statsmodels.discrete.discrete_model import Logit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from analytics.errors import IntentModelError, OneOutcomeError, VisitTableError
from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults


def made_up(n: int = 600) -> pl.DataFrame:
    """Customers with a quantity, a count, a flag, a plan and a firm, and whether they renewed."""
    rng = np.random.default_rng(3)
    table = pl.DataFrame(
        {
            "spend": rng.lognormal(3, 1, n),
            "seats": rng.integers(1, 9, n),
            "trial": rng.random(n) < 0.4,
            "plan": rng.choice(["free", "pro", "team"], n),
            "firm": [f"f{k}" for k in rng.integers(0, 90, n)],
        }
    )
    log_odds = -1.2 + table["spend"].log() * 0.3 - table["seats"] * 0.1 + table["trial"] * 0.8
    return table.with_columns(renewed=pl.Series(rng.random(n) < expit(log_odds.to_numpy())).cast(pl.Int8))


TABLE = made_up()
NAMES = ["spend", "seats", "trial"]
MATRIX = TABLE.select(pl.lit(1.0), *(pl.col(name).cast(pl.Float64) for name in NAMES)).to_numpy()
OUTCOME = TABLE["renewed"].to_numpy().astype(float)


def numbers_of(results: IntentResults) -> tuple[list[float], list[float]]:
    """Coefficients and standard errors."""
    return results.coefficients["coefficient"].to_list(), results.coefficients["standard_error"].to_list()


def test_the_numbers_are_those_of_statsmodels():
    """Coefficients, errors, p-values, intervals and marginal effects equal those of statsmodels to 1e-8."""
    results = IntentModel().fit(TABLE, signals=NAMES, outcome="renewed")
    known = Logit(OUTCOME, MATRIX).fit(disp=False)
    assert results.terms == ("intercept", *NAMES)
    for column, values in {"coefficient": known.params, "standard_error": known.bse, "p_value": known.pvalues}.items():
        assert results.coefficients[column].to_numpy() == pytest.approx(values, abs=1e-8, rel=1e-8)
    low, high = known.conf_int().T
    assert results.coefficients["ci_low"].to_numpy() == pytest.approx(low, abs=1e-8)
    assert results.coefficients["ci_high"].to_numpy() == pytest.approx(high, abs=1e-8)
    effects = known.get_margeff(dummy=True).summary_frame()
    assert results.coefficients["average_marginal_effect"][1:].to_list() == pytest.approx(effects["dy/dx"], abs=1e-8)
    assert (results.log_likelihood, results.pseudo_r2) == pytest.approx((known.llf, known.prsquared), abs=1e-8)
    assert results.warnings == ()


def test_an_account_clusters_the_errors(monkeypatch: pytest.MonkeyPatch):
    """With an account they are statsmodels' cluster-robust errors, where no few accounts decide."""
    monkeypatch.setattr("analytics.logit.robust._MANY_EFFECTIVE", 10.0)
    results = IntentModel.fit(TABLE, signals=NAMES, outcome="renewed", account="firm")
    groups = TABLE["firm"].cast(pl.Categorical).to_physical().to_numpy()
    known = Logit(OUTCOME, MATRIX).fit(disp=False, cov_type="cluster", cov_kwds={"groups": groups})
    assert numbers_of(results)[1] == pytest.approx(known.bse, abs=1e-8, rel=1e-8)
    assert (results.covariance, results.n_accounts) == ("cluster by account (CR1)", 90)


def test_a_row_without_an_account_is_a_cluster_of_its_own():
    """Rows of no firm are no colleagues of each other, as in a visit table, and are not left out."""
    table = TABLE.with_columns(firm=pl.when(pl.col("seats") > 6).then(None).otherwise("firm"))
    results = IntentModel().fit(table, signals=NAMES, outcome="renewed", account="firm")
    single = table.with_columns(pl.col("firm").fill_null(pl.format("single {}", pl.int_range(pl.len()))))
    other = IntentModel().fit(single, signals=NAMES, outcome="renewed", account="firm")
    assert results.n_visits == TABLE.height
    assert numbers_of(results)[1] == pytest.approx(numbers_of(other)[1], rel=1e-9)


@pytest.mark.parametrize("missing", ["", " ", "NaN", "-", r"\N", "unknown", float("nan")])
def test_a_text_or_number_for_no_account_is_like_none(missing: str | float):
    """What stands for nobody is no cluster of all such rows; a text of that kind is named, as it might be a name."""
    numbers = TABLE["firm"].cast(pl.Categorical).to_physical().cast(pl.Float64)
    firms = TABLE["firm"] if isinstance(missing, str) else numbers
    table = TABLE.with_columns(firm=pl.when(pl.col("seats") > 6).then(firms))
    known = IntentModel().fit(table, signals=NAMES, outcome="renewed", account="firm")
    given = table.with_columns(pl.col("firm").fill_null(missing))
    results = IntentModel().fit(given, signals=NAMES, outcome="renewed", account="firm")
    assert numbers_of(results)[1] == pytest.approx(numbers_of(known)[1], rel=1e-12)
    assert results.n_accounts == known.n_accounts
    assert ("firm: " in " ".join(results.warnings)) == isinstance(missing, str)


@pytest.mark.parametrize("account", [None, "firm"])
def test_frequency_weights_are_rows(account: str | None):
    """A table with weights equals the expanded table to 1e-9, in all that is estimated; a weight of 0 is no row."""
    table = TABLE.with_columns(n=pl.int_range(pl.len()) % 4)
    expanded = table.select(pl.all().repeat_by("n")).explode(pl.all())
    weighted = IntentModel().fit(table, signals=NAMES, outcome="renewed", weights="n", account=account)
    known = IntentModel().fit(expanded, signals=NAMES, outcome="renewed", account=account)
    assert weighted.n_visits == known.n_visits == table["n"].sum()
    for one, other in zip(numbers_of(weighted), numbers_of(known), strict=True):
        assert one == pytest.approx(other, abs=1e-9, rel=1e-9)
    if account is None:
        glm = GLM(OUTCOME, MATRIX, Binomial(), freq_weights=table["n"].to_numpy()).fit(tol=1e-12)
        assert numbers_of(weighted)[0] == pytest.approx(glm.params, abs=1e-8)
        assert numbers_of(weighted)[1] == pytest.approx(glm.bse, abs=1e-8)


def test_text_columns_are_levels_against_a_reference():
    """Each level but the reference is a signal, as of dummies by hand; products have all of them."""
    results = IntentModel().fit(
        TABLE, signals=["seats", "plan", "seats:plan"], outcome="renewed", categories={"plan": "pro"}
    )
    assert results.terms == ("intercept", "seats", "plan=free", "plan=team", "seats:plan=free", "seats:plan=team")
    free, team, seats = TABLE["plan"] == "free", TABLE["plan"] == "team", TABLE["seats"]
    columns = [np.ones(TABLE.height), seats, free, team, seats * free, seats * team]
    known = Logit(OUTCOME, np.column_stack([np.asarray(column, float) for column in columns])).fit(disp=False)
    assert numbers_of(results)[0] == pytest.approx(known.params, abs=1e-8)
    assert numbers_of(results)[1] == pytest.approx(known.bse, abs=1e-8)
    assert results.predict(TABLE).to_numpy() == pytest.approx(known.predict(), abs=1e-8)
    with pytest.raises(VisitTableError, match="plan: the fit had no rows with 'gold'"):
        results.predict(TABLE.with_columns(plan=pl.lit("gold")))


def test_without_signals_all_numbers_are_signals():
    """All columns of numbers but the named ones are; text is named in a warning, unless it is a category."""
    results = IntentModel().fit(TABLE, outcome="renewed")
    assert results.terms == ("intercept", *NAMES)
    assert results.warnings == (
        "not among the signals, as they are not numbers: plan, firm; categories would use them",
    )
    terms = IntentModel().fit(TABLE, outcome="renewed", account="firm", categories=["plan"]).terms
    assert terms == ("intercept", *NAMES, "plan=pro", "plan=team")


@pytest.mark.parametrize("kind", ["dict", "lazy", "pandas"])
def test_any_frame_that_polars_reads_is_a_table(kind: str):
    """A dictionary, a lazy frame and a pandas frame with text and missing values give the same numbers."""
    columns = ["seats", "plan", "renewed"]
    table = TABLE.select(columns).with_columns(plan=pl.when(pl.int_range(pl.len()) > 9).then("plan"))
    if kind == "pandas":
        pandas = pytest.importorskip("pandas")
        given: Any = pandas.DataFrame(table.to_dict(as_series=False)).replace({None: np.nan})
    else:
        given = table.lazy() if kind == "lazy" else table.to_dict(as_series=False)
    found = IntentModel().fit(given, signals=columns[:2], outcome="renewed", categories={"plan": "free"})
    known = IntentModel().fit(table, signals=columns[:2], outcome="renewed", categories={"plan": "free"})
    assert numbers_of(found) == numbers_of(known)
    assert found.warnings == ("10 of 600 rows are left out: no value in plan (10)",)


def test_rows_without_a_value_are_left_out_and_counted():
    """Nulls, NaN and infinities of any used column count; those of other columns do not."""
    number = pl.int_range(pl.len())
    table = TABLE.with_columns(
        spend=pl.when(number < 3).then(float("nan")).when(number < 5).then(float("inf")).otherwise("spend"),
        renewed=pl.when(number == 4).then(None).when(number == 9).then(None).otherwise("renewed"),
        firm=pl.lit(None),
    )
    results = IntentModel().fit(table, signals=NAMES, outcome="renewed")
    assert results.warnings == ("6 of 600 rows are left out: no value in spend (5), renewed (2)",)
    kept = TABLE.filter((number >= 5) & (number != 9))
    assert numbers_of(results) == numbers_of(IntentModel().fit(kept, signals=NAMES, outcome="renewed"))


def test_the_result_prints_with_the_name_of_the_outcome():
    """The heading counts rows of the outcome; a notebook shows the same."""
    results = IntentModel().fit(TABLE, signals=NAMES, outcome="renewed", account="firm")
    heading = f"IntentModel: renewed is 1 in {int(OUTCOME.sum())} of 600 rows, 90 accounts; maximum likelihood;"
    assert repr(results).startswith(heading)
    assert heading in results._repr_html_()
    assert results.to_dict()["outcome"] == "renewed"
    assert results.odds_ratio_unit["unit"].to_list() == [None, "one more", "one more", "present against absent"]


def test_small_effects_are_shown_with_their_digits():
    """The effect of one more unit of a quantity in ten-thousands is small, and not 0.000."""
    table = TABLE.with_columns(pl.col("spend") * 10_000)
    results = IntentModel().fit(table, signals=NAMES, outcome="renewed")
    spend = results.coefficients["coefficient"][1]
    line = next(line for line in repr(results).splitlines() if line.startswith("│ spend"))
    cells = [cell.strip() for cell in line.strip("│").split("┆")]
    assert cells[1].startswith(f"{spend:+#.3g} [")
    assert float(cells[2]) - 1 == pytest.approx(spend, rel=0.01)
    assert "0.000 " not in line


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_an_index_saved_with_the_table_is_no_signal(name: str):
    """A column without a name is left out with a warning, unless it is asked for."""
    table = TABLE.drop("plan", "firm")
    results = IntentModel().fit(
        table.with_row_index(name or "index").rename({name or "index": name}), outcome="renewed"
    )
    assert numbers_of(results) == numbers_of(IntentModel().fit(table, outcome="renewed"))
    assert results.warnings == (
        "not among the signals: a column without a name, such as an index saved with the table",
    )


TEXT = TABLE.with_columns(day=pl.lit(date(2026, 3, 3)), one=pl.lit(1.5), half=pl.lit(0.5), many=pl.lit(10**9))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"signals": ["spent"]}, "the table has no column 'spent'; its columns are spend, seats, trial, plan, firm"),
        ({"outcome": "y"}, "the table has no column 'y'"),
        ({"account": "company"}, "the table has no column 'company'"),
        ({"weights": "w"}, "the table has no column 'w'"),
        ({"categories": {"plans": None}}, "the table has no column 'plans'"),
        ({"signals": []}, "signals: name at least one column"),
        ({"signals": ["spend", "spend"]}, "spend: is given twice"),
        ({"signals": ["spend", "renewed"]}, "renewed: is given twice"),
        ({"signals": ["plan"]}, r"plan: is of type String, neither a number nor boolean; make it a .*--category plan="),
        ({"signals": ["day"]}, "day: is of type Date, neither a number nor boolean"),
        ({"signals": ["spend", "spend:seats"]}, "spend:seats: seats is not among the signals"),
        ({"signals": ["spend"], "categories": {"plan": "free"}}, "categories: plan is not among the signals"),
        ({"signals": ["plan"], "categories": {"plan": "gold"}}, "plan: no row has the reference level 'gold'; its"),
        ({"outcome": "seats", "signals": ["spend"]}, r"seats: an outcome must be 0 or 1.*\(got 1, 2, 3, 4, 5\)"),
        ({"outcome": "plan"}, r"plan: an outcome must be 0 or 1.*\(got 'free', 'pro', 'team'\)"),
        ({"signals": ["one"]}, "constant, so that nothing can be estimated: one"),
        ({"weights": "half"}, "half: weights are frequency weights, whole numbers"),
        ({"weights": "plan"}, "plan: weights are frequency weights, whole numbers"),
        ({"weights": "many"}, "many: stands for 600,000,000,000 rows, more than the 20,000,000"),
        ({"outcome": None}, "outcome: name the column of 0 and 1"),
    ],
)
def test_errors_name_the_column(given: dict[str, Any], message: str):
    """What cannot be fitted is refused with one message, which names the column."""
    with pytest.raises(VisitTableError, match=message):
        IntentModel().fit(TEXT, **{"signals": NAMES, "outcome": "renewed", **given})


@pytest.mark.parametrize("name", ["intercept", "account", "a:b", "anonymous_id", "requested_demo"])
def test_names_that_the_model_uses_itself_are_refused(name: str):
    """A column of such a name must be renamed; silently it would be another thing."""
    with pytest.raises(VisitTableError, match=f"^{name}: .*rename the column"):
        IntentModel().fit(TABLE.with_columns(pl.col("spend").alias(name)), signals=[name], outcome="renewed")


def test_one_outcome_and_no_rows_are_refused():
    """Rows that all have one outcome, and a table without complete rows, are errors of the column."""
    with pytest.raises(OneOutcomeError, match="renewed: is 1 in all 600 rows"):
        IntentModel().fit(TABLE.with_columns(renewed=1), signals=NAMES, outcome="renewed")
    with pytest.raises(VisitTableError, match=r"no row has a value in every column; without one are spend \(600\)"):
        IntentModel().fit(TABLE.with_columns(spend=pl.lit(None, pl.Float64)), signals=NAMES, outcome="renewed")
    with pytest.raises(VisitTableError, match="there is no row"):
        IntentModel().fit(TABLE.clear(), signals=NAMES, outcome="renewed")
    for table, message in (("table.csv", "table.csv: is a path"), (3, "not a table that Polars can read")):
        with pytest.raises(VisitTableError, match=message):
            IntentModel().fit(table, signals=NAMES, outcome="renewed")


def test_a_constant_among_others_is_dropped_with_the_reason():
    """As of a visit table: what cannot be estimated is named, and the others are."""
    results = IntentModel().fit(TEXT, signals=["spend", "one"], outcome="renewed")
    assert dict(results.dropped) == {"one": "constant: 1.5 in every visit"}


def test_names_in_place_of_signals_are_told_where_they_belong():
    """A model of a visit table has signals; names belong to the fit of a table."""
    with pytest.raises(IntentModelError, match="signals: are no names here; for columns of your own table use fit"):
        IntentModel(["spend"])  # type: ignore[list-item]

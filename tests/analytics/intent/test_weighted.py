"""Claims about weighted fits: the same as repeated rows, and errors of the weighted sandwich."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_of
from polars.testing import assert_frame_equal
from scipy.special import expit

from analytics.analysis import Analysis
from analytics.errors import IntentModelError, SeparationError
from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.intent.weighted import weighted_coefficients
from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import EverSeen
from scenarios.scenario import Scenario

RNG = np.random.default_rng(5)
N = 4_000
DOCS = EverSeen("docs", "has seen the docs", "high", "category", ("docs",))
TRUTH = {"intercept": -1.5, "docs": 0.7, "minutes": 0.1}
VISITS = visits_of({"docs": RNG.random(N) < 0.4, "minutes": RNG.exponential(5.0, N)}, TRUTH, RNG)
WEIGHTS = RNG.integers(1, 5, N).astype(float)


def fit(visits: pl.DataFrame, signals: list[str], account: str | None = "account") -> IntentResults:
    """The model of these columns."""
    return IntentModel.fit(visits, signals=signals, outcome="requested_demo", account=account)


# With minutes each visit is a row of its own, and without they are collapsed.
@pytest.mark.parametrize("signals", [["docs", "minutes"], ["docs"]])
def test_whole_weights_are_repeated_rows(signals: list[str]):
    """The coefficients are those of each visit as often as its weight says."""
    repeated = fit(VISITS[np.repeat(np.arange(N), WEIGHTS.astype(int))], signals)
    found = weighted_coefficients(fit(VISITS, signals).basis, WEIGHTS, 0.95)
    np.testing.assert_allclose(found["coefficient"], repeated.coefficients["coefficient"], atol=1e-8)


def test_errors_are_those_of_weighted_scores_by_account():
    """Recomputed from the definition: bread of weighted information, meat of weighted scores of accounts."""
    found = weighted_coefficients(fit(VISITS, ["docs", "minutes"]).basis, WEIGHTS, 0.95)
    x = np.column_stack([np.ones(N), VISITS["docs"].cast(float), VISITS["minutes"]])
    p = expit(x @ found["coefficient"].to_numpy())
    bread = np.linalg.inv((x.T * (WEIGHTS * p * (1 - p))) @ x)
    scores = pl.DataFrame(x * (WEIGHTS * (VISITS["requested_demo"].to_numpy() - p))[:, None])
    sums = scores.with_columns(VISITS["account"]).group_by("account").sum().drop("account").to_numpy()
    n = len(sums)
    errors = np.sqrt(np.diag(bread @ sums.T @ sums @ bread) * n / (n - 1))
    np.testing.assert_allclose(found["standard_error"], errors, rtol=1e-6)


def test_without_accounts_each_visit_is_a_cluster():
    """The errors are those of White's sandwich, as visits are lost one by one."""
    visits = VISITS.drop("account")
    found = weighted_coefficients(fit(visits, ["docs", "minutes"], None).basis, WEIGHTS, 0.95)
    alone = VISITS.with_columns(account=pl.int_range(N).cast(pl.String))
    known = weighted_coefficients(fit(alone, ["docs", "minutes"]).basis, WEIGHTS, 0.95)
    assert_frame_equal(found, known, rel_tol=1e-9)


def test_separated_terms_have_no_weighted_estimate():
    """They would be infinite: that is said."""
    visits = VISITS.with_columns(always=pl.col("requested_demo") & (pl.col("minutes") > 1))
    with pytest.raises(SeparationError, match="always"):
        weighted_coefficients(fit(visits, ["always"]).basis, WEIGHTS, 0.95)


def test_two_accounts_have_no_errors():
    """The scores of two are equal but for the sign."""
    of_two = VISITS.with_columns(account=pl.Series(np.where(np.arange(N) % 2, "a", "b")))
    with pytest.raises(IntentModelError, match="2 accounts are too few"):
        weighted_coefficients(fit(of_two, ["docs"]).basis, WEIGHTS, 0.95)


@pytest.fixture(scope="module")
def lossy() -> Analysis:
    """Of a day on which half of all Europeans, and bots, are a nuisance."""
    changes = {
        "traffic.visitors_per_day": 4_000,
        "intent.target_conversion": 0.15,
        "tracking": {"consent_refusal_rate": {"europe": 0.5}, "undeclared_bots_per_day": 150},
    }
    return Scenario.load("baseline", changes).run(seed=2).analysis


def test_each_estimator_is_the_one_it_says(lossy: Analysis):
    """Other settings give the same; in simulations loss rates are known, and one visitor in two is two of them."""
    plain = lossy.estimates_by("ml")
    assert plain["coefficient"].equals(lossy.intent.coefficients["coefficient"])
    careers = {
        name: lossy.estimates_by(name).row(by_predicate=pl.col("signal") == "careers_page_view", named=True)
        for name in ("ml", "no_bots")
    }
    # Bots see every page and request nothing; without them the decoy means nothing.
    assert careers["ml"]["coefficient"] < -0.5
    assert not careers["ml"]["ci_covers_truth"]
    assert careers["no_bots"]["ci_covers_truth"]
    firth = lossy.estimates_by("firth")
    assert not firth["coefficient"].equals(plain["coefficient"])
    within = lossy.intent.random_intercept().coefficients
    assert lossy.estimates_by("random_intercept")["coefficient"].equals(within["coefficient"])
    region = lossy.estimates_by("weighted").join(plain, on="signal").filter(signal="region_europe").row(0, named=True)
    # Europeans have half of the visits and all of the weight of the others.
    assert region["standard_error"] > 0
    assert region["coefficient"] != region["coefficient_right"]


def test_estimates_of_an_estimator_are_made_once(lossy: Analysis):
    """A study reads a hundred of them."""
    assert lossy.estimates_by("firth") is lossy.estimates_by("firth")


def test_unknown_losses_and_estimators_are_said():
    """Weights need loss rates: real events do not have them, and nobody guesses."""
    run = Scenario.load("baseline", {"clock.hours": 12, "intent.target_conversion": 0.2}).run()
    events = Analysis(lambda: run.events, AnalyticsSettings())
    with pytest.raises(IntentModelError, match="weighted: needs the shares of browsers"):
        events.estimates_by("weighted")
    with pytest.raises(IntentModelError, match="estimator: must be one of ml, firth"):
        events.estimates_by("probit")
    # A simulation without losses knows that there are none, and weighs nothing.
    weighted, plain = run.analysis.estimates_by("weighted"), run.analysis.estimates_by("ml")
    np.testing.assert_allclose(weighted["coefficient"], plain["coefficient"], atol=1e-8)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"page_group": {"security": 0.1}}, "a visitor has several of it"),
        ({"device": {"desktop": 1.0}}, "less than or equal to 0.99"),
        ({"devise": {"desktop": 0.1}}, "did you mean 'device'"),
        ({"device": {}, "region": {}, "channel": {}}, "at most 2 dimensions"),
    ],
)
def test_loss_rates_that_cannot_be_are_refused(rates: dict[str, dict[str, float]], message: str):
    """A visitor who is never seen at all cannot be weighed; a dimension must be one of the visitor."""
    with pytest.raises(ValueError, match=message):
        AnalyticsSettings(loss_rates=rates)

"""Claims about the random intercept by account: its likelihood, its errors, its test, and what it refuses."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_until_request
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit
from scipy.stats import chi2

from analytics.errors import IntentModelError, TooFewVisitsError
from analytics.intent.model import IntentModel
from analytics.intent.random_intercept import RandomIntercept
from analytics.signals.definitions import EverSeen

DOCS = EverSeen("docs", "has seen the docs", "high", "category", ("docs",))


def visits_of_accounts(account_sd: float, n_visitors: int = 800) -> pl.DataFrame:
    """Visits of eight visitors an account, whose log-odds are −2 + 0.8 × docs and the account's effect."""
    rng = np.random.default_rng(11)
    return visits_until_request(
        rng, n_visitors, lambda _, docs: -2.0 + 0.8 * docs, per_account=8, account_sd=account_sd
    )


VISITS = visits_of_accounts(1.5)
MODEL = IntentModel([DOCS], [])


def minus_log_likelihood(visits: pl.DataFrame) -> Callable[[np.ndarray], float]:
    """Of intercept, coefficient and σ, integrated over an even grid from −8 to 8 standard deviations."""
    grid = np.linspace(-8, 8, 2_001)
    weights = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])
    accounts = [(rows["docs"].to_numpy(), rows["requested_demo"].to_numpy()) for rows in visits.partition_by("account")]

    def value(parameters: np.ndarray) -> float:
        intercept, docs_effect, sigma = parameters
        total = 0.0
        for docs, requested in accounts:
            p = expit(intercept + docs_effect * docs[:, None] + sigma * grid)
            total += np.log(weights @ np.where(requested[:, None], p, 1 - p).prod(axis=0))
        return -float(total)

    return value


def check_maximum(found: RandomIntercept, value: Callable[[np.ndarray], float]) -> None:
    """A general optimiser finds the same coefficients, σ, likelihood, and, by differences, errors."""
    known = minimize(value, np.array([-2.0, 0.8, 1.0]), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9})
    estimates = np.append(found.coefficients["coefficient"].to_numpy(), found.standard_deviation)
    # The optimiser compares values: √(1e-9 × variance) is about 1e-5.
    np.testing.assert_allclose(estimates, known.x, atol=5e-5)
    assert found.log_likelihood == pytest.approx(-known.fun, abs=1e-5)
    slopes = lambda at: approx_fprime(at, value, 1e-4)  # noqa: E731
    hessian = np.stack([(slopes(estimates + step) - slopes(estimates - step)) / 2e-3 for step in 1e-3 * np.eye(3)])
    errors = np.sqrt(np.diag(np.linalg.inv((hessian + hessian.T) / 2)))
    # Differences of a log-likelihood of about 1,000 have some four digits.
    np.testing.assert_allclose([*found.coefficients["standard_error"], found.standard_error], errors, rtol=1e-3)


def test_it_is_the_maximum_of_the_integrated_likelihood_with_the_errors_of_its_curvature():
    """The likelihood is integrated on a fine grid."""
    check_maximum(MODEL.fit(VISITS).random_intercept(), minus_log_likelihood(VISITS))


def test_the_test_of_the_deviation_is_of_a_mixture_and_halves_the_p_value():
    """The statistic is twice the gain over the intent model; at σ = 0, which is at the edge, p is 1."""
    results = MODEL.fit(visits_of_accounts(0.5))
    found = results.random_intercept()
    assert found.statistic == pytest.approx(2 * (found.log_likelihood - results.log_likelihood))
    assert found.p_value == pytest.approx(chi2.sf(found.statistic, 1) / 2)
    # Accounts are more alike than chance would have it: of four visits two end in a request, once one and once three.
    even = pl.DataFrame(
        {"requested_demo": [True, False] * 18 + [True, False, False, False] + [True, True, True, False]}
    )
    even = even.with_columns(account=pl.format("a{}", pl.int_range(pl.len()) // 4), at_risk=True, censored=False)
    edge = IntentModel([], []).fit(even)
    at_edge = edge.random_intercept()
    assert (at_edge.standard_deviation, at_edge.standard_error, at_edge.p_value) == (0.0, None, 1.0)
    assert at_edge.attenuation == 1.0
    np.testing.assert_allclose(at_edge.coefficients["coefficient"], edge.coefficients["coefficient"])
    np.testing.assert_allclose(
        at_edge.coefficients["standard_error"], list(edge.nonrobust_standard_error.values()), rtol=1e-8
    )


def test_effects_within_accounts_are_larger_and_average_to_those_of_the_intent_model():
    """1 / √(1 + 0.346 σ²) times them is near the ordinary coefficients, as far as their errors show."""
    found = MODEL.fit(visits_of_accounts(1.5, n_visitors=8_000)).random_intercept()
    docs = found.coefficients.row(1, named=True)
    assert docs["coefficient"] > docs["ordinary"] > 0
    assert docs["averaged"] == pytest.approx(
        docs["coefficient"] / np.sqrt(1 + 0.346 * found.standard_deviation**2), rel=1e-3
    )
    assert abs(docs["averaged"] - docs["ordinary"]) < docs["standard_error"]


def test_units_change_no_digits():
    """A signal in thousandths has a thousandth of the coefficient and the same likelihood, far from 0 too."""
    minutes = np.random.default_rng(2).exponential(5, VISITS.height)
    tables = [
        VISITS.select("account", "requested_demo", minutes=scale * minutes + shift).rename({"account": "firm"})
        for scale, shift in ((1.0, 0.0), (1e-3, 0.0), (1.0, 1e6))
    ]
    found = [
        IntentModel.fit(table, signals=["minutes"], outcome="requested_demo", account="firm").random_intercept()
        for table in tables
    ]
    slopes = [each.coefficients["coefficient"][1] for each in found]
    np.testing.assert_allclose([slopes[1] / 1000, slopes[2]], slopes[0], rtol=1e-5)
    np.testing.assert_allclose([each.log_likelihood for each in found], found[0].log_likelihood, rtol=1e-9)


def test_visits_without_an_account_have_the_average_intercept():
    """The likelihood is that of accounts times that of the other visits at σ = 0; a warning counts the latter."""
    some = VISITS.with_columns(account=pl.when(pl.col("visitor") // 8 % 2 == 0).then("account"))
    found = MODEL.fit(some).random_intercept()
    of_accounts = minus_log_likelihood(some.filter(pl.col("account").is_not_null()))
    docs, requested = (some.filter(pl.col("account").is_null())[name].to_numpy() for name in ("docs", "requested_demo"))

    def value(parameters: np.ndarray) -> float:
        p = expit(parameters[0] + parameters[1] * docs)
        return of_accounts(parameters) - float(np.log(np.where(requested, p, 1 - p)).sum())

    check_maximum(found, value)
    assert found.n_accounts == 50
    (warning,) = found.warnings
    assert warning.startswith(f"{len(docs):,} of {some.height:,} visits have no known account")
    assert MODEL.fit(VISITS).random_intercept().warnings == ()


def test_what_shows_no_accounts_is_refused():
    """No accounts, two of them, a visit in each, and a penalised likelihood."""
    with pytest.raises(IntentModelError, match="no account is known"):
        MODEL.fit(VISITS.drop("account")).random_intercept()
    two = VISITS.with_columns(account=pl.when(pl.col("visitor") % 2 == 0).then(pl.lit("a")).otherwise(pl.lit("b")))
    with pytest.raises(TooFewVisitsError, match="2 accounts with"):
        MODEL.fit(two).random_intercept()
    single = VISITS.with_columns(account=pl.format("a{}", pl.int_range(pl.len())))
    with pytest.raises(TooFewVisitsError, match="some with several visits"):
        MODEL.fit(single).random_intercept()
    with pytest.raises(IntentModelError, match="penalised"):
        IntentModel([DOCS], [], estimator="firth").fit(VISITS).random_intercept()

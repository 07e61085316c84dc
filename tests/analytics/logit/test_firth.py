"""Claims about Firth's penalised likelihood: published digits, an independent computation, and its theory."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st
from scipy import optimize
from scipy.special import expit
from statsmodels.discrete.discrete_model import Logit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from analytics.logit.firth import PenalisedLogit, intercept_shift
from analytics.logit.matrix import DesignMatrix

ENDOMETRIAL = pl.read_csv(Path(__file__).parents[1] / "data" / "endometrial.csv", comment_prefix="#")
X, Y = ENDOMETRIAL.select(pl.lit(1.0), "NV", "PI", "EH").to_numpy(), ENDOMETRIAL["HG"].cast(pl.Float64).to_numpy()


def endometrial(unit: float = 1.0) -> PenalisedLogit:
    """The example of Heinze and Schemper (2002): high grade on NV, PI and EH; NV is quasi-separated."""
    return PenalisedLogit(X * [1.0, 1.0, unit, 1.0], np.ones(79), Y)


def test_the_endometrial_example_is_that_published():
    """Estimates and profile intervals are, to the two decimals printed there, those of Heinze and Schemper (2002).

    They print 2.93 (0.61 to 7.85) for NV, −0.03 (−0.12 to 0.04) for PI and −2.60 (−4.37 to −1.23) for EH. The further
    decimals, and the standard errors, were noted down from R's brglm2 and logistf without their printed output at hand;
    the next test, a slow one, recomputes every one of them in another way.
    """
    fit = endometrial()
    np.testing.assert_allclose(fit.coefficients, [3.7746, 2.9293, -0.0348, -2.6042], atol=5e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.inverse_information)), [1.4887, 1.5508, 0.0396, 0.7760], atol=5e-5)
    expected = [(1.0825, 7.2093), (0.6097, 7.8546), (-0.1245, 0.0405), (-4.3652, -1.2327)]
    np.testing.assert_allclose([fit.interval(term, 0.95) for term in range(4)], expected, atol=5e-5)
    assert fit.penalised_log_likelihood == pytest.approx(-24.03727, abs=5e-6)


def penalised(b: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Firth's penalised log-likelihood, written out."""
    p = expit(x @ b)
    _, log_determinant = np.linalg.slogdet((x.T * (p * (1 - p))) @ x)
    return float(np.log(np.where(y == 1, p, 1 - p)).sum() + log_determinant / 2)


def highest(x: np.ndarray, y: np.ndarray, term: int | None = None, at: float = 0.0) -> tuple[np.ndarray, float]:
    """Where it is greatest, one coefficient being held at a value if wanted, by a search without derivatives."""
    free = [j for j in range(x.shape[1]) if j != term]

    def whole(values: np.ndarray) -> np.ndarray:
        b = np.full(x.shape[1], at)
        b[free] = values
        return b

    values = np.zeros(len(free))
    # Powell's search stops early along a ridge; so it is restarted there.
    for _ in range(4):
        found = optimize.minimize(
            lambda values: -penalised(whole(values), x, y),
            values,
            method="Powell",
            options={"xtol": 1e-10, "ftol": 1e-14},
        )
        values = found.x
    return whole(values), float(-found.fun)


@pytest.mark.slow
def test_an_independent_computation_gives_the_same_to_four_digits():
    """The penalised likelihood, climbed without derivatives, has its maximum, value and profile at the same numbers.

    Standard errors are of second differences of the likelihood without the penalty, which for a logit are Fisher's
    information; ends of the intervals are where the profile, climbed anew at each step, is 3.8415 / 2 below.
    """
    fit = endometrial()
    # In units in which all coefficients are of one size, for the sake of the search.
    unit = np.array([1.0, 1.0, 10.0, 1.0])
    x, y = X / unit, Y
    b, top = highest(x, y)
    np.testing.assert_allclose(fit.coefficients, b / unit, atol=5e-5)
    assert fit.penalised_log_likelihood == pytest.approx(top - np.log(1 / unit).sum(), abs=1e-7)
    step, moves = 1e-3, np.eye(4)

    def log_likelihood(b: np.ndarray) -> float:
        return float(np.log(expit(np.where(y == 1, 1, -1) * (x @ b))).sum())

    information = -np.array(
        [
            [
                sum(s * t * log_likelihood(b + step * (s * one + t * other)) for s in (-1, 1) for t in (-1, 1))
                for one in moves
            ]
            for other in moves
        ]
    ) / (4 * step**2)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(np.sqrt(np.diag(fit.inverse_information)), errors / unit, atol=5e-5)
    for term in range(1, 4):

        def beyond(at: float, term: int = term) -> float:
            return 2 * (top - highest(x, y, term, at)[1]) - 3.841458820694124

        ends = [
            optimize.brentq(beyond, b[term], b[term] + side * 6 * errors[term], xtol=1e-6) / unit[term]
            for side in (-1, 1)
        ]
        np.testing.assert_allclose(fit.interval(term, 0.95), ends, atol=5e-5)


def test_without_the_penalty_one_coefficient_runs_away_and_the_others_do_not():
    """The likelihood grows with NV's coefficient without end, to that of the women without it, whose fit is finite.

    Where all women with NV have a high grade, their probabilities go to 1 and carry no information about the others:
    4.30452, −0.04218 and −2.90261 of R's glm, whose NV stops wherever the search does (18.19), are those of the rest.
    """
    without = X[:, 1] == 0
    rest = Logit(Y[without], X[without][:, [0, 2, 3]]).fit(disp=False, method="newton")
    np.testing.assert_allclose(rest.params, [4.30452, -0.04218, -2.90261], atol=5e-6)
    heights = []
    for held in (2.0, 5.0, 10.0, 20.0):
        fitted = GLM(Y, X[:, [0, 2, 3]], Binomial(), offset=held * X[:, 1]).fit(start_params=rest.params, tol=1e-12)
        heights.append(fitted.llf)
    assert heights == sorted(heights)
    assert heights[-1] < rest.llf
    assert heights[-1] == pytest.approx(rest.llf, abs=1e-6)


def test_ends_of_an_interval_are_where_the_test_changes_its_mind():
    """Shifting a signal's coefficient to an end of its 95 % interval gives a likelihood ratio of the 95 % quantile.

    A term at exactly 0 is tested; the interval of level 1 − p must therefore end at 0.
    """
    fit = endometrial()
    for term in range(1, 4):
        _, p_value = fit.test([term])
        low, high = fit.interval(term, 1 - p_value)
        assert min(abs(low), abs(high)) < 1e-5 * max(abs(low), abs(high))


@given(
    st.lists(st.integers(0, 12), min_size=4, max_size=4).filter(
        lambda cells: cells[0] + cells[1] and cells[2] + cells[3]
    )
)
@settings(max_examples=50, deadline=None)
def test_of_one_signal_it_adds_half_to_each_cell(cells: list[int]):
    """In a two-by-two table the log odds ratio is Haldane's and Anscombe's, finite whichever cell is empty.

    The intercept is the empirical logit of the visits without the signal, with half a visit added to either side.
    """
    a, b, c, d = (cell + 0.5 for cell in cells)
    matrix, n = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([cells[0] + cells[1], cells[2] + cells[3]])
    fit = PenalisedLogit(matrix, n, np.array([cells[0], cells[2]], dtype=float))
    np.testing.assert_allclose(fit.coefficients, [np.log(c / d), np.log(a * d / (b * c))], rtol=0, atol=1e-7)


def test_patterns_count_as_their_visits_do():
    """Visits alike in all signals, collapsed into one row, give the same estimates and intervals as one by one."""
    rng = np.random.default_rng(4)
    matrix = np.column_stack([np.ones(300), rng.random((300, 2)) < 0.4, rng.integers(0, 3, 300)])
    outcome = (rng.random(300) < expit(matrix @ [-2.0, 1.0, 0.0, 0.3])).astype(float)
    patterns, place = np.unique(matrix, axis=0, return_inverse=True)
    single = PenalisedLogit(matrix, np.ones(300), outcome)
    collapsed = PenalisedLogit(patterns, np.bincount(place).astype(float), np.bincount(place, outcome))
    np.testing.assert_allclose(collapsed.coefficients, single.coefficients, atol=1e-8)
    np.testing.assert_allclose(collapsed.interval(1, 0.9), single.interval(1, 0.9), atol=1e-5)


def test_the_unit_of_a_signal_changes_nothing_but_its_unit():
    """With a signal in thousandths its coefficient and interval are a thousandth, to the same digits."""
    fit, scaled = endometrial(), endometrial(unit=1000)
    assert 1000 * scaled.coefficients[2] == pytest.approx(fit.coefficients[2], rel=1e-7)
    np.testing.assert_allclose(1000 * np.array(scaled.interval(2, 0.95)), fit.interval(2, 0.95), rtol=1e-5)


def test_with_many_requests_the_penalty_hardly_matters():
    """Its estimates differ from maximum-likelihood estimates by less than a tenth of a standard error."""
    rng = np.random.default_rng(8)
    matrix = np.column_stack([np.ones(4000), rng.random((4000, 3)) < 0.4])
    outcome = (rng.random(4000) < expit(matrix @ [-1.0, 0.5, 0.0, -0.5])).astype(float)
    usual, fit = Logit(outcome, matrix).fit(disp=False), PenalisedLogit(matrix, np.ones(4000), outcome)
    assert np.abs((fit.coefficients - usual.params) / usual.bse).max() < 0.1


def test_a_flat_likelihood_is_climbed_quickly(monkeypatch: pytest.MonkeyPatch):
    """Where a signal equals the outcome, the likelihood is so flat that scoring alone takes hundreds of steps.

    By symmetry the two signals that are not it have equal coefficients, and the maximum is where the score is 0.
    """
    rng = np.random.default_rng(6)
    other = rng.random(4000) < 0.3
    requested = (rng.random(4000) < 0.02).astype(float)
    matrix = np.column_stack([np.ones(4000), requested, other, rng.exponential(size=4000)])
    n_points, point = [], PenalisedLogit._point
    monkeypatch.setattr(PenalisedLogit, "_point", lambda fit, b: n_points.append(1) or point(fit, b))
    fit = PenalisedLogit(matrix, np.ones(4000), requested)
    low, high = fit.interval(1, 0.95)
    assert low < fit.coefficients[1] < high
    assert np.abs(fit._top.score).max() < 1e-7
    assert len(n_points) < 400


def test_with_the_shifted_intercept_predictions_add_up():
    """FLIC: the intercept is that of a logit with the other terms as offset, and 30 women are predicted, not 29.9."""
    fit = endometrial()
    shift = intercept_shift(DesignMatrix.of(X), np.ones(79), Y, fit.coefficients)
    before, after = (expit(X @ fit.coefficients + more).sum() for more in (0, shift))
    assert (before, after) == (pytest.approx(29.8846, abs=1e-4), pytest.approx(30, abs=1e-9))
    offset = X[:, 1:] @ fit.coefficients[1:]
    known = GLM(Y, np.ones((79, 1)), Binomial(), offset=offset).fit(tol=1e-12)
    assert fit.coefficients[0] + shift == pytest.approx(known.params[0], abs=1e-8)


def test_of_a_rare_outcome_the_penalty_predicts_too_many():
    """In a two-by-two table half a visit is added to each cell: 4.95 requests are predicted for 4; FLIC has 4."""
    matrix, n, y = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([200.0, 20.0]), np.array([4.0, 0.0])
    b = PenalisedLogit(matrix, n, y).coefficients
    shift = intercept_shift(DesignMatrix.of(matrix), n, y, b)
    assert n @ expit(matrix @ b) == pytest.approx((n * (y + 0.5) / (n + 1)).sum(), abs=1e-9)
    assert n @ expit(matrix @ b + shift) == pytest.approx(4, abs=1e-9)

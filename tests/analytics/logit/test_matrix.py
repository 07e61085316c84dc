"""Claims about a design that is kept as small columns: scaled, chosen, cut and in blocks, it is the matrix itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.intent.model import IntentModel
from analytics.logit.matrix import DesignMatrix

PRODUCTS = [(), ("docs",), ("minutes",), ("docs", "minutes")]


def matrix(n: int = 50) -> DesignMatrix:
    """A flag, a number and their product."""
    rng = np.random.default_rng(5)
    return DesignMatrix({"docs": rng.random(n) < 0.4, "minutes": rng.normal(3.0, 2.0, n)}, PRODUCTS, n)


def test_a_scaled_matrix_can_be_scaled_again():
    """Each scaling applies to what the one before has left."""
    rng, terms = np.random.default_rng(6), len(PRODUCTS)
    first, second = ((rng.normal(size=terms), rng.uniform(0.5, 4.0, terms)) for _ in range(2))
    expected = ((matrix().dense() - first[0]) / first[1] - second[0]) / second[1]
    np.testing.assert_allclose(matrix().scaled(*first).scaled(*second).dense(), expected, rtol=1e-12, atol=1e-14)
    chosen = matrix().scaled(*first).choose([2, 0]).scaled(*(each[[2, 0]] for each in second))
    np.testing.assert_allclose(chosen.dense(), expected[:, [2, 0]], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_a_fit_starts_well_where_one_value_is_far_from_all_others(seed: int):
    """Seconds since 1970, and one visit eleven days later: every tenth visit, with which a search begins, lacks it."""
    rng, n = np.random.default_rng(seed), 20_000
    seconds = rng.normal(0.0, 1000.0, n)
    seconds[3] = 1e6
    flag = rng.random(n) < 0.3
    asked = rng.random(n) < 1 / (1 + np.exp(2.0 - 0.5 * np.clip(seconds / 1000, -3, 3)))
    table = pl.DataFrame({"t": seconds, "f": flag, "asked": asked})
    near = IntentModel.fit(table, signals=["t", "f"], outcome="asked").coefficients
    far = IntentModel.fit(table.with_columns(pl.col("t") + 1.7e9), signals=["t", "f"], outcome="asked").coefficients
    columns = ["coefficient", "standard_error"]
    assert_frame_equal(far[1:].select(columns), near[1:].select(columns), rel_tol=1e-6)


def test_a_fit_in_blocks_is_the_fit(monkeypatch: pytest.MonkeyPatch):
    """Whatever fits into memory at once: coefficients, errors, folds, clusters and inflation are the same."""
    rng, n = np.random.default_rng(7), 1500
    docs, minutes, account = rng.random(n) < 0.4, rng.exponential(6.0, n), rng.integers(0, 120, n)
    asked = rng.random(n) < 1 / (1 + np.exp(2.0 - docs - 0.1 * minutes))
    table = pl.DataFrame(
        {"docs": docs, "minutes": minutes, "account": [f"a{each}" for each in account], "asked": asked}
    )

    def fitted() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame | None, float]:
        found = IntentModel.fit(table, signals=["docs", "minutes", "docs:minutes"], outcome="asked", account="account")
        return found.coefficients, found.diagnostics, found.jackknife, found.out_of_fold.log_loss

    whole = fitted()
    monkeypatch.setattr("analytics.logit.matrix.MOST_WHOLE", 0)
    monkeypatch.setattr("analytics.logit.likelihood.MOST_WHOLE", 0)
    monkeypatch.setattr("analytics.logit.robust.MOST_WHOLE", 0)
    monkeypatch.setattr("analytics.logit.matrix.ROWS_AT_ONCE", 64)
    monkeypatch.setattr("analytics.logit.robust._MOST_AT_ONCE", 0)
    for blocks, expected in zip(fitted()[:3], whole[:3], strict=True):
        assert_frame_equal(blocks, expected, rel_tol=1e-9, abs_tol=1e-12)
    assert fitted()[3] == pytest.approx(whole[3], rel=1e-9)

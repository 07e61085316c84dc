"""Claims about the polynomial in place of the simulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from made_up_studies import linear, results_of

from scenarios.errors import InputError
from scenarios.output_analysis.metamodel import fit_metamodel


def quadratic(values: Mapping[str, Any], _number: int) -> float:
    """3 + 2a − b + 0.5ab + a², with a and b from −1 to 1."""
    a, b = float(values["intent.intercept"]) + 5, 5 * float(values["sales.no_show_rate"]) - 1
    return 3 + 2 * a - b + 0.5 * a * b + a**2


GRID = {"factors": {"intent.intercept": [-6.0, -5.0, -4.0], "sales.no_show_rate": [0.0, 0.2, 0.4]}}


def test_a_polynomial_is_found_again() -> None:
    """What is a quadratic function of the factors is fitted by it exactly, in units of half a range."""
    model = fit_metamodel(results_of(GRID, quadratic), "held")
    expected = [3, 2, -1, 0.5, 1, 0]
    assert model.degree == "quadratic"
    assert model.terms["coefficient"].to_list() == pytest.approx(expected, abs=1e-9)
    assert (model.r2, model.r2_predicted) == pytest.approx((1, 1))


def test_prediction_is_judged_by_points_left_out_one_by_one() -> None:
    """R² of prediction is that of fits without each point in turn, by hand."""
    rng = np.random.default_rng(5)
    noise = {point: rng.normal() for point in range(9)}
    study = results_of(GRID, quadratic)
    table = study.design.with_columns(pl.Series("noise", [noise[p] for p in range(9)]))

    def noisy(values: Mapping[str, Any], number: int) -> float:
        same = (pl.col("intent.intercept") == values["intent.intercept"]) & (
            pl.col("sales.no_show_rate") == values["sales.no_show_rate"]
        )
        return quadratic(values, number) + table.filter(same)["noise"].item()

    results = results_of(GRID, noisy, n=1)
    model = fit_metamodel(results, "held")
    a = (table["intent.intercept"] + 5).to_numpy()
    b = (5 * table["sales.no_show_rate"] - 1).to_numpy()
    x = np.column_stack([np.ones(9), a, b, a * b, a**2, b**2])
    y = results.summary["mean"].to_numpy()
    left_out = [y[i] - x[i] @ np.linalg.lstsq(np.delete(x, i, 0), np.delete(y, i), rcond=None)[0] for i in range(9)]
    expected = 1 - np.square(left_out).sum() / np.square(y - y.mean()).sum()
    assert model.r2_predicted == pytest.approx(expected)
    assert model.r2_predicted < model.r2


def test_few_points_bear_a_simpler_polynomial() -> None:
    """Two levels identify no squares, and too few points are refused by name."""
    two = {"factors": {"intent.intercept": [-6.0, -5.0, -4.0, -3.0, -2.0], "sales.no_show_rate": [0.0, 0.4]}}
    assert fit_metamodel(results_of(two, quadratic), "held").degree == "interactions"
    with pytest.raises(InputError, match="too few for a polynomial"):
        fit_metamodel(results_of({"factors": {"intent.intercept": [-6.0, -5.0]}}, linear), "held")
    with pytest.raises(InputError, match="no response of this study"):
        fit_metamodel(results_of(GRID, quadratic), "hold")

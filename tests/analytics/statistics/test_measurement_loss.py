"""Claims about what tracking has lost: weights, two captures of the same visitors, and E-values."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from flat_events import event, events_of
from scipy.stats import norm

from analytics.intent.e_values import e_values
from analytics.sessions.timeline import enriched
from analytics.statistics.measurement_loss import (
    Estimated,
    captured_twice,
    probability_seen,
    rate_of_all,
    visitors_seen,
    weighted_rate,
    weighted_total,
)

CLASSES = pl.DataFrame({"p_seen": [0.4, 0.8], "visitors": [80, 240], "n": [80, 240], "converted": [8, 12]})
LEVEL = 0.9
Z = norm.ppf(0.95)


def test_a_weighted_total_has_the_variance_of_independent_losses():
    """Horvitz and Thompson: each visitor counts 1/p, with variance (1 − p) / p²."""
    found = weighted_total(CLASSES, "visitors", LEVEL)
    error = Z * np.sqrt(80 * 0.6 / 0.16 + 240 * 0.2 / 0.64)
    assert (found.value, found.low, found.high) == pytest.approx((500, 500 - error, 500 + error))


def test_a_total_is_never_below_what_was_seen():
    """Of three visitors the interval of the formula would begin below three."""
    few = pl.DataFrame({"p_seen": [0.9], "visitors": [3]})
    assert weighted_total(few, "visitors", 0.999).low == 3


def test_a_weighted_rate_is_the_ratio_of_weighted_totals():
    """And with equal weights the plain rate with Wilson's interval."""
    rate = (8 / 0.4 + 12 / 0.8) / 500
    assert weighted_rate(CLASSES, LEVEL).value == pytest.approx(rate)
    equal = weighted_rate(pl.DataFrame({"p_seen": [0.5], "n": [100], "converted": [9]}), 0.95)
    # E. B. Wilson's interval of 9 in 100; see the example of `wilson_interval`.
    assert (equal.low, equal.high) == pytest.approx((0.0481, 0.1623), abs=5e-5)
    nobody = weighted_rate(pl.DataFrame({"p_seen": [0.5], "n": [100], "converted": [0]}), 0.95)
    assert nobody.value == nobody.low == 0 < nobody.high


def test_the_share_of_an_estimated_number_is_as_uncertain_as_both():
    """With a known number it has Wilson's interval; with an uncertain one a wider one, about the same rate."""
    known, unsure = (rate_of_all(9, Estimated(100, 100 - half, 100 + half), 0.95) for half in (0, 40))
    assert (known.low, known.high) == pytest.approx((0.0481, 0.1623), abs=5e-5)
    assert unsure.value == known.value == 0.09
    assert unsure.low < known.low < known.high < unsure.high


def test_two_captures_are_chapmans_estimate():
    """D. G. Chapman's estimator and variance, and bounds that put an odds ratio into the table of four cells."""
    estimate, bounds = captured_twice(700, 70, 30, 0.95)
    n, variance = 701 * 101 / 71 - 1, 701 * 101 * 630 * 30 / (71**2 * 72)
    assert estimate.value == pytest.approx(n)
    # Log-normal: the ends are as many times the number that was not seen as it is of them.
    factor = np.exp(norm.ppf(0.975) * np.sqrt(np.log(1 + variance / (n - 730) ** 2)))
    assert estimate.low - 730 == pytest.approx((n - 730) / factor)
    assert estimate.high - 730 == pytest.approx((n - 730) * factor)
    for end, odds_ratio in ((bounds.low, 1 / 2), (bounds.high, 2)):
        neither = end - 730
        assert 70 * neither / (630 * 30) == pytest.approx(odds_ratio)


@pytest.mark.parametrize(("n_seen", "n_both", "n_requests_only"), [(100, 0, 5), (100, 5, 0), (100, 0, 0), (50, 50, 10)])
def test_without_a_second_capture_there_is_no_estimate(n_seen: int, n_both: int, n_requests_only: int):
    """Nobody was lost, as far as requests show, or captured twice; or all requested, and no interval has a width."""
    assert captured_twice(n_seen, n_both, n_requests_only, 0.95) is None


def test_a_visitor_is_of_the_first_known_device_and_region():
    """Of bots there is no row; a device without a loss rate is always seen."""
    events = events_of(
        event(0, who="a", context_device_type="desktop"),
        event(1, who="a", context_device_type="mobile"),
        event(0, who="b", context_device_type=None),
        event(1, who="b", context_device_type="mobile"),
        event(0, who="c", context_device_type="tablet"),
    )
    seen = visitors_seen(enriched(events), {"device": {"desktop": 0.4, "mobile": 0.1}})
    assert dict(seen.iter_rows()) == {"a": 0.6, "b": 0.9, "c": 1.0}


def test_losses_of_two_dimensions_are_independent():
    """The shares that are not lost are multiplied."""
    table = pl.DataFrame({"device": ["desktop", "desktop"], "region": ["europe", "asia"]})
    rates = {"device": {"desktop": 0.5}, "region": {"europe": 0.5}}
    assert table.select(probability_seen(rates))["p_seen"].to_list() == [0.25, 0.5]


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        # T. J. VanderWeele and P. Ding (2017): breast-feeding, and a ratio below 1.
        ((3.9, 1.8, 8.7), (7.26, 3.0)),
        ((0.80, 0.71, 0.91), (1.81, 1.43)),
        ((1.5, 0.9, 2.5), (2.37, 1.0)),
    ],
)
def test_e_values_are_those_of_the_paper(ratios: tuple[float, ...], expected: tuple[float, ...]):
    """Of the estimate and of the end of the interval that is nearer to 1."""
    names = ("odds_ratio_per_unit", "odds_ratio_per_unit_low", "odds_ratio_per_unit_high")
    per_unit = pl.DataFrame({"signal": ["s"], "unit": ["one more"], **dict(zip(names, ratios, strict=True))})
    assert e_values(per_unit, 0.01)["e_value", "e_value_of_interval"].row(0) == pytest.approx(expected, abs=6e-3)
    # A frequent outcome: the square root of the odds ratio is nearer to the risk ratio.
    root = per_unit.with_columns(pl.col(names).sqrt())
    assert e_values(per_unit, 0.5)["e_value"][0] == pytest.approx(e_values(root, 0.01)["e_value"][0])

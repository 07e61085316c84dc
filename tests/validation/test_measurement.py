"""Claims about what was lost: intervals of the estimates contain what happened as often as they say."""

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_of

from analytics.intent.model import IntentModel
from analytics.intent.weighted import weighted_coefficients
from analytics.report.measurement import measured_counts
from analytics.statistics.measurement_loss import captured_twice, rate_of_all, weighted_rate, weighted_total
from scenarios.scenario import Scenario

pytestmark = pytest.mark.validation

N = 4_000
LEVEL = 0.95
ERROR = np.sqrt(LEVEL * (1 - LEVEL) / N)
P_SEEN, SIZES, RATES = np.array([0.5, 0.75, 1.0]), np.array([1_000, 600, 400]), np.array([0.08, 0.05, 0.03])


def test_estimates_of_all_visitors_cover():
    """Three classes of visitors, lost one by one: their number, and their conversion by both formulas."""
    rng, true_rate = np.random.default_rng(19), SIZES @ RATES / SIZES.sum()
    hits = {"visitors": 0, "ratio of weighted totals": 0, "all requests by visitors": 0}
    for _ in range(N):
        requests = rng.binomial(SIZES, RATES)
        # Requesters and others are lost alike.
        both = rng.binomial(requests, P_SEEN)
        seen = both + rng.binomial(SIZES - requests, P_SEEN)
        classes = pl.DataFrame({"p_seen": P_SEEN, "n": seen, "visitors": seen, "converted": both})
        total = weighted_total(classes, "visitors", LEVEL)
        rates = weighted_rate(classes, LEVEL), rate_of_all(int(requests.sum()), total, LEVEL)
        found = (total.low <= SIZES.sum() <= total.high, *(each.low <= true_rate <= each.high for each in rates))
        hits = {name: n + hit for (name, n), hit in zip(hits.items(), found, strict=True)}
    shares = {name: float(n / N) for name, n in hits.items()}
    print(f"weights: coverage of {N:,}: {shares}")
    # Intervals of shares are at times a little wider than need be, as each is Wilson's; narrower never.
    assert all(LEVEL - 3 * ERROR <= share <= LEVEL + 0.015 for share in shares.values())


@pytest.mark.parametrize(("n_visitors", "rate", "p"), [(2_000, 0.05, 0.7), (20_000, 0.015, 0.6), (800, 0.05, 0.9)])
def test_two_captures_cover(n_visitors: int, rate: float, p: float):
    """Requests and pages miss people independently: Chapman's estimate is unbiased, and its interval covers."""
    rng, found = np.random.default_rng(7), []
    for _ in range(N):
        requests = rng.binomial(n_visitors, rate)
        both = rng.binomial(requests, p)
        n_seen = both + rng.binomial(n_visitors - requests, p)
        if estimates := captured_twice(n_seen, both, requests - both, LEVEL):
            found.append((estimates[0].value, estimates[0].low <= n_visitors <= estimates[0].high))
    values, hits = np.array(found).T
    error, share = values.std() / np.sqrt(len(values)), hits.mean()
    print(f"{n_visitors:,} visitors, {rate:.1%} request, {p:.0%} seen: mean {values.mean():,.0f}, coverage {share:.3f}")
    # Samples in which no requester was lost have no estimate, of few lost that leaves out the lowest.
    if p < 0.9:
        assert abs(values.mean() - n_visitors) < 4 * error
    assert share >= LEVEL - 3 * ERROR


@pytest.mark.parametrize("odds_ratio", [0.5, 2.0])
def test_bounds_hold_at_their_odds_ratio(odds_ratio: float):
    """If requesters' odds to be seen are half or twice those of others, the bound is the expected number."""
    p_others, n, rate = 0.6, 1_000_000, 0.05
    odds = odds_ratio * p_others / (1 - p_others)
    both, requests = round(n * rate * odds / (1 + odds)), round(n * rate)
    _, bounds = captured_twice(both + round((n - requests) * p_others), both, requests - both, LEVEL)
    assert (bounds.high if odds_ratio > 1 else bounds.low) == pytest.approx(n, rel=1e-4)


def test_weighted_coefficients_are_those_of_all_visits_and_cover():
    """Half of the people have twice the effect, and three in four of these are never seen: 400 tables.

    The plain fit gives the effect of who is seen; the weighted one that of all, which is known from a million visits.
    """

    def people(rng: np.random.Generator, n: int) -> tuple[pl.DataFrame, np.ndarray]:
        docs, much = rng.random(n) < 0.4, rng.random(n) < 0.5
        effect = np.where(much, 1.4, 0.2) * docs
        return visits_of({"docs": docs}, {"intercept": -1.5}, rng, unobserved=effect, per_account=1), much

    everybody, _ = people(np.random.default_rng(1), 1_000_000)
    of_all = IntentModel.fit(everybody, signals=["docs"], outcome="requested_demo").coefficients["coefficient"][1]
    plain, weighted, hits, n_tables = [], [], [], 400
    rng = np.random.default_rng(2)
    for _ in range(n_tables):
        visits, much = people(rng, 4_000)
        p_seen = np.where(much, 0.25, 1.0)
        seen = rng.random(len(p_seen)) < p_seen
        fitted = IntentModel.fit(visits.filter(seen), signals=["docs"], outcome="requested_demo", account="account")
        found = weighted_coefficients(fitted.basis, 1 / p_seen[seen], LEVEL)[1].row(0, named=True)
        plain.append(fitted.coefficients["coefficient"][1])
        weighted.append(found["coefficient"])
        hits.append(found["ci_low"] <= of_all <= found["ci_high"])
    error, share = np.std(weighted) / np.sqrt(n_tables), np.mean(hits)
    means = f"plain {np.mean(plain):.3f}, weighted {np.mean(weighted):.3f}"
    print(f"effect of all {of_all:.3f}: {means}; coverage {share:.3f}")
    assert np.mean(plain) < of_all - 0.1
    assert abs(np.mean(weighted) - of_all) < 4 * error
    assert abs(share - LEVEL) < 3 * np.sqrt(LEVEL * (1 - LEVEL) / n_tables)


def test_weighted_intervals_allow_for_few_visitors_with_large_weights():
    """Three visitors in ten are seen with a probability of 0.01: some nine of them count for 900 of 3,000."""
    rng, hits, n_tables = np.random.default_rng(3), [], 400
    for _ in range(n_tables):
        docs, p_seen = rng.random(3_000) < 0.4, np.where(rng.random(3_000) < 0.3, 0.01, 1.0)
        visits = visits_of({"docs": docs}, {"intercept": -1.0, "docs": 0.7}, rng, per_account=1)
        seen = rng.random(3_000) < p_seen
        fitted = IntentModel.fit(visits.filter(seen), signals=["docs"], outcome="requested_demo", account="account")
        found = weighted_coefficients(fitted.basis, 1 / p_seen[seen], LEVEL)[1].row(0, named=True)
        hits.append(found["ci_low"] <= 0.7 <= found["ci_high"])
    print(f"few large weights: coverage {np.mean(hits):.3f}")
    assert np.mean(hits) > LEVEL - 3 * np.sqrt(LEVEL * (1 - LEVEL) / n_tables)


def test_in_simulated_losses_both_methods_find_the_visitors():
    """120 times eight hours in which four browsers in ten block tracking, whatever the device: intervals cover."""
    changes = {"clock.hours": 8, "traffic.visitors_per_day": 12_000, "intent.target_conversion": 0.1}
    scenario = Scenario.load("baseline", {**changes, "tracking.ad_blocker_rate": 0.4})
    hits: dict[str, list[bool]] = {"weights": [], "capture-recapture": []}
    n_days = 120
    for replication in range(n_days):
        run = scenario.run(seed=5, replication=replication)
        for row in run.measurement.counts.filter(quantity="visitors").iter_rows(named=True):
            hits[row["method"]].append(row["estimated_low"] <= row["true"] <= row["estimated_high"])
    shares = {method: float(np.mean(each)) for method, each in hits.items()}
    print(f"simulated hours: coverage of {n_days}: {shares}")
    assert all(share >= LEVEL - 3 * np.sqrt(LEVEL * (1 - LEVEL) / n_days) for share in shares.values())


@pytest.mark.parametrize("name", ["ad-blocker-heavy", "european-privacy"])
def test_where_requesters_are_lost_more_often_weights_and_bounds_hold(name: str):
    """Users of desktops, and Europeans, request more and are lost: what requests alone suggest is too much at times."""
    scenario, n_days, hits = Scenario.load(name), 40, {"weights": 0, "capture-recapture": 0, "bounds": 0}
    for replication in range(n_days):
        run = scenario.run(seed=23, replication=replication)
        rows = measured_counts(run.analysis, run.true_counts).filter(quantity="visitors").to_dicts()
        for row in rows:
            hits[row["method"]] += row["estimated_low"] <= row["true"] <= row["estimated_high"]
            hits["bounds"] += (row["bound_low"] or np.inf) <= row["true"] <= (row["bound_high"] or 0.0)
    print(f"{name}: of {n_days} {hits}")
    least = LEVEL - 3 * np.sqrt(LEVEL * (1 - LEVEL) / n_days)
    assert min(hits["weights"], hits["bounds"]) >= least * n_days

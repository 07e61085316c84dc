"""Claims about the competitor."""

import numpy as np

from simulator.components.competitor import Competitor
from simulator.components.live_chat import LiveChat
from tests.helpers.component_runs import assert_truth_is_what_was_seen, hours, requesters, run_with, tracked

COMPANIES = {"population": {"accounts": 400, "account_rate": 0.9}}


def test_a_company_that_is_lost_requests_nothing() -> None:
    """Requests of companies come before they are lost, and some would have come afterwards."""
    model = run_with(Competitor("rival", mean_days=0.5), **COMPANIES)
    rival, requests = model.components["rival"], tracked(model, "Demo Requested")
    for account, at in zip(requests["context_group_id"], hours(model, requests["timestamp"]), strict=True):
        assert account is None or at * 3_600_000 <= rival.lost_ms(account)  # type: ignore[attr-defined]
    assert rival.measures()["lost_requests"] > 20
    assert_truth_is_what_was_seen(model)


def test_companies_are_lost_at_exponential_times() -> None:
    """After t days, 1 − exp(−t / mean) of the companies are lost."""
    model = run_with(Competitor("rival", mean_days=2.0), clock={"hours": 1}, **COMPANIES)
    lost_ms = np.array([model.components["rival"].lost_ms(account) for account in model.accounts["account"]])  # type: ignore[attr-defined]
    for days in (0.5, 2.0, 5.0):
        share = 1 - np.exp(-days / 2.0)
        found = (lost_ms < days * 86_400_000).mean()
        assert abs(found - share) < 4.5 * np.sqrt(share * (1 - share) / len(lost_ms))


def test_when_a_company_is_lost_depends_on_nothing_else() -> None:
    """Neither other components nor more traffic change the time; another replication does."""
    runs = [
        run_with(Competitor("rival"), clock={"hours": 1}, **COMPANIES),
        run_with(
            LiveChat("chat"), Competitor("rival"), clock={"hours": 1}, traffic={"visitors_per_day": 50.0}, **COMPANIES
        ),
        run_with(Competitor("rival"), clock={"hours": 1}, seed=8, **COMPANIES),
    ]
    account = runs[0].accounts["account"][0]
    first, second, other = (run.components["rival"].lost_ms(account) for run in runs)  # type: ignore[attr-defined]
    assert first == second != other


def test_a_slow_competitor_changes_nothing() -> None:
    """If no company is lost in ten thousand years, the world is the one without a competitor."""
    slow, without = run_with(Competitor("rival", mean_days=1e9), **COMPANIES), run_with(**COMPANIES)
    assert slow.events.equals(without.events)
    assert requesters(without)

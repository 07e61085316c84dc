"""Claims about checks of trust over many runs: silent in clean worlds, and not in those that mislead."""

import pytest

from analytics.report.trust import trust_checks
from scenarios.scenario import Scenario

pytestmark = pytest.mark.validation

N = 40


def failures(name: str, settings: dict[str, object]) -> list[set[str]]:
    """Names of the checks that failed, in each of the runs of a scenario."""
    scenario, found = Scenario.load(name, settings), []
    for replication in range(N):
        run = scenario.run(seed=19, replication=replication)
        checks = trust_checks(run.analysis, run.store.counts)
        found.append({check.name for check in checks if not check.passed})
    return found


@pytest.mark.parametrize("name", ["baseline", "paid-campaign"])
def test_clean_worlds_pass(name: str):
    """In at least 95 % of the runs no check fails."""
    found = failures(name, {})
    n_silent = sum(not failed for failed in found)
    print(f"{name}: silent in {n_silent} of {N} runs; {sorted(set().union(*found))}")
    assert n_silent >= 0.95 * N


@pytest.mark.parametrize(
    ("name", "settings", "check"),
    [
        ("ad-blocker-heavy", {}, "requests with a visit"),
        ("bot-storm", {}, "visitors at a human pace"),
        ("baseline", {"tracking.malformed_rate": 0.02}, "unreadable events"),
        # Of accounts with one request at most, hardly any two visits end alike.
        (
            "baseline",
            {"intent.account_sd": 2.0, "intent.conversion_unit": "visitor"},
            "accounts alike but for signals",
        ),
    ],
)
def test_worlds_that_mislead_are_found_out(name: str, settings: dict[str, object], check: str):
    """In at least 95 % of the runs the check fails that looks for what is wrong."""
    n_found = sum(check in failed for failed in failures(name, settings))
    print(f"{name} {settings}: {check} failed in {n_found} of {N} runs")
    assert n_found >= 0.95 * N

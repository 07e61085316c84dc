"""Claims about checks of trust over many runs: silent in clean worlds, and not in those that mislead visibly."""

from collections.abc import Iterator

import pytest

from analytics.report.trust import trust_checks
from scenarios.run.run import Run
from scenarios.scenario import Scenario

pytestmark = pytest.mark.validation

N = 40


def runs(name: str, settings: dict[str, object]) -> Iterator[Run]:
    """The runs of a scenario with changes."""
    scenario = Scenario.load(name, settings)
    return (scenario.run(seed=19, replication=replication) for replication in range(N))


def failed(run: Run) -> set[str]:
    """Names of the checks that failed."""
    return {check.name for check in trust_checks(run.analysis, run.store.counts) if not check.passed}


@pytest.mark.parametrize("name", ["baseline", "paid-campaign"])
def test_clean_worlds_pass(name: str):
    """In at least 95 % of the runs no check fails."""
    found = [failed(run) for run in runs(name, {})]
    n_silent = sum(not names for names in found)
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
    n_found = sum(check in failed(run) for run in runs(name, settings))
    print(f"{name} {settings}: {check} failed in {n_found} of {N} runs")
    assert n_found >= 0.95 * N


def test_no_check_finds_a_persona_that_is_hidden_behind_a_signal():
    """In a trap of attribution checks are as silent as in clean worlds, and intervals miss the truth.

    In at least 95 % of the runs no check fails. The 95 % interval of the referral, which has no effect, holds 0 in
    fewer than half of them.
    """
    found, n_covered = [], 0
    for run in runs("attribution-trap", {}):
        found.append(failed(run))
        referral = run.analysis.intent.coefficients.filter(signal="tech_blog_referral")
        n_covered += referral["ci_covers_truth"].item()
    n_silent = sum(not names for names in found)
    print(f"attribution-trap: silent in {n_silent} of {N} runs; {sorted(set().union(*found))}; covered in {n_covered}")
    assert n_silent >= 0.95 * N
    assert n_covered < 0.5 * N

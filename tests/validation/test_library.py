"""Claims about the scenarios of the library: each runs, and its claims hold for any seed."""

from __future__ import annotations

import pytest

from scenarios.measures.claims import check_claims
from scenarios.scenario import Scenario
from scenarios.study import Study

NAMES = Scenario.library()
QUICK = ("baseline", "live-chat")
SEEDS = (101, 102, 103, 104, 105)


def test_every_file_is_named_after_itself_and_described() -> None:
    """A scenario has a paragraph of description and three claims or more; a study its question."""
    for name in NAMES:
        scenario = Scenario.load(name)
        assert scenario.name == name
        assert len(scenario.description.split()) >= 40, name
        assert len(scenario.claims) >= 3, name
    for name in Study.library():
        settings = Study.load(name).settings
        assert settings.name == name
        assert len(settings.description.split()) >= 20, name


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_every_scenario_runs(name: str) -> None:
    """With little traffic, for thirty hours at most, it runs; each claim is judged or says which number is missing."""
    scenario = Scenario.load(name)
    hours = min(scenario.clock.hours, 30)
    per_day = min(scenario.traffic.visitors_per_day, 18_000 / hours)
    run = scenario.replace({"clock.hours": hours, "traffic.visitors_per_day": per_day}).run()
    assert run.outcome.counts["visitors"] > 0
    for claim in check_claims(scenario.claims, run):
        assert (claim.passed is None) == (claim.reason is not None), claim


@pytest.mark.validation
@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_keeps_its_claims(name: str) -> None:
    """Every claim holds for five seeds; their margins are four standard errors or more."""
    scenario, broken = Scenario.load(name), []
    print(f"\n{name}, seeds {', '.join(map(str, SEEDS))}")
    results = list(zip(*(scenario.run(seed=seed).claims for seed in SEEDS), strict=True))
    for each in results:
        print(f"  {sum(claim.passed is True for claim in each)} of {len(each)}: {each[0].description}")
        print(f"    {each[0].expression}\n    {'; '.join(claim.numbers for claim in each)}")
        broken += [(seed, claim) for seed, claim in zip(SEEDS, each, strict=True) if not claim.passed]
    assert results
    assert broken == []

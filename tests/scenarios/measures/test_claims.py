"""Claims about claims: how a scenario states them, who inherits them, and what a run says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.errors import ScenarioError
from scenarios.scenario import Scenario

TEXT = """\
name: claiming
clock: {hours: 3}
traffic: {visitors_per_day: 2000}
claims:
  "people come": 10 <= counts.visitors < 1e6
  "nobody comes": counts.visitors == 0
  "some convert on the moon": conversion(utm_campaign="moon") > 0
  "nothing is lost": store.received == store.accepted == counts.true_events
"""


def written(folder: Path, name: str, text: str) -> Path:
    """A file of this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_run_says_of_each_claim_whether_it_holds() -> None:
    """True, false or undefined, with the numbers on every side, in the order of the file; the manifest holds it all."""
    run = Scenario.parse(TEXT).run()
    n, n_events = run.outcome.counts["visitors"], run.outcome.counts["events"]
    assert [claim.description for claim in run.claims] == list(run.scenario.claims)
    assert [claim.passed for claim in run.claims] == [True, False, None, True]
    assert [claim.values for claim in run.claims] == [(10, n, 1e6), (n, 0), (None, 0), (n_events,) * 3]
    assert [claim.numbers for claim in run.claims] == [
        f"10 <= {n} < 1e+06",
        f"{n} == 0",
        "? > 0",
        f"{n_events} == {n_events} == {n_events}",
    ]
    assert [claim.reason for claim in run.claims] == [
        None,
        None,
        "conversion(utm_campaign='moon'): no visitors there",
        None,
    ]
    assert run.manifest["claims"][1] == {
        "description": "nobody comes",
        "expression": "counts.visitors == 0",
        "passed": False,
        "values": (n, 0),
        "reason": None,
    }


def test_claims_are_checked_when_the_scenario_is_read(tmp_path: Path) -> None:
    """Each faulty claim is one line with its place, beside all other faults."""
    text = """\
name: faulty
clock: {hours: 6}
claims:
  a story. with a dot: 24 <= counts.demo_request
  b: counts.visits
  c: 5
  d: 3 < 4
  e: hourly("page_views", "max", end=7) > 2
  f: visitors(arm="x=b") > 1
  g: counts.visits > 0
seed: x
"""
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(written(tmp_path, "s.yaml", text))
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        (
            "s.yaml:4:3: claims.a story. with a dot: unknown measure 'counts.demo_request'; "
            "did you mean 'counts.demo_requests'?"
        ),
        "s.yaml:5:3: claims.b: is not a comparison, such as 240 <= counts.demo_requests <= 380",
        "s.yaml:6:3: claims.c: must be text (got 5)",
        "s.yaml:7:3: claims.d: has no measure of the run: it compares numbers with numbers",
        "s.yaml:8:3: claims.e: hourly('page_views', 'max', end=7): the window ends after the simulation (6)",
        "s.yaml:9:3: claims.f: there is no arm 'x=b'; the scenario has none",
        's.yaml:11:1: seed: must be a whole number (got "x")',
    ]


def test_claims_are_not_inherited(tmp_path: Path) -> None:
    """Who extends a scenario makes another, which promises what it says itself, however long the chain."""
    written(tmp_path, "a.yaml", TEXT + "experiments: {e: {arms: {a: {share: 0.5}, b: {share: 0.5}}}}\n")
    arm = 'claims: {half: visitors(arm="e=b") > 1}\n'
    written(tmp_path, "b.yaml", f"name: b\nextends: a.yaml\n{arm}")
    # The claim of b would be wrong here, and nobody makes it any more.
    last = written(
        tmp_path, "c.yaml", "name: c\nextends: b.yaml\nexperiments: {e: null}\nclaims: {x: counts.visits > 0}\n"
    )
    assert Scenario.load(tmp_path / "b.yaml").claims == {"half": 'visitors(arm="e=b") > 1'}
    assert Scenario.load(last).claims == {"x": "counts.visits > 0"}


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ("seed=9", True),
        ("name=other", True),
        ("description=other", True),
        ("active_agents=all", True),
        ("clock.hours=4", False),
        ("traffic.visitors_per_day=2001", False),
        ("analytics.moving_average_hours=5", False),
    ],
)
def test_claims_stay_as_long_as_the_world_does(tmp_path: Path, change: str, stays: bool) -> None:  # noqa: FBT001
    """A change of the world, or of its analysis, by `--set` or `replace`, takes the claims back; a seed does not."""
    path, (key, value) = written(tmp_path, "s.yaml", TEXT), change.split("=")
    base = Scenario.load(path)
    plain = int(value) if value.isdecimal() else value
    for changed in (Scenario.load(path, [change]), base.replace({key: plain})):
        assert changed.claims == (base.claims if stays else {})


def test_claims_can_be_made_on_the_command_line(tmp_path: Path) -> None:
    """Together with a change of the world, or beside the claims there are; null takes one back."""
    path = written(tmp_path, "s.yaml", TEXT)
    both = ["claims.more=counts.visits > 1", "clock.hours=4"]
    assert Scenario.load(path, both).claims == {"more": "counts.visits > 1"}
    assert list(Scenario.load(path, both[:1]).claims) == [*Scenario.load(path).claims, "more"]
    assert "people come" not in Scenario.load(path, ["claims.people come=null"]).claims
    with pytest.raises(ScenarioError, match=r"--set claims\.x=counts\.vists > 1: claims\.x: unknown measure"):
        Scenario.load(path, ["claims.x=counts.vists > 1"])


def test_claims_survive_being_written_down() -> None:
    """A scenario with claims, written and read, is the same scenario; hostile stories too."""
    scenario = Scenario.parse(TEXT).replace(claims={"yes: 'no' # \"é\"\n.": "counts.visits>0"})
    assert len(scenario.claims) == 5
    assert Scenario.parse(scenario.to_yaml()) == scenario


def test_claims_cost_nothing_until_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run does not check its claims by itself, and checks them once."""
    asked: list[object] = []
    monkeypatch.setattr("scenarios.run.run.check_claims", lambda _, run: asked.append(run) or ())
    run = Scenario.parse(TEXT).run()
    assert asked == []
    assert (run.claims, run.claims) == ((), ())
    assert asked == [run]

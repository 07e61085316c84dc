"""Claims about study files: what they may contain, and how faults are reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator

from scenarios.config.yaml_source import read_yaml
from scenarios.errors import ScenarioError
from scenarios.studies.design import MORRIS_STEP, design_values, unit_design
from scenarios.studies.settings import DesignSettings, Factor
from scenarios.study import Study, study_schema

PLAIN = """name: plain
scenario: baseline
responses: {demos: counts.demo_requests}
"""


def faults(text: str) -> list[str]:
    """What is wrong with a study."""
    with pytest.raises(ScenarioError) as caught:
        Study.parse(text, "s.yaml")
    return str(caught.value).splitlines()


def test_all_faults_of_a_study_are_reported_together_with_their_places():
    """Settings, factors and measures that do not exist are reported at their lines, with what may have been meant."""
    text = """name: bad
scenario: baseline
overrides: {traffic.visitors_per_day: -500, clock.hors: 12}
factors:
  intent.target_conversion: {loguniform: [0.01, 1.1]}
  tracking.ad_bloker_rate: [0.0, 0.3]
  seed: [1, 2]
replications: {precision: {demo: {absolute: 2.0}}}
responses:
  demos: counts.demo_reqests
"""
    assert faults(text) == [
        "s.yaml:3:45: overrides.clock.hors: unknown key 'hors'; did you mean 'hours'?",
        "s.yaml:3:13: overrides.traffic.visitors_per_day: must be greater than 0 (got -500)",
    ]
    lines = faults(text.replace("-500", "500").replace("hors", "hours"))
    assert lines == [
        "s.yaml:5:3: factors.intent.target_conversion: must be less than 1 (got 1.1)",
        (
            "s.yaml:6:3: factors.tracking.ad_bloker_rate: the scenario has no setting 'tracking.ad_bloker_rate'; "
            "did you mean 'ad_blocker_rate'?"
        ),
        "s.yaml:7:3: factors.seed: does not change the simulated world, so it cannot be a factor",
        "s.yaml:10:3: responses.demos: unknown measure 'counts.demo_reqests'; did you mean 'counts.demo_requests'?",
        "s.yaml:8:28: replications.precision.demo: there is no response 'demo'; did you mean 'demos'?",
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("scenario: basline", "s.yaml:2:1: scenario: there is no scenario 'basline' in the library; did"),
        ("scenario: {name: own, clock: {hours: 0}}", "s.yaml:2:31: clock.hours: must be at least 1 (got 0)"),
        ("scenarios: [baseline, baseline]", "s.yaml:2:23: scenarios[1]: there is another scenario of"),
        ("scenario: baseline\nscenarios: [month]", "scenario: give a scenario, or several as scenarios"),
        ("scenario: baseline\ndesign: sobol", "design: sobol needs samples"),
        ("scenario: baseline\ndesign: {kind: saltelli, samples: 1}", "samples: saltelli needs at least 8; of fewer"),
        ("scenario: baseline\ndesign: {kind: saltelli, samples: 4}", "samples: saltelli needs at least 8; of fewer"),
        ("scenario: baseline\ndesign: {kind: morris, samples: 3}", "samples: morris needs at least 4; of fewer"),
        ("scenario: baseline\ndesign: {kind: sobol, samples: 6}", "samples: must be a power of 2"),
        ("scenario: baseline\ndesign: {kind: sobol, samples: 8, second_order: true}", "needs the kind saltelli"),
        ("scenario: baseline\ndesign: {kind: morris, samples: 6}", "design: morris needs factors"),
        ("scenario: baseline\nestimates: [pricing_page_vew]", "did you mean 'pricing_page_view'?"),
        ("scenario: baseline\nfactors: {clock.hours: [24]}", "must have at least 2 items, not 1"),
        ("scenario: baseline\nfactors: {clock.hours: [24, 24]}", "categorical: holds a value twice"),
        ("scenario: baseline\nfactors: {clock.hours: {uniform: [1, 2], loguniform: [1, 2]}}", "give exactly one of"),
        ("scenario: baseline\nfactors: {traffic.visitors_per_day: {uniform: [3, 1]}}", "must be below the second"),
        ("scenario: baseline\nreplicatons: 3", "unknown key 'replicatons'; did you mean 'replications'?"),
        ("scenario: baseline\nreplications: 0", "must be at least 1"),
        ("scenario: baseline\nresponses: {}", "nothing would be read"),
    ],
)
def test_what_makes_no_study_is_refused(change: str, fault: str):
    """Each fault is one message with its place."""
    text = PLAIN.replace("responses: {demos: counts.demo_requests}\n", "") if "responses" in change else PLAIN
    assert fault in "\n".join(faults(text.replace("scenario: baseline", change)))


@pytest.mark.parametrize(
    ("factor", "fault"),
    [
        ("components.chat.agents", None),
        ("sales.routing.senior_executives", None),
        ("components.chat.agnts", "no setting 'components.chat.agnts'; did you mean 'agents'?"),
        ("components.mail.agents", "nothing at 'components.mail'"),
    ],
)
def test_settings_of_parts_are_factors(factor: str, fault: str | None):
    """What the class of a component or policy can be given is a factor as any setting, and nothing else is."""
    world = "{name: own, components: {chat: {use: live_chat}}, sales: {routing: {use: by_account_size}}}"
    text = f"{PLAIN.replace('baseline', world)}factors: {{{factor}: [1, 2]}}\n"
    if fault is None:
        assert len(Study.parse(text).points) == 2
    else:
        assert fault in "\n".join(faults(text))


def test_a_scenario_file_is_looked_for_beside_the_study(tmp_path: Path):
    """A path starts from the study's folder, and a scenario may be written out in the study itself."""
    (tmp_path / "own.yaml").write_text("name: own\nextends: low-traffic-startup\n")
    (tmp_path / "study.yaml").write_text(PLAIN.replace("baseline", "own.yaml"))
    inline = PLAIN.replace("baseline", "{name: own, extends: low-traffic-startup}")
    from_file, written_out = Study.load(tmp_path / "study.yaml"), Study.parse(inline)
    assert from_file.loaded.scenarios == written_out.loaded.scenarios
    assert from_file.loaded.scenarios[0].name == "own"


STUDIES = [
    PLAIN + "estimates: all\noverrides: {clock.hours: 3}\n",
    PLAIN + "factors: {clock.hours: [1, 2]}\ndesign: one-at-a-time\n",
    PLAIN + "factors: {sales.slot_minutes: {uniform: [30, 60]}}\n",
    PLAIN + "factors: {tracking.ad_blocker_rate: {loguniform: [0.01, 0.1]}}\ndesign: {kind: saltelli, samples: 8}\n",
    PLAIN + "replications: {min: 10, max: 50, precision: {demos: {relative: 0.1}}}\ncommon_random_numbers: false\n",
    PLAIN.replace("scenario: baseline", "scenarios: [baseline, month]"),
]


@pytest.mark.parametrize("text", [STUDIES[0], *(pytest.param(text, marks=pytest.mark.slow) for text in STUDIES[1:])])
def test_a_study_written_out_is_the_same_study(text: str):
    """What is kept in a study's folder refers to no other file, reads as the same study, and fits the schema.

    `Study.of`, the old name of `from_dict`, makes the same with a warning.
    """
    study = Study.parse(text)
    again = Study.parse(study.to_yaml())
    assert again.to_yaml() == study.to_yaml()
    assert again.loaded.scenarios == study.loaded.scenarios
    assert again.points == study.points
    assert [again.replication(p, 3).key for p in again.points] == [study.replication(p, 3).key for p in study.points]
    for each in (text, study.to_yaml()):
        Draft202012Validator(study_schema()).validate(read_yaml(each, "s.yaml").data)
    with pytest.warns(FutureWarning, match=r"Study\.from_dict"):
        assert Study.of(read_yaml(text, "s.yaml").data).to_yaml() == study.to_yaml()


RANGES = st.one_of(
    st.builds(lambda low, width: Factor(uniform=(low, low + width)), st.floats(-1e6, 1e6), st.floats(0.1, 1e6)),
    st.builds(lambda low, times: Factor(loguniform=(low, low * times)), st.floats(1e-6, 1e3), st.floats(1.1, 1e3)),
    st.builds(lambda low, width: Factor(int=(low, low + width)), st.integers(-100, 100), st.integers(1, 100)),
    st.lists(st.integers(), min_size=2, unique=True).map(lambda values: Factor(categorical=tuple(values))),
)


@given(RANGES, st.floats(0, 1))
def test_a_factor_stays_in_its_range(factor: Factor, share: float):
    """Whatever the share, a factor's value is one that it may have; both ends of a range are reached."""
    value = factor.at(share)
    if factor.categorical is not None:
        assert value in factor.categorical
    else:
        low, high = factor.levels
        assert low <= value <= high  # type: ignore[operator]
        assert factor.at(0.0) == pytest.approx(low)
        assert factor.at(1.0) == pytest.approx(high)


def test_a_range_of_whole_numbers_and_a_choice_are_taken_evenly():
    """Over evenly spread shares each whole number, and each choice, comes equally often."""
    shares = (np.arange(1200) + 0.5) / 1200
    for factor in (Factor(int=(3, 6)), Factor(categorical=(3, 4, 5, 6))):
        values, counts = np.unique([factor.at(share) for share in shares], return_counts=True)
        assert values.tolist() == [3, 4, 5, 6]
        assert counts.tolist() == [300] * 4


FACTORS = {"a": Factor(categorical=(1, 2, 3)), "b": Factor(uniform=(0.0, 1.0)), "c": Factor(categorical=(False, True))}


def test_the_designs_of_levels():
    """One at a time is the scenario as it stands and each level alone; full factorial is every combination."""
    alone = design_values(FACTORS, DesignSettings(kind="one-at-a-time"), 1)
    assert alone == [{}, {"a": 1}, {"a": 2}, {"a": 3}, {"b": 0.0}, {"b": 1.0}, {"c": False}, {"c": True}]
    full = design_values(FACTORS, DesignSettings(), 1)
    assert len(full) == len({tuple(point.values()) for point in full}) == 3 * 2 * 2
    assert design_values({}, DesignSettings(), 1) == [{}]


@pytest.mark.parametrize("kind", ["latin-hypercube", "sobol"])
def test_a_sampled_design_fills_each_factor_evenly(kind: str):
    """Of 16 points each sixteenth of each factor's range holds one; another seed gives other points."""
    design = DesignSettings.model_validate({"kind": kind, "samples": 16})
    shares = unit_design(design, 3, 5)
    assert (np.sort(np.floor(shares * 16), axis=0) == np.arange(16)[:, None]).all()
    assert (shares == unit_design(design, 3, 5)).all()
    assert (shares != unit_design(design, 3, 6)).any()


def test_a_morris_trajectory_changes_each_factor_once():
    """Each of ten trajectories moves every factor once, by the step, one at a time, within the cube."""
    shares = unit_design(DesignSettings(kind="morris", samples=10), 4, 3).reshape(10, 5, 4)
    moves = np.diff(shares, axis=1)
    assert ((moves != 0).sum(axis=2) == 1).all()
    assert ((moves != 0).sum(axis=1) == 1).all()
    assert np.abs(moves[moves != 0]) == pytest.approx(MORRIS_STEP)
    assert shares.min() >= -1e-12
    assert shares.max() <= 1 + 1e-12


def test_a_saltelli_block_swaps_one_factor_at_a_time():
    """Each base point is A, A with one factor of B in turn, and B."""
    block = unit_design(DesignSettings(kind="saltelli", samples=8), 3, 3).reshape(8, 5, 3)
    a, b = block[:, 0], block[:, -1]
    for factor in range(3):
        mixed = block[:, factor + 1]
        assert (mixed[:, factor] == b[:, factor]).all()
        assert (np.delete(mixed, factor, axis=1) == np.delete(a, factor, axis=1)).all()
    assert (a != b).all()
    more = unit_design(DesignSettings(kind="saltelli", samples=8, second_order=True), 3, 3).reshape(8, 8, 3)
    # The same points, and after those with one factor of B, those of B with one of A.
    assert (more[:, [0, 1, 2, 3, 7]] == block).all()
    for factor in range(3):
        assert (more[:, factor + 4, factor] == a[:, factor]).all()
        assert (np.delete(more[:, factor + 4], factor, axis=1) == np.delete(b, factor, axis=1)).all()

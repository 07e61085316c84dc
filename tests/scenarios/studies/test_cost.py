"""Claims about the estimated cost of a study."""

from __future__ import annotations

import pytest

from scenarios.studies.cost import CostGauge, StudyCost, pilots_first
from scenarios.studies.replication import Replication
from scenarios.study import Study

WORLD = "{name: tiny, clock: {hours: 1}, traffic: {visitors_per_day: 2000}, intent: {intercept: -2.0}}"
TEXT = f"""name: tiny
scenario: {WORLD}
factors: {{traffic.visitors_per_day: [2000, 500, 4000]}}
replications: 2
responses: {{visitors: counts.visitors}}
"""


def replications() -> list[Replication]:
    """Six, of three sizes."""
    study = Study.parse(TEXT)
    return [study.replication(point, number) for point in study.points for number in range(2)]


def test_the_cost_is_the_straight_line_through_the_smallest_and_the_largest_replication():
    """500 visitors a day in 2 s and 4,000 in 9 s are 1 s and 2 ms a visitor: 5 s for 2,000, and twice 16 s for all."""
    in_order, n_pilots = pilots_first(replications())
    assert [each.scenario.traffic.visitors_per_day for each in in_order[:n_pilots]] == [4000, 500]
    assert len(in_order) == 6
    announced: list[StudyCost] = []
    gauge = CostGauge(in_order, n_pilots, 2, is_open=False, announce=announced.append)
    gauge.note(in_order[3], 100.0)
    gauge.note(in_order[1], 2.0)
    assert announced == []
    gauge.note(in_order[0], 9.0)
    (cost,) = announced
    assert cost.work_s == pytest.approx(32.0)
    assert str(cost) == "6 replications of about 5.3 s each: about 16 s on 2 workers"
    # A pilot that is lost does not keep the cost back: the other one is enough.
    gauge = CostGauge(in_order, n_pilots, 2, is_open=True, announce=announced.append)
    gauge.note(in_order[0], None)
    gauge.note(in_order[1], 700.0)
    assert str(announced[1]) == "at least 6 replications of about 12 min each: about 35 min on 2 workers"


def test_a_study_announces_its_cost_once_without_effect_on_the_results():
    """The results are the same with and without an announcement."""
    announced: list[StudyCost] = []
    study = Study.parse(TEXT)
    assert study.run(jobs=1, announce=announced.append).replications.equals(study.run(jobs=1).replications)
    assert [cost.n_replications for cost in announced] == [6]
    assert announced[0].work_s > 0

"""Studies against the same simulations and fits by hand: the overhead of a study, and the gain of two cores.

Only the seconds of a whole study count, from its settings to its tables; starting the workers is part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from analytics.store.history import EventHistory
from benchmarks.measuring import Comparison, Subject
from scenarios.measures.truth import known_truth
from scenarios.run.sinks import Batches, StoreSink
from scenarios.scenario import Scenario
from scenarios.study import Study
from simulator.model import Model

_SIGNAL: Final = "security_page_view"
_HERE, _TWO = "a study in this process", "a study on two workers"


def _by_hand(scenario: Scenario, n: int, *, fit: bool) -> Subject:
    """A loop over the parts of funnelsim, as an analyst would write it."""
    from analytics.intent.model import IntentModel  # noqa: PLC0415 - as a study does
    from analytics.sessions.visits import visit_table  # noqa: PLC0415

    def once() -> int:
        found = []
        for replication in range(n):
            accepted = EventHistory()
            sinks = [Batches([StoreSink(accepted.store)])] if fit else []
            model = Model(scenario.world, seed=7, replication=replication, active_agents="interacting", sinks=sinks)
            outcome = model.run().outcome
            if not fit:
                found.append(outcome.counts["visitors"])
                continue
            visits = visit_table(accepted.frame())
            results = IntentModel().fit(visits, truth=known_truth(outcome.truth, scenario.analytics))
            p_values = dict(results.coefficients.select("signal", "p_value").iter_rows())
            found.append(p_values[_SIGNAL])
        return len(found)

    return once


def _study(scenario: Scenario, n: int, response: str, jobs: int) -> Subject:
    data: dict[str, Any] = {
        "name": "s",
        "scenario": scenario.to_data(),
        "replications": n,
        "responses": {"r": response},
    }
    study = Study.from_dict(data)

    def once() -> int:
        return study.run(jobs=jobs).replications.height

    return once


def _power() -> Mapping[str, Subject]:
    scenario = Scenario.load("baseline", ["traffic.visitors_per_day=5000", "intent.target_conversion=0.1"])
    n, response = 60, f'p_value("{_SIGNAL}")'
    return {
        "simulations and fits by hand": _by_hand(scenario, n, fit=True),
        _HERE: _study(scenario, n, response, 1),
        _TWO: _study(scenario, n, response, 2),
    }


def _overhead() -> Mapping[str, Subject]:
    scenario = Scenario.load("baseline", ["traffic.visitors_per_day=5000", "clock.hours=1"])
    return {
        "simulations by hand": _by_hand(scenario, 60, fit=False),
        _HERE: _study(scenario, 60, "counts.visitors", 1),
    }


POWER: Final = Comparison(
    "power-study",
    "Days of 5,000 visitors, each with its fit",
    "replications",
    _power,
    {_HERE: 1 / 1.15, _TWO: 1.8},
    rounds=3,
)
OVERHEAD: Final = Comparison("study-overhead", "Hours of 200 visitors, counted", "replications", _overhead, rounds=5)

"""Results of studies that nobody has simulated: each response is a function of the point and the replication."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scenarios.output_analysis.results import StudyResults
from scenarios.studies.replication import Replicated
from scenarios.studies.running import PointRun
from scenarios.study import Study


def results_of(changes: Mapping[str, Any], value: Callable[[Any, int], float], n: int = 3) -> StudyResults:
    """Results of a study of the baseline: ``value`` of the point's values and the number of the replication."""
    settings = {"name": "made-up", "scenario": "baseline", "responses": {"held": "sales.held"}, **changes}
    study = Study.from_dict({key: each for key, each in settings.items() if each is not None})
    runs = []
    for point in study.points:
        values = [tuple(value(point.values, number) for _ in study.responses) for number in range(n)]
        runs.append(PointRun(point, tuple(Replicated("k", number, each) for number, each in enumerate(values))))
    return StudyResults(study, runs)


def linear(values: Mapping[str, Any], number: int) -> float:
    """A response that rises with every factor that is a number, and differs by replication."""
    return sum(float(v) for v in values.values() if not isinstance(v, str)) * 10 + [0.0, 1.0, 0.5][number % 3]

"""Claims about what awake visitors did, in the arrays of the truth."""

import numpy as np
import pytest
from acting import lived
from random_worlds import REGISTERED, built_in

from simulator.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    """A world with all components."""
    components = [built_in(name) for name in REGISTERED]
    return lived(*components, intent={"target_conversion": 0.1}, traffic={"visitors_per_day": 900})


def test_signals_read_as_they_happened_are_those_of_the_arrays(model: Model):
    """The bits that a visitor gathered, the minutes and the requests equal those that are read off the whole visits."""
    n = 0
    for cohort, (_, visitors) in zip(model._state.made, model._state.live_world._awake, strict=True):
        made = [visit for visitor in visitors for visit in visitor.visits]
        ended = [row for row, visit in enumerate(made) if visit.end_ms >= 0]
        assert len(made) == len(cohort.journeys.visitor)
        assert [int(cohort.signals.seen[row]) for row in ended] == [made[row].seen for row in ended]
        np.testing.assert_allclose(cohort.signals.minutes, [visit.minutes for visit in made], rtol=1e-12)
        assert sorted(cohort.request_visit.values()) == [row for row, visit in enumerate(made) if visit.requested]
        n += len(ended)
    assert n > 300


def test_visits_that_were_not_planned_are_among_them(model: Model):
    """Whoever followed a link, was kept or left the plan is part of the arrays as everybody else."""
    visits = [visit for visitor in model.visitors for visit in visitor.visits]
    assert any(visit.itinerary.row < 0 for visit in visits)
    assert any(visit.times_ms != list(visit.itinerary.view_ms)[: len(visit.times_ms)] for visit in visits)
    assert any(len(visit.pages) < len(visit.itinerary.pages) for visit in visits)
    assert model.outcome.visits.height == model.outcome.counts["visits"]

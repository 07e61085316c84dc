"""Claims about the built-in probes."""

import pytest

from simulator.components.probes import ComponentProbe, QueueLength
from simulator.components.webinar import Webinar
from simulator.errors import ComponentError
from tests.helpers.component_runs import run_with


def test_a_component_is_measured_as_time_passes() -> None:
    """The probe records all measures of the component every so often: seats only become fewer."""
    probes = (ComponentProbe("room", name="webinar", every_minutes=60.0), QueueLength("inbox", every_minutes=60.0))
    model = run_with(Webinar("webinar", seats=20), probes=probes)
    frame = model.outcome.probes["room"]
    assert set(frame["measure"]) == {"seats_left", "attended"}
    seats = frame.filter(frame["measure"] == "seats_left")["value"].to_list()
    assert len(seats) == 24
    assert seats == sorted(seats, reverse=True)
    assert (seats[0], seats[-1]) == (20.0, model.components["webinar"].measures()["seats_left"])
    assert set(model.outcome.probes["inbox"]["measure"]) == set(model.world.sales.teams)


def test_an_unknown_component_is_refused_with_a_suggestion() -> None:
    """The probe says whose name it was given."""
    with pytest.raises(
        ComponentError, match=r"probe 'room': there is no component 'webinra'; did you mean 'webinar'\?"
    ):
        run_with(Webinar("webinar"), probes=(ComponentProbe("room", name="webinra"),))

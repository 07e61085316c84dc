"""Traffic sources: where visitors come from beyond the ordinary traffic, as components that scenario files can name."""

from __future__ import annotations

from typing import Any, ClassVar

from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.engine.arrays import Bools
from simulator.errors import ComponentError
from simulator.settings.own_classes import check_class
from simulator.settings.plugins import SOURCES
from simulator.settings.traffic import LinkSettings
from simulator.settings.world import WorldSettings
from simulator.world.arrival_sources import invited_scope
from simulator.world.traffic_rule import Hours, TrafficRule, expected_in


class TrafficSource(TrafficRule, Component):
    """Base class of the traffic sources of a world: visitors in addition to all others, for a reason of their own.

    Override :meth:`expected_visitors`, in arrays: how many visitors are expected in each hour of the clock. They arrive
    as a Poisson process with this expectation, evenly within each hour, and have random streams of their own, so that
    no other visitor changes.
    The settings give the link by which they come, the cost of a click and the budget; when it is spent, nobody comes by
    the link any more.

    A source is a component too. With a hook, such as :meth:`admits`, it meets its own visitors, and the colleagues whom
    they invite, on the clock; without any, they are as fast as the ordinary ones.

    >>> class Fair(TrafficSource):
    ...     def expected_visitors(self, hours):
    ...         return 40.0 * (hours.hour_of_day("Europe/Berlin") >= 9)
    """

    class Settings(LinkSettings):
        """Settings of the source, each with a default."""

    registered_as: ClassVar[str] = SOURCES
    """Group of entry points under which packages register such classes by short names."""

    settings: Any

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - as Python has it
        super().__init_subclass__(**options)
        check_class(cls, TrafficSource.Settings, ("expected_visitors",))
        # The analysis knows of the effects of components, and a visitor's source is seen by the link already.
        if cls.overrides("effect") or cls.overrides("terms"):
            raise ComponentError(
                f"{cls.__qualname__}: a traffic source moves no decision; give the effect to a component"
            )

    def check(self, world: WorldSettings) -> None:
        """Check what it expects in the hours of the world.

        Raises:
            ValueError: It is something else than one number of visitors for each hour.
        """
        try:
            expected_in(self, Hours.of(world.clock))
        except ComponentError as error:
            raise ValueError(str(error)) from None

    def touches(self, plan: Plan) -> Bools:
        """Its visitors and the colleagues whom they invite, if it does anything to them."""
        is_own = self.acts and plan.source in {self.name, invited_scope(self.name)}
        return plan.everybody if is_own else plan.nobody

"""Worlds drawn at random, and components for them."""

from typing import Any

from hypothesis import strategies as st
from small_worlds import DIRTY

from simulator.agents.component import Component
from simulator.settings.components import COMPONENTS, ComponentSettings, class_named, registered

DAY = "2026-03-03T{:02}:00:00Z"
ROUND_THE_CLOCK = {"opens": "00:00", "closes": "24:00"}
SALE = {"start": DAY.format(6), "end": DAY.format(12), "channel": "email", "visitors": 300}
BOOM = {"kind": "launch", "start": DAY.format(8), "end": DAY.format(10), "factor": 3.0}
OUTAGE = {"kind": "outage", "start": DAY.format(9), "end": DAY.format(11)}

WORLDS = st.fixed_dictionaries(
    {
        "clock": st.fixed_dictionaries(
            {"hours": st.integers(1, 30), "start": st.sampled_from([DAY.format(0), "2026-03-03T05:17:41.123Z"])}
        ),
        "traffic": st.fixed_dictionaries(
            {"visitors_per_day": st.sampled_from([30.0, 300.0, 700.0])},
            optional={
                "campaigns": st.just({"c": SALE}),
                "events": st.just({"l": BOOM, "o": OUTAGE}),
                "growth_per_week": st.sampled_from([-0.5, 5.0]),
            },
        ),
        "intent": st.fixed_dictionaries({"target_conversion": st.floats(0.01, 0.9)}),
        "population": st.fixed_dictionaries(
            {
                "accounts": st.integers(1, 60),
                "account_rate": st.floats(0, 1),
                "second_device_rate": st.floats(0, 1),
                "invitation_hours": st.floats(0.1, 5),
            }
        ),
        "visits": st.fixed_dictionaries(
            {"return_rate": st.floats(0, 0.7), "gap_hours": st.floats(0.01, 5)},
            optional={"after_request_rate": st.sampled_from([0.5, 1.0])},
        ),
        "sales": st.fixed_dictionaries(
            {
                "wait_effect_per_day": st.sampled_from([0.0, -0.5, -5.0]),
                "lead_hours": st.sampled_from([0.0, 2.0]),
                "response_minutes": st.floats(0.01, 60),
                "slot_minutes": st.sampled_from([1.0, 45.0]),
                "teams": st.just({"default": ROUND_THE_CLOCK}),
            }
        ),
        "tracking": st.sampled_from([{}, DIRTY]),
    }
)
"""Settings of small worlds of every kind."""

LIVELY: dict[str, dict[str, Any]] = {
    "competitor": {"mean_days": 0.5},
    "discount_banner": {"check_minutes": 20.0, "minutes": 45.0, "shown_below": 20},
    "live_chat": {"agents": 1, "wants_rate": 0.9},
    "nurture_email": {"delay_hours": 1.0, "read_hours": 0.5, "click_rate": 0.9},
    "web_server": {"capacity": 1, "mean_seconds": 3.0},
    "webinar": {"seats": 5, "at_hour": 9.0},
}
"""Settings with which components meet many visitors of a small world; the others have their own."""


def built_in(name: str, label: str | None = None, **settings: Any) -> Component:
    """A component by its name in the registry, with lively settings."""
    part = ComponentSettings.model_validate({"use": name, **LIVELY.get(name, {}), **settings})
    component: Component = part.build(label or name)
    return component


REGISTERED = sorted(
    name
    for name in registered(COMPONENTS)
    if not any(field.is_required() for field in class_named(name, COMPONENTS).Settings.model_fields.values())
)
"""Names of all registered components that need no settings."""

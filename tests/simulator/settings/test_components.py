"""Claims about components in the settings of a world: what is checked before anything runs."""

from typing import Any

import pytest
from pydantic import ValidationError

from simulator.agents.component import Component
from simulator.errors import ComponentError
from simulator.model import Model
from simulator.settings.base import Settings
from simulator.settings.components import ComponentSettings, ProbeSettings
from simulator.settings.site import FormPageName, PageName
from simulator.settings.world import WorldSettings


class Sign(Component):
    """A component whose settings name pages in several ways."""

    class Settings(Settings):
        """Pages of the site, and a number that has a meaning in some worlds only."""

        page: PageName = "pricing"
        pages: tuple[PageName, ...] = ()
        form: FormPageName | None = None
        hour: int = 0

    def check(self, world: WorldSettings) -> None:
        """Refuse an hour after the end."""
        if self.settings.hour >= world.clock.hours:
            raise ValueError(f"hour: the clock has {world.clock.hours} hours")


def faults(**settings: Any) -> list[tuple[str, str]]:
    """Paths and messages of what is wrong with a sign in an ordinary world."""
    with pytest.raises(ValidationError) as caught:
        WorldSettings(components={"sign": ComponentSettings.of(Sign("sign", **settings))})
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in caught.value.errors()]


def test_pages_that_do_not_exist_are_refused_with_the_world():
    """In a setting, in a list of them and where a form is needed; all at once, each at its own path."""
    found = faults(page="princing", pages=["home", "nowhere"], form="pricing")
    assert [path for path, _ in found] == ["components.sign.page", "components.sign.pages.1", "components.sign.form"]
    assert "did you mean 'pricing'" in found[0][1]
    assert "page 'pricing' has no form; there are forms on white_paper" in found[2][1]


def test_a_class_checks_its_settings_against_the_world():
    """By a method of its own, for what no type says."""
    assert faults(hour=24) == [("components.sign", "hour: the clock has 24 hours")]
    WorldSettings(components={"sign": ComponentSettings.of(Sign("sign", hour=23))})


def test_a_default_page_that_the_site_lacks_is_refused_too():
    """A chat on the pricing page of a site without one would touch nobody, and nobody would know."""
    home = {"path": "/", "title": "t", "category": "c", "stage": "top", "exit_rate": 0.5, "links": {"home": 1.0}}
    site = {"host": "x.example.com", "pages": {"home": home}}
    landing = {"channels": {"direct": {"share": 1.0, "landing": {"home": 1.0}}}}
    world = {"site": site, "traffic": landing, "visits": {"return_landing": {"home": 1.0}}}
    WorldSettings.model_validate(world)
    with pytest.raises(ValidationError, match="there is no page 'pricing'"):
        WorldSettings.model_validate({**world, "components": {"chat": {"use": "live_chat"}}})


def test_sections_without_classes_are_not_written():
    """So a world without components is written as it was before there were any."""
    assert {"decision", "components", "probes"}.isdisjoint(WorldSettings().model_dump())
    world = WorldSettings(probes={"inbox": ProbeSettings(use="queue_length")})
    assert world.model_dump()["probes"] == {"inbox": {"use": "queue_length", "every_minutes": 15.0, "on_events": ()}}


@pytest.mark.parametrize("name", ["my chat", "a.b", "a/b", "", "decision"])
def test_names_are_parts_of_paths_and_streams(name: str):
    """A name must not look like a path, nor be the name of the decision model."""
    with pytest.raises(ValidationError):
        WorldSettings.model_validate({"components": {name: {"use": "live_chat"}}})


def test_names_of_two_components_do_not_collide():
    """Neither their own names, also where one is given in Python, nor those of their signals."""
    world = WorldSettings.model_validate({"components": {"chat": {"use": "live_chat"}}, "intent": {"intercept": -4.0}})
    with pytest.raises(ComponentError, match="two components have the name 'chat'"):
        Model(world, components=[Sign("chat")])
    chats = {"a": {"use": "live_chat"}, "b": {"use": "live_chat", "page": "docs"}}
    with pytest.raises(ComponentError, match="'a' and 'b' both have a signal 'live_chat'"):
        Model(WorldSettings.model_validate({"components": chats, "intent": {"intercept": -4.0}}))

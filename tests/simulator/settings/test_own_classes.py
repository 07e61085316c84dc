"""Claims about classes of a user's own: mistakes that would show as wrong numbers are errors, of one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from acting import HALF_DAY

import funnelsim as fs
from simulator.errors import ComponentError


def with_plain_settings() -> Any:
    """Settings that are no settings class."""

    class Plain(fs.Component):
        class Settings:
            agents = 3


def with_settings_of_components() -> Any:
    """Settings of a probe without those that each probe has."""

    class Scaled(fs.Probe):
        class Settings(fs.Settings):
            scale: fs.Positive = 2.0


def with_named_arguments() -> Any:
    """An argument that is no setting."""

    class Desk(fs.Component):
        def __init__(self, name: str | None = None, /, rate: float = 0.1) -> None:
            super().__init__(name)
            self.rate = rate


def with_an_argument_in_place_of_the_name() -> Any:
    """The same for a probe."""

    class Said(fs.Probe):
        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what


def with_a_misspelt_hook() -> Any:
    """A hook that would never be called."""

    class Misspelt(fs.Component):
        def on_veiw(self, visitor: fs.Visitor, page: fs.Page) -> None:
            visitor.leave()


def with_a_misspelt_array() -> Any:
    """A method that would never be called."""

    class Misspelt(fs.Component):
        def touch(self, plan: fs.Plan) -> Any:
            return plan.everybody


def without_type() -> Any:
    """A setting that Pydantic does not see."""

    class Untyped(fs.Component):
        class Settings(fs.Settings):
            agents = 3


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (with_plain_settings, r"Plain: its Settings must be derived from Settings: class Settings\(fs\.Settings\)$"),
        (
            with_settings_of_components,
            r"Scaled: .* derived from Probe\.Settings: class Settings\(fs\.Probe\.Settings\)$",
        ),
        (with_named_arguments, r"Desk\.__init__ must take .*; name rate in class Settings$"),
        (with_an_argument_in_place_of_the_name, r"Said\.__init__ must take .*; name what in class Settings$"),
        (with_a_misspelt_hook, r"Misspelt\.on_veiw\(\) is never called; did you mean on_view\(\)\?$"),
        (with_a_misspelt_array, r"Misspelt\.touch\(\) is never called; did you mean touches\(\)\?$"),
        (without_type, r"Untyped\.Settings: agents = 3 has no type; write agents: int = 3$"),
    ],
)
def test_a_class_that_would_not_do_what_it_says_is_refused(define: Callable[[], Any], message: str) -> None:
    """When it is defined, with a message that names the class and the fault."""
    with pytest.raises((ComponentError, TypeError), match=message) as found:
        define()
    assert "\n" not in str(found.value)


class Counting(fs.Component):
    """Has a state, a helper, and a method with nearly the name of a hook beside the hook itself."""

    rate = 0.5

    def __init__(self, name: str | None = None, /, **settings: object) -> None:
        super().__init__(name, **settings)
        self.n = 0

    def touches(self, plan: fs.Plan) -> Any:
        """Everybody."""
        return plan.everybody

    def touched(self) -> int:
        """Number of views."""
        return self.n

    def _on_views(self) -> None:
        self.n += 1

    def on_view(self, visitor: fs.Visitor, page: fs.Page) -> None:
        """Count."""
        self._on_views()


def test_what_does_no_harm_is_accepted() -> None:
    """A state, and helpers with names of their own; the component of a model that has run can go into another."""
    world = fs.WorldSettings.model_validate(HALF_DAY)
    component = Counting()
    assert (component.acts, component.only_decides) == (True, False)
    first = fs.Model(world, components=[component]).run()
    second = fs.Model(world, components=list(first.components.values())).run()
    assert component.n == 0 < first.components["Counting"].n == second.components["Counting"].n


def test_an_attribute_that_no_model_would_have_is_refused() -> None:
    """A model makes a component from its name and settings, so an attribute set on the object would be lost."""
    component = Counting()
    component.rate = 1.0
    with pytest.raises(ComponentError, match=r"Counting: .* without the attribute 'rate'; make it a setting"):
        fs.Model(fs.WorldSettings.model_validate(HALF_DAY), components=[component])

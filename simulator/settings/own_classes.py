"""What is checked of a class of a user's own when it is defined: the mistakes that would else show as wrong numbers."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from functools import cached_property
from inspect import Parameter, signature
from typing import Any, Final

from pydantic import BaseModel

from simulator.errors import ComponentError

_ALIKE: Final = 0.8
"""Similarity of names from which one is taken for the other, misspelt: that of ``on_veiw`` and ``on_view`` is 0.86."""

_NAMED: Final = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def check_class(cls: type[Any], settings: type[BaseModel], hooks: Collection[str] = ()) -> None:
    """Check a class that scenario files can name, when it is defined.

    Args:
        cls: The class.
        settings: Class from which its ``Settings`` must be derived.
        hooks: Names of methods that it may override, and may have misspelt.

    Raises:
        ComponentError: Its settings are of another class, its ``__init__`` takes what no model passes, or a method has
            nearly the name of a hook.
    """
    name = cls.__qualname__
    if not (isinstance(cls.Settings, type) and issubclass(cls.Settings, settings)):
        base = settings.__qualname__
        raise ComponentError(f"{name}: its Settings must be derived from {base}: class Settings(fs.{base})")
    parameters = list(signature(cls.__init__).parameters.values())[1:]
    own = [each.name for each in parameters if each.kind in _NAMED and each.name != "name"]
    if own or all(each.kind is not Parameter.VAR_KEYWORD for each in parameters):
        moved = f"; name {', '.join(own)} in class Settings" if own else ""
        raise ComponentError(
            f"{name}.__init__ must take (self, name=None, /, **settings), since each model makes an object of its own "
            f"from name and settings{moved}"
        )
    for method, value in vars(cls).items():
        meant = get_close_matches(method, hooks, n=1, cutoff=_ALIKE)
        # A private method, or one beside the hook itself, is a helper.
        if meant and callable(value) and not method.startswith("_") and meant[0] not in vars(cls):
            raise ComponentError(f"{name}.{method}() is never called; did you mean {meant[0]}()?")


def check_copy(part: object, copy: object) -> None:
    """Refuse attributes of a component or probe that the copy in a model, made from name and settings, does not have.

    Args:
        part: The component or probe.
        copy: Its copy.

    Raises:
        ComponentError: There is one.
    """
    if hasattr(part, "model"):
        return  # what a model has run has a state, which no other model should have
    cached = {name for name in vars(part) if isinstance(getattr(type(part), name, None), cached_property)}
    if lost := sorted(vars(part).keys() - vars(copy).keys() - cached):
        raise ComponentError(
            f"{type(part).__name__}: the model makes its own object from name and settings, without the attribute "
            f"{lost[0]!r}; make it a setting, or set it in a derived class"
        )

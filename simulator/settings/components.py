"""Components, probes and strategies (decision, routing, navigation, traffic sources), as scenario files name them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from simulator.settings.plugins import (
    COMPONENTS,
    DECISIONS,
    NAVIGATION,
    PROBES,
    ROUTING,
    SOURCES,
    allow_plugins,
    class_named,
    registered,
)

PartName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
"""Name of a component or probe: part of dotted paths and of the names of random streams."""

_OWN_CLASS = r"^[^:]+:[^:]+$"


class PartSettings(BaseModel):
    """A component or probe, as a scenario file has it: the class by ``use``, and beside it the settings of the class.

    Attributes:
        use: A registered name, or ``package.module:Class``.
        group: Group of entry points with the registered names.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    group: ClassVar[str]
    selected_by: ClassVar[str] = "use"
    """Setting on which all others depend: with another value, settings that a file has inherited have no meaning."""

    use: Annotated[str, StringConstraints(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, given: object, info: ValidationInfo) -> object:
        """Let the class check its own settings; a fault keeps its place in the file."""
        if isinstance(given, str):
            raise ValueError(f"must be a mapping such as {{use: {given}}} (got {given!r})")  # noqa: TRY004 - pydantic's
        if not isinstance(given, dict) or not isinstance(given.get("use"), str):
            return given
        settings, model = {name: value for name, value in given.items() if name != "use"}, cls.model_of(given)
        # In a file, as strict as all settings around: text is no number.
        is_file = info.mode == "json"
        checked = (
            model.model_validate_json(json.dumps(settings), strict=True) if is_file else model.model_validate(settings)
        )
        return {"use": given["use"], **checked.model_dump()}

    @classmethod
    def model_of(cls, given: Mapping[str, Any]) -> type[BaseModel]:
        """Model of the settings beside ``use``.

        Args:
            given: Settings that name a class.

        Raises:
            ValueError: There is no such class.
        """
        try:
            model: type[BaseModel] = class_named(given["use"], cls.group).Settings
        except ValueError as error:
            raise ValueError(f"use: {error}") from None
        return model

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe the settings of each registered class, and allow any beside a class of one's own."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        names = sorted(registered(cls.group))
        use = {**schema["properties"]["use"], "anyOf": [{"enum": names}, {"pattern": _OWN_CLASS}]}
        # A condition for each class, not a choice between all: an editor then names the one setting that is wrong.
        conditions = [
            {
                "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
                "then": _settings_schema(class_named(name, cls.group), name, handler),
            }
            for name in names
        ]
        head: dict[str, Any] = {key: schema[key] for key in ("title", "description") if key in schema}
        return {**head, "type": "object", "properties": {"use": use}, "required": ["use"]} | (
            {"allOf": conditions} if conditions else {}
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the class."""
        return dict(self.model_extra or {})

    @property
    def cls(self) -> type[Any]:
        """The class."""
        return class_named(self.use, self.group)

    @property
    def changed(self) -> dict[str, Any]:
        """Settings that differ from the defaults of the class.

        >>> ComponentSettings(use="live_chat", agents=1).changed
        {'agents': 1}
        """
        fields = self.cls.Settings.model_fields
        return {
            name: value
            for name, value in self.settings.items()
            if value != fields[name].get_default(call_default_factory=True)
        }

    @classmethod
    def of(cls, part: Any) -> Self:  # noqa: ANN401 - a component or a probe, which are further up
        """Settings that name the class of an object, with the object's own settings."""
        # The caller has made the object and so has run its code.
        allow_plugins(type(part).__module__)
        return cls(use=f"{type(part).__module__}:{type(part).__qualname__}", **part.settings.model_dump())

    def build(self, name: str) -> Any:  # noqa: ANN401 - a component or a probe, which are further up
        """Object of the class, with these settings.

        Args:
            name: Its name in the model.
        """
        return self.cls(name, **self.settings)

    def faults(self, name: str, world: object) -> Iterator[tuple[tuple[int | str, ...], str]]:
        """What does not fit the world: the path of each setting, and a message.

        Args:
            name: Name of the part.
            world: Settings of the world, whose own parts are valid.
        """
        yield from faults_of(self.cls, name, self.settings, world)


def faults_of(
    cls: type[Any], name: str, settings: Mapping[str, Any], world: object
) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """What does not fit the world: the path of each setting, and a message.

    Args:
        cls: Class of a component, a probe, a policy or a decision model.
        name: Its name.
        settings: Its settings.
        world: Settings of the world, whose own parts are valid.
    """
    try:
        cls.Settings.model_validate(dict(settings), context=world)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            yield detail["loc"], detail["msg"].removeprefix("Value error, ")
        return
    try:
        cls(name, **settings).check(world)
    except ValueError as error:
        yield (), str(error)


def _settings_schema(part: type[Any], name: str, handler: GetJsonSchemaHandler) -> dict[str, Any]:
    """Schema of the settings of a class, beside ``use``."""
    schema = dict(handler.resolve_ref_schema(handler(part.Settings.__pydantic_core_schema__)))
    # Nothing is required: a file may change some settings of a component that it inherits.
    schema.pop("required", None)
    # The docstring of the settings describes each of them.
    texts = [(part.__doc__ or "").partition("\n")[0], schema.get("description", "")]
    own = {"use": {}, **schema.pop("properties", {})}
    return {**schema, "title": name, "description": "\n\n".join(filter(None, texts)), "properties": own}


class ComponentSettings(PartSettings):
    """A component of a world."""

    group = COMPONENTS


class DecisionSettings(PartSettings):
    """The decision model of a world."""

    group = DECISIONS


class RoutingSettings(PartSettings):
    """The routing policy of the sales desk."""

    group = ROUTING


class SourceSettings(PartSettings):
    """A traffic source of a world."""

    group = SOURCES


class NavigationSettings(PartSettings):
    """The navigation model of the site."""

    group = NAVIGATION


class ProbeSettings(PartSettings):
    """A probe of a world."""

    group = PROBES


def name_of(place: tuple[str, ...]) -> str:
    """Name of a part in the model: its key in the scenario; those of traffic begin with the name of an arrival source.

    Args:
        place: Path of the part in the scenario.

    >>> name_of(("components", "chat")), name_of(("traffic", "sources", "fair", "budget"))
    ('chat', 'source:fair/budget')
    """
    if place[0] != "traffic":
        return place[-1]
    _, section, *keys = place
    return f"{section.removesuffix('s')}:{'/'.join(keys)}"


def check_parts(world: object, parts: Mapping[tuple[str, ...], PartSettings]) -> None:
    """Check components, probes and strategies against the world that they are for.

    Args:
        world: Settings of the world.
        parts: The parts by their paths in the scenario.

    Raises:
        pydantic.ValidationError: Something does not fit; with all faults.
    """
    faults = [
        # Braces in a message are no placeholders.
        InitErrorDetails(
            type=PydanticCustomError("value_error", "{fault}", {"fault": fault}), loc=(*place, *inner), input=None
        )
        for place, part in parts.items()
        for inner, fault in part.faults(name_of(place), world)
    ]
    if faults:
        raise ValidationError.from_exception_data("world", faults)

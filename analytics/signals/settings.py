"""Settings of user-defined signals, as in a scenario or a configuration file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from analytics.events.dimensions import DIMENSIONS, current_dimension
from analytics.events.enrichment import DERIVED_SCHEMA
from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA
from analytics.signals.definitions import (
    MULTI_PAGE_VISIT,
    SIGNALS,
    VISIT_KEY_COLUMNS,
    VISIT_OUTCOME_COLUMNS,
    EventCount,
    EverSeen,
    Expectation,
    Scope,
    SeenInOrder,
    SeenRecently,
    SessionLength,
    Signal,
)

_Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_Texts = Annotated[tuple[_Text, ...], Field(min_length=1, max_length=1000)]
_Values = Annotated[tuple[_Text | bool | int, ...], Field(max_length=1000)]
_Value = str | bool | int

_TAKEN: Final = frozenset({"intercept", *VISIT_KEY_COLUMNS, *VISIT_OUTCOME_COLUMNS})
"""Names of the columns of the visit table that are not signals, and of the intercept."""

_FORMS_OF_LENGTH: Final = frozenset(
    signal.name for signal in (*SIGNALS, MULTI_PAGE_VISIT) if isinstance(signal, SessionLength)
)
"""Built-in signals that are compared in other forms, and so keep their definitions."""

_BOOLEAN: Final = frozenset({"company_email"})
_NO_ATTRIBUTES: Final = frozenset({"extra", "is_bot"})
"""Columns that are not attributes of visitors: the JSON object of other properties, and the bot flag."""

_ATTRIBUTES: Final = {
    **{
        name: name
        for name, dtype in {**EVENT_SCHEMA, **DERIVED_SCHEMA}.items()
        if not dtype.is_temporal() and name not in _NO_ATTRIBUTES
    },
    **{name: dimension.expression.meta.root_names()[0] for name, dimension in DIMENSIONS.items()},
    # By the rule of channels: a campaign may stand in the address of the page alone.
    **{f"context_campaign_{name}": f"campaign_{name}" for name in ("source", "medium", "name")},
}
"""Column of the enriched events by its name and by the name of its dimension."""

_OPEN_PARTS: Final = ("properties", "context", "traits")
"""Parts of a Segment event with free properties."""

_FULL_COLUMNS: Final = {".".join(column.path): column.name for column in COLUMNS if not column.calls}
"""Columns that have the value at their path for every kind of call."""

# Polars' JSON path has no escapes for these.
_UNREADABLE: Final = frozenset("'\"[]\\")


def not_known(kind: str, name: str, known: Collection[str]) -> str:
    """Return the message for an unknown name, with a suggestion.

    Args:
        kind: Kind of the name, such as ``attribute``.
        name: The unknown name.
        known: Valid names.

    >>> not_known("signal", "pricng", ["pricing", "security"])
    "there is no signal 'pricng'; did you mean 'pricing'?"
    """
    # Hundreds of names help nobody who has misspelt one.
    near = get_close_matches(name, known, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
    return f"there is no {kind} {name!r}; {advice}"


def column_of(attribute: str) -> str:
    """Return the column of an attribute in the enriched events, or the path of a value without a column.

    Args:
        attribute: A column, a dimension such as ``industry``, or a path in the Segment event such as
            ``properties.plan``.

    Raises:
        ValueError: There is no such attribute.
    """
    attribute = current_dimension(attribute)
    if attribute in _ATTRIBUTES:
        return _ATTRIBUTES[attribute]
    first, *others = attribute.split(".")
    if not others:
        raise ValueError(not_known("attribute", attribute, [*_ATTRIBUTES, "properties.…"]))
    if first not in _OPEN_PARTS or not all(others) or _UNREADABLE.intersection(attribute):
        raise ValueError(f"{attribute!r} is no path of names below {', '.join(_OPEN_PARTS)}, such as 'properties.plan'")
    column = _FULL_COLUMNS.get(attribute, attribute)
    return _ATTRIBUTES.get(column, column)


def _values_of(column: str, values: Sequence[_Value]) -> tuple[str | bool, ...]:
    """Convert values to the type of the column.

    Raises:
        ValueError: There are none, or one has the wrong type.
    """
    if not values:
        raise ValueError("equals: must have at least 1 item")
    if column in _BOOLEAN:
        if not all(isinstance(value, bool) for value in values):
            raise ValueError("equals: must be [true] or [false] for this attribute")
        return tuple(bool(value) for value in values)
    if "." not in column and not all(isinstance(value, str) for value in values):
        raise ValueError("equals: must be strings for this attribute; put numbers, true and false in quotation marks")
    # Values in JSON are compared as strings.
    return tuple(_text(value) for value in values)


def _text(value: _Value) -> str:
    # As JSON writes true and false.
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Settings(BaseModel):
    """Common settings of all signals.

    Args:
        meaning: Description of the signal; for a binary signal it continues "a visitor who …". Derived from the other
            settings if not given.
        expectation: What an analyst would expect of it: ``high`` or ``low`` intent, or a circumstance (``context``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    meaning: _Text | None = None
    expectation: Expectation = "context"


class PageCategorySignal(_Settings):
    """Whether the visitor has seen a page of one of these categories.

    Args:
        kind: ``page_category``.
        categories: The categories, as in ``properties.category`` of page calls.
    """

    kind: Literal["page_category"]
    categories: _Texts

    def signal(self, name: str) -> Signal:
        """The signal of this name."""
        meaning = self.meaning or f"has seen a page on {_either(self.categories)}"
        return EverSeen(name, meaning, self.expectation, "category", self.categories)


class EventSignal(_Settings):
    """Whether one of these events has happened.

    Args:
        kind: ``event``.
        events: Names of track calls, such as ``Video Watched``.
    """

    kind: Literal["event"]
    events: _Texts

    def signal(self, name: str) -> Signal:
        """The signal of this name."""
        return EverSeen(
            name, self.meaning or f"has done {_either(self.events)}", self.expectation, "event", self.events
        )


class AttributeSignal(_Settings):
    """Whether an event of the visitor has one of these values in an attribute.

    Args:
        kind: ``attribute``.
        attribute: A column of the events or a dimension, such as ``industry`` or ``page``; or the path of a value in
            the Segment event, such as ``properties.plan`` or ``traits.plan``.
        equals: The values that count, spelled as in the events; ``[true]`` for ``company_email``.
    """

    kind: Literal["attribute"]
    attribute: _Text
    equals: _Values

    @model_validator(mode="after")
    def _can_stand_there(self) -> Self:
        attribute_values(self.attribute, self.equals)
        return self

    def signal(self, name: str) -> Signal:
        """The signal of this name."""
        meaning = self.meaning or f"has shown {self.attribute} {_either(self.equals)}"
        # Looked up again: the model is frozen, and keeps what the user wrote.
        return EverSeen(name, meaning, self.expectation, *attribute_values(self.attribute, self.equals))


class CountSignal(_Settings):
    """Number of page views, events or visits, or whether it reaches a threshold.

    Args:
        kind: ``count``.
        of: What is counted: ``page_views``, ``events`` of every kind, or ``visits`` including the current one.
        attribute: Count only events in which this attribute has one of the values in ``equals``; null for all events.
        equals: The values of ``attribute`` that count.
        within: ``visitor`` for all until the end of the visit, ``visit`` for this visit only.
        scale: ``count`` for the number, ``log1p`` for the natural logarithm of 1 + number.
        at_least: Threshold that makes it a binary signal.
        at_most: Number beyond which more make no difference.
    """

    kind: Literal["count"]
    of: Literal["page_views", "events", "visits"] = "page_views"
    attribute: _Text | None = None
    equals: _Values = ()
    within: Scope = "visitor"
    scale: Literal["count", "log1p"] = "count"
    at_least: Annotated[int, Field(ge=1)] | None = None
    at_most: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if (self.attribute is None) != (not self.equals):
            raise ValueError("attribute and equals belong together: give both or neither")
        if self.attribute is not None:
            attribute_values(self.attribute, self.equals)
        # A visit has many events, so it has no single value of an attribute.
        if self.of == "visits" and (self.attribute is not None or self.within == "visit"):
            raise ValueError("of: visits have no attribute and are counted within visitor")
        if self.at_least is not None and self.scale != "count":
            raise ValueError("scale: a binary signal (at_least) has none")
        if self.at_least is not None and self.at_most is not None:
            raise ValueError("at_most: a binary signal (at_least) has none")
        return self

    def signal(self, name: str) -> Signal:
        """The signal of this name."""
        column, values = (None, ()) if self.attribute is None else attribute_values(self.attribute, self.equals)
        counted = (self.of, column, values, self.within, self.scale, self.at_least, self.at_most)
        return EventCount(name, self.meaning or self._meaning(), self.expectation, *counted)

    def _meaning(self) -> str:
        what = self.of.replace("_", " ") + (f" with {self.attribute} {_either(self.equals)}" if self.equals else "")
        what += " so far" if self.within == "visitor" else " in the visit"
        what += f", at most {self.at_most}" if self.at_most is not None else ""
        if self.at_least is not None:
            return f"has {self.at_least} or more {what}"
        return f"natural logarithm of 1 + {what}" if self.scale == "log1p" else f"number of {what}"


class MinutesSignal(_Settings):
    """Minutes from the first to the last page view of the visit, or of all visits, or whether they exceed a threshold.

    Args:
        kind: ``minutes``.
        within: ``visit`` for this visit, ``visitor`` for the sum over all visits so far.
        scale: ``minutes``, or ``log1p`` for the natural logarithm of 1 + minutes.
        longer_than: Threshold in minutes that makes it a binary signal.
    """

    kind: Literal["minutes"]
    within: Scope = "visit"
    scale: Literal["minutes", "log1p"] = "minutes"
    longer_than: Annotated[float, Field(ge=0, le=1e6)] | None = None

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if self.longer_than is not None and self.scale != "minutes":
            raise ValueError("scale: a binary signal (longer_than) has none")
        return self

    def signal(self, name: str) -> Signal:
        """The signal of this name."""
        return SessionLength(
            name, self.meaning or self._meaning(), self.expectation, self.scale, self.within, self.longer_than
        )

    def _meaning(self) -> str:
        where = "the visit" if self.within == "visit" else "all visits so far"
        if self.longer_than is not None:
            return f"has spent more than {self.longer_than:g} minutes in {where}"
        return f"{'natural logarithm of 1 + ' if self.scale == 'log1p' else ''}minutes of {where}"


class SequenceSignal(_Settings):
    """Whether the visitor has done several things one after another, whatever came between.

    Args:
        kind: ``sequence``.
        steps: Page categories or names of track calls, in order: ``[security, pricing]`` for a view of pricing after
            one of security.
    """

    kind: Literal["sequence"]
    steps: Annotated[tuple[_Text, ...], Field(min_length=2, max_length=10)]

    def signal(self, name: str) -> Signal:
        """The signal of this name."""
        return SeenInOrder(name, self.meaning or f"has done {', then '.join(self.steps)}", self.expectation, self.steps)


class RecencySignal(_Settings):
    """Whether an event of late has one of these values in an attribute.

    Args:
        kind: ``recency``.
        attribute: As for ``attribute``; ``page_group`` for page categories, ``event`` for track calls.
        equals: The values that count.
        visits: Look back on this many visits, the current one included.
        hours: Look back on this many hours from the last page view of the visit. Give this or ``visits``.
    """

    kind: Literal["recency"]
    attribute: _Text
    equals: _Values
    visits: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    hours: Annotated[float, Field(gt=0, le=1e6)] | None = None

    @model_validator(mode="after")
    def _one_look_back(self) -> Self:
        if (self.visits is None) == (self.hours is None):
            raise ValueError("give visits or hours to look back on, and not both")
        attribute_values(self.attribute, self.equals)
        return self

    def signal(self, name: str) -> Signal:
        """The signal of this name."""
        back = f"{self.visits} visits" if self.hours is None else f"{self.hours:g} hours"
        meaning = self.meaning or f"has shown {self.attribute} {_either(self.equals)} within {back}"
        checked = attribute_values(self.attribute, self.equals)
        return SeenRecently(name, meaning, self.expectation, *checked, self.visits, self.hours)


def attribute_values(attribute: str, equals: Sequence[_Value]) -> tuple[str, tuple[str | bool, ...]]:
    """Return the column of an attribute, or its path in the event, and the values as they stand there.

    Args:
        attribute: As for :func:`column_of`.
        equals: Values of the settings.

    Raises:
        ValueError: There is no such attribute, or a value has the wrong type.
    """
    try:
        column = column_of(attribute)
    except ValueError as error:
        # Pydantic shows the message; the chain would show it twice.
        raise ValueError(f"attribute: {error}") from None
    return column, _values_of(column, equals)


def _either(values: Sequence[_Value]) -> str:
    return " or ".join(map(_text, values))


SignalSettings = Annotated[
    PageCategorySignal | EventSignal | AttributeSignal | CountSignal | MinutesSignal | SequenceSignal | RecencySignal,
    Field(discriminator="kind"),
]
"""Settings of one signal, of the seven kinds."""


def _with_free_names(signals: dict[str, SignalSettings]) -> dict[str, SignalSettings]:
    for name in signals:
        # Two columns of the visit table would else have one name.
        if name in _TAKEN:
            raise ValueError(f"{name}: is the name of a built-in signal or column; choose another")
        if name in _FORMS_OF_LENGTH:
            raise ValueError(
                f"{name}: is the name of a built-in signal, whose form session_length states; choose another"
            )
    return signals


_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
UserSignals = Annotated[dict[_Name, SignalSettings], AfterValidator(_with_free_names), Field(max_length=200)]
"""User-defined signals by name; one with the name of a built-in signal replaces it."""

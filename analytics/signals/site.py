"""One's own site in the settings: what its pages are, and the steps of its funnel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Self

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from analytics.events.pages import IS_PAGE, PageRule, checked_glob, looks_like_glob, matching
from analytics.events.tracking_plan import CallType, EventName, FunnelStage
from analytics.signals.definitions import EverSeen
from analytics.signals.expressions import shown
from analytics.signals.settings import attribute_values

_Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_Texts = Annotated[tuple[_Text, ...], Field(min_length=1, max_length=1000)]
_Value = _Text | bool | int
_Values = Annotated[tuple[_Value, ...], Field(min_length=1, max_length=1000)]


@dataclass(frozen=True, eq=False)
class FunnelStep:
    """A step of a funnel.

    Args:
        name: Name of the step.
        expression: Whether an event takes it, on enriched events.
    """

    name: str
    expression: pl.Expr


STAGE_STEPS: Final = (
    *(
        FunnelStep(str(stage), IS_PAGE & (pl.col("funnel_stage") == stage).fill_null(value=False))
        for stage in FunnelStage
    ),
    FunnelStep("demo request", (pl.col("event") == EventName.DEMO_REQUESTED).fill_null(value=False)),
)
"""The funnel of everybody who has none of their own: the stages of pages, then the demo request."""


class MappedPageSettings(BaseModel):
    """What the pages are that match a glob. What is not given stays as the events say it.

    Args:
        category: Page group in reports, such as ``security``; signals read it too.
        stage: Funnel stage: ``top``, ``middle`` or ``bottom``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: _Text | None = None
    stage: FunnelStage | None = None


class FunnelStepSettings(BaseModel):
    """A step of one's own funnel: page views, or events of a name.

    Args:
        step: Name of the step.
        page: Globs of pages, such as ``/pricing*``, or categories; one, or a list of which any will do.
        event: Names of track calls, likewise. Give this or ``page``.
        where: Values that the event must have in attributes, such as ``{properties.plan: pro}``; lists of values of
            which any will do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: _Text
    page: _Text | _Texts | None = None
    event: _Text | _Texts | None = None
    where: Annotated[dict[_Text, _Value | _Values], Field(max_length=10)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.page is None) == (self.event is None):
            raise ValueError("give page or event, and not both")
        for page in _texts(self.page):
            if looks_like_glob(page):
                _checked(page, "page: ")
        for attribute, wanted in self.where.items():
            try:
                attribute_values(attribute, _values(wanted))
            except ValueError as error:
                # Signals give their values under other keys; a bare name is mostly that of a property.
                reason = str(error).removeprefix("attribute: ").removeprefix("equals: ").partition("; there are ")[0]
                meant = (
                    f"; did you mean 'properties.{attribute}'?"
                    if "no attribute" in reason and "?" not in reason
                    else ""
                )
                raise ValueError(f"where: {reason}{meant}") from None
        return self

    def funnel_step(self, event_names: Mapping[str, str]) -> FunnelStep:
        """Return the step.

        Args:
            event_names: Names in the tracking plan of events that have been renamed to them.
        """
        if self.page is not None:
            pages = _texts(self.page)
            globs = [page for page in pages if looks_like_glob(page)]
            taken = pl.col("category").cast(pl.String).is_in([page for page in pages if page not in globs])
            taken = IS_PAGE & (taken | matching(globs) if globs else taken).fill_null(value=False)
        else:
            names = [name for given in _texts(self.event) for name in (given, event_names.get(given, given))]
            taken = ((pl.col("type") == CallType.TRACK) & pl.col("event").cast(pl.String).is_in(names)).fill_null(
                value=False
            )
        for attribute, wanted in self.where.items():
            column, values = attribute_values(attribute, _values(wanted))
            (has_value,) = shown([EverSeen("step", "", "context", column, values)])
            taken &= has_value
        return FunnelStep(self.step, taken)


def _texts(given: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def _values(given: _Value | _Values) -> tuple[_Value, ...]:
    return given if isinstance(given, tuple) else (given,)


def _checked(glob: str, place: str = "") -> None:
    try:
        checked_glob(glob)
    except ValueError as error:
        raise ValueError(f"{place}{error}") from None


def _with_globs(pages: dict[str, MappedPageSettings]) -> dict[str, MappedPageSettings]:
    for glob in pages:
        _checked(glob)
    return pages


def _with_different_names(steps: tuple[FunnelStepSettings, ...]) -> tuple[FunnelStepSettings, ...]:
    names = [step.step for step in steps]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two steps have the name {name!r}")
    return steps


Pages = Annotated[dict[str, MappedPageSettings], AfterValidator(_with_globs), Field(max_length=10_000)]
"""What pages are, by globs of their addresses; the first that matches applies."""

OwnFunnel = Annotated[tuple[FunnelStepSettings, ...], AfterValidator(_with_different_names), Field(max_length=50)]
"""Steps of one's own funnel, in their order."""


def page_rules(pages: Mapping[str, MappedPageSettings]) -> tuple[PageRule, ...]:
    """Return the rules of a mapping of pages, in its order.

    >>> page_rules({"/legal/*": MappedPageSettings(category="security", stage="bottom")})
    (PageRule(glob='/legal/*', category='security', stage='bottom'),)
    """
    return tuple(
        PageRule(glob, page.category, None if page.stage is None else str(page.stage)) for glob, page in pages.items()
    )

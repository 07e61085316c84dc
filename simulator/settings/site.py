"""The web site: its pages, the funnel stage of each, and the links between them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from analytics.events.tracking_plan import SERVER_SIDE_EVENTS, EventName, FunnelStage
from simulator.settings.base import Positive, Probability, Settings, Weights, defaults, unknown
from simulator.settings.components import NavigationSettings

MIN_EXIT_RATE = 0.01
"""Minimum probability of leaving the site from a page; it bounds the length of visits."""


def _sent_by_browser(event: EventName) -> EventName:
    if event in SERVER_SIDE_EVENTS:
        raise ValueError(f"{event.value!r} is sent by the company's servers; no form sends it")
    return event


class FormSettings(Settings):
    """A form on a page; it asks for an e-mail address and so identifies the visitor.

    Attributes:
        event: Event that is tracked when the form is submitted.
        asset: What the visitor receives.
        submit_rate: Probability that a reader of the page submits the form.
    """

    event: Annotated[EventName, AfterValidator(_sent_by_browser)]
    asset: str
    submit_rate: Probability


class PageSettings(Settings):
    """One page.

    Attributes:
        path: Path of its URL.
        title: Its title.
        category: Its page group in reports.
        stage: Funnel stage of its readers.
        exit_rate: Probability of leaving the site from this page; at least 0.01.
        links: Relative weights of the next page for readers who stay.
        dwell_seconds: Scale of the reading time in seconds: 63 % of readers leave the page within it.
        form: Form on the page, or null.
    """

    path: str = Field(pattern="^/")
    title: str
    category: str
    stage: FunnelStage
    # Without an exit, a page that links to itself would never end a visit.
    exit_rate: float = Field(ge=MIN_EXIT_RATE, le=1, strict=True)
    links: Weights
    dwell_seconds: Positive = 45.0
    form: FormSettings | None = None


DEFAULT_PAGES: Final = {name: PageSettings.model_validate(page) for name, page in defaults("pages").items()}
"""Pages of an ordinary B2B software site, by name. The figures are assumptions."""


class SiteSettings(Settings):
    """The pages and the address of the site.

    Attributes:
        host: Host name of the site; use the ``example.com`` family.
        pages: Pages by name.
        navigation: How visitors go from page to page: ``by_links`` unless given, ``toward_page``, or a class of your
            own.
    """

    host: str = "www.example.com"
    pages: dict[str, PageSettings] = Field(default_factory=lambda: dict(DEFAULT_PAGES), min_length=1)
    navigation: NavigationSettings | None = None

    @model_serializer(mode="wrap")
    def _without_navigation(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the model where none is named: files of worlds without one are what they were before."""
        return {name: value for name, value in write(self).items() if value is not None or name != "navigation"}

    @model_validator(mode="after")
    def _links_lead_somewhere(self) -> Self:
        for name, page in self.pages.items():
            for target in page.links:
                if target not in self.pages:
                    raise ValueError(f"pages.{name}.links: {unknown('page', target, self.pages)}")
        return self


def _known_page(page: str, info: ValidationInfo) -> str:
    # The world is there when it is checked whole; settings are also made without one.
    site = getattr(info.context, "site", None)
    if site is not None and page not in site.pages:
        raise ValueError(unknown("page", page, site.pages))
    return page


def _page_with_form(page: str, info: ValidationInfo) -> str:
    site = getattr(info.context, "site", None)
    if site is not None and site.pages[page].form is None:
        forms = [name for name, each in site.pages.items() if each.form is not None]
        raise ValueError(f"page {page!r} has no form; there are forms on {', '.join(forms) or 'no page'}")
    return page


PageName = Annotated[str, AfterValidator(_known_page)]
"""Name of a page in the settings of a component; a world without such a page is refused."""

FormPageName = Annotated[PageName, AfterValidator(_page_with_form)]
"""Name of a page that has a form."""

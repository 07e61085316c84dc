"""The web site: its pages, the funnel stage of each, and the links between them."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from analytics.events.tracking_plan import SERVER_SIDE_EVENTS, EventName, FunnelStage
from simulator.settings.base import Positive, Probability, Settings, Weights, unknown

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


_TOP, _MIDDLE, _BOTTOM = FunnelStage.TOP, FunnelStage.MIDDLE, FunnelStage.BOTTOM
_WHITE_PAPER = FormSettings(event=EventName.WHITE_PAPER_DOWNLOADED, asset="architecture-guide", submit_rate=0.42)
_WEBINAR = FormSettings(event=EventName.WEBINAR_REGISTERED, asset="product-tour", submit_rate=0.38)
_NEWSLETTER = FormSettings(event=EventName.NEWSLETTER_SUBSCRIBED, asset="monthly-digest", submit_rate=0.03)

DEFAULT_PAGES: Final = {
    "home": PageSettings(
        path="/",
        title="Home",
        category="home",
        stage=_TOP,
        exit_rate=0.32,
        dwell_seconds=30.0,
        links={
            "product": 0.40,
            "pricing": 0.14,
            "customers": 0.12,
            "blog": 0.10,
            "docs": 0.08,
            "about": 0.08,
            "careers": 0.05,
            "security": 0.03,
        },
    ),
    "product": PageSettings(
        path="/product",
        title="Product",
        category="product",
        stage=_MIDDLE,
        exit_rate=0.26,
        dwell_seconds=60.0,
        links={
            "pricing": 0.28,
            "integrations": 0.18,
            "customers": 0.18,
            "security": 0.12,
            "white_paper": 0.12,
            "docs": 0.12,
        },
    ),
    "integrations": PageSettings(
        path="/integrations",
        title="Integrations",
        category="integrations",
        stage=_MIDDLE,
        exit_rate=0.30,
        dwell_seconds=50.0,
        links={"docs": 0.40, "product": 0.30, "pricing": 0.20, "security": 0.10},
    ),
    # Most readers of the documentation view another page of it.
    "docs": PageSettings(
        path="/docs",
        title="Documentation",
        category="docs",
        stage=_MIDDLE,
        exit_rate=0.34,
        dwell_seconds=110.0,
        links={"docs": 0.55, "integrations": 0.15, "product": 0.15, "security": 0.10, "pricing": 0.05},
    ),
    "customers": PageSettings(
        path="/customers/northwind",
        title="Customer story: Northwind",
        category="customers",
        stage=_MIDDLE,
        exit_rate=0.32,
        dwell_seconds=70.0,
        links={"product": 0.35, "pricing": 0.30, "white_paper": 0.20, "home": 0.15},
    ),
    "white_paper": PageSettings(
        path="/resources/architecture-guide",
        title="White paper: architecture guide",
        category="resources",
        stage=_MIDDLE,
        exit_rate=0.38,
        dwell_seconds=55.0,
        links={"product": 0.40, "security": 0.20, "customers": 0.20, "pricing": 0.20},
        form=_WHITE_PAPER,
    ),
    "webinar": PageSettings(
        path="/resources/product-tour",
        title="Webinar: product tour",
        category="resources",
        stage=_MIDDLE,
        exit_rate=0.42,
        dwell_seconds=50.0,
        links={"product": 0.50, "customers": 0.30, "pricing": 0.20},
        form=_WEBINAR,
    ),
    "pricing": PageSettings(
        path="/pricing",
        title="Pricing",
        category="pricing",
        stage=_BOTTOM,
        exit_rate=0.36,
        dwell_seconds=60.0,
        links={"product": 0.35, "security": 0.20, "customers": 0.20, "home": 0.15, "docs": 0.10},
    ),
    "security": PageSettings(
        path="/security",
        title="Security and compliance",
        category="security",
        stage=_BOTTOM,
        exit_rate=0.34,
        dwell_seconds=75.0,
        links={"docs": 0.30, "pricing": 0.30, "product": 0.25, "white_paper": 0.15},
    ),
    "blog": PageSettings(
        path="/blog",
        title="Blog",
        category="blog",
        stage=_TOP,
        exit_rate=0.45,
        dwell_seconds=65.0,
        links={"blog": 0.45, "home": 0.20, "product": 0.20, "webinar": 0.15},
        form=_NEWSLETTER,
    ),
    "engineering_blog": PageSettings(
        path="/blog/engineering",
        title="Engineering blog",
        category="engineering_blog",
        stage=_TOP,
        exit_rate=0.52,
        dwell_seconds=120.0,
        links={"engineering_blog": 0.40, "docs": 0.30, "careers": 0.15, "home": 0.15},
    ),
    "careers": PageSettings(
        path="/careers",
        title="Careers",
        category="careers",
        stage=_TOP,
        exit_rate=0.40,
        dwell_seconds=60.0,
        links={"careers": 0.60, "about": 0.25, "home": 0.15},
    ),
    "about": PageSettings(
        path="/about",
        title="About us",
        category="about",
        stage=_TOP,
        exit_rate=0.42,
        dwell_seconds=40.0,
        links={"careers": 0.35, "home": 0.35, "customers": 0.30},
    ),
}
"""Pages of an ordinary B2B software site, by name. The figures are assumptions."""


class SiteSettings(Settings):
    """The pages and the address of the site.

    Attributes:
        host: Host name of the site; use the ``example.com`` family.
        pages: Pages by name.
    """

    host: str = "www.example.com"
    pages: dict[str, PageSettings] = Field(default_factory=lambda: dict(DEFAULT_PAGES), min_length=1)

    @model_validator(mode="after")
    def _links_lead_somewhere(self) -> Self:
        for name, page in self.pages.items():
            for target in page.links:
                if target not in self.pages:
                    raise ValueError(f"pages.{name}.links: {unknown('page', target, self.pages)}")
        return self

"""Dimensions by which traffic is segmented: location, acquisition, device, company and content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

import polars as pl

from analytics.errors import AnalyticsError
from analytics.renaming import current_name

NOT_SET: Final = "(not set)"
"""Value of a dimension that the events do not have, as in Google Analytics."""


class DimensionError(AnalyticsError):
    """A dimension is unknown or given twice, or there are too many; the message lists the dimensions."""


@dataclass(frozen=True, eq=False)
class Dimension:
    """A dimension of segments.

    Args:
        name: Name of the dimension; also its column in the tables of statistics.
        meaning: Description of the values.
        expression: Expression of the value on enriched events.
        touch: ``first``: each visitor has one value, the first that is known (first-touch attribution), so segments add
            up to the whole. ``any``: a visitor is in every segment of which they have viewed a page, so they do not.
    """

    name: str
    meaning: str
    expression: pl.Expr
    touch: Literal["first", "any"]


# Some senders give the path with its query, the whole address as the path, or the address alone.
_PATH: Final = (
    pl.coalesce("context_page_path", "context_page_url")
    .cast(pl.String)
    .str.extract(r"(?i)^(?:[a-z][a-z0-9+.-]*://[^/?#]*)?([^?#]*)")
    .replace("", "/")
)

_ALL: Final = (
    Dimension("region", "world region of the visitor", pl.col("region"), "first"),
    Dimension("country", "country of the visitor (ISO 3166-1 alpha-2)", pl.col("country_code"), "first"),
    Dimension("device", "desktop, mobile or tablet", pl.col("device_type"), "first"),
    Dimension("channel", "channel of the visitor's first touch", pl.col("channel"), "first"),
    Dimension("referrer", "referring site of the first touch", pl.col("referrer_domain"), "first"),
    Dimension("utm_source", "first campaign source", pl.col("campaign_source"), "first"),
    Dimension("utm_medium", "first campaign medium", pl.col("campaign_medium"), "first"),
    Dimension("utm_campaign", "first campaign name", pl.col("campaign_name"), "first"),
    Dimension("account", "company of the visitor", pl.col("context_group_id"), "first"),
    Dimension("industry", "industry of the visitor's company", pl.col("context_company_industry"), "first"),
    Dimension("company_size", "size band of the visitor's company", pl.col("context_company_size"), "first"),
    Dimension("arm", "arms of the visitor in the experiments", pl.col("context_experiments"), "first"),
    Dimension("page_group", "group of a page by its content: security, pricing, careers, …", pl.col("category"), "any"),
    Dimension("stage", "funnel stage of a page: top, middle or bottom", pl.col("funnel_stage"), "any"),
    Dimension("page", "path of a page, without query and fragment", _PATH, "any"),
)

DIMENSIONS: Final = {dimension.name: dimension for dimension in _ALL}
"""All dimensions by name."""

_RENAMED: Final = {"content": "page_group"}

By = str | Dimension | Sequence[str | Dimension] | None
"""One or several dimensions, by name or as your own objects; None for totals."""


def dimensions_of(by: By, *, at_most: int | None = None) -> tuple[Dimension, ...]:
    """Return dimensions by name.

    Args:
        by: Name of a dimension, your own dimension, or several of either; None for totals.
        at_most: Maximum number of dimensions.

    Raises:
        DimensionError: A dimension is unknown or given twice, or there are too many.

    >>> [dimension.name for dimension in dimensions_of(["region", "page_group"])]
    ['region', 'page_group']
    """
    wanted = () if by is None else (by,) if isinstance(by, str | Dimension) else tuple(by)
    found = tuple(item if isinstance(item, Dimension) else _named(item) for item in wanted)
    names = [dimension.name for dimension in found]
    if len(set(names)) < len(names):
        raise DimensionError(f"a dimension is given twice: {', '.join(names)}")
    if at_most is not None and len(found) > at_most:
        raise DimensionError(f"at most {at_most} dimensions can be combined here (got {', '.join(names)})")
    return found


def current_dimension(name: str) -> str:
    """Return the name that a dimension has now, with a FutureWarning where an old one is given.

    Args:
        name: Name of a dimension; one that is unknown is returned as it is.

    >>> current_dimension("region")
    'region'
    """
    return current_name(name, _RENAMED, "dimension")


def _named(given: str) -> Dimension:
    name = current_dimension(given)
    if name in DIMENSIONS:
        return DIMENSIONS[name]
    near = get_close_matches(name, DIMENSIONS, n=1)
    hint = f"did you mean {near[0]!r}? There" if near else "there"
    raise DimensionError(f"there is no dimension {name!r}; {hint} are {', '.join(DIMENSIONS)}")

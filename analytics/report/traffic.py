"""The report's section on traffic: counts by hour with their moving averages, of all visitors or of a segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from analytics.charts.traffic import hourly_chart, traffic_by
from analytics.events.dimensions import NOT_SET
from analytics.report.html import (
    MOST_CHOICES,
    Html,
    count,
    decimal,
    drawing,
    element,
    join,
    moment,
    number_table,
    numbers,
    radio_button,
)

if TYPE_CHECKING:
    from analytics.report.data import ReportData

__all__ = ["traffic_section"]

_MOST_TABLE_ROWS: Final = 200
_MOST_VALUES: Final = 4


@dataclass(frozen=True, eq=False)
class _Choice:
    """What the picker offers: all visitors, or those of a segment."""

    dimension: str
    value: str
    hourly: pl.DataFrame
    moving_average: pl.DataFrame

    @property
    def name(self) -> str:
        return self.value.replace("_", " ") if self.dimension else "all visitors"


def traffic_section(data: ReportData) -> Html:
    """Lay out page views and demo requests by hour, of all visitors and, behind a picker, of the largest segments.

    Args:
        data: What the report shows.
    """
    title = element("h2", "Traffic and demo requests by hour")
    if data.hourly.is_empty():
        return join([title, element("p", "There are no events, so there is nothing to draw.", class_="notice")])
    whole = _Choice("", "", data.hourly, data.moving_average)
    choices = [whole, *_segments(data.hourly_by)][:MOST_CHOICES]
    grain, window, traffic = traffic_by(data.hourly, data.moving_average)
    span = f"{data.moving_average_hours} hours" if window is None else f"{window} {grain}s"
    caption = (
        f"Bars: count in each {grain} (UTC), {grain}s without events included as 0. Line: moving average over the "
        f"running {grain} and those before it, {span} in all; it begins when they are full."
    )
    drawn = element("figure", *_panels(choices), element("figcaption", caption), class_="picker")
    return join([title, drawn, numbers(_table(grain, traffic))])


def _segments(hourly_by: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]]) -> Iterator[_Choice]:
    """The segments with the most page views, by dimension."""
    for dimension, (hourly, averages) in hourly_by.items():
        views = hourly.group_by(dimension).agg(pl.col("page_views").sum()).filter(pl.col(dimension) != NOT_SET)
        ranked = views.sort("page_views", dimension, descending=[True, False])[dimension].to_list()
        if len(ranked) > 1:
            for value in ranked[:_MOST_VALUES]:
                of_value = pl.col(dimension) == value
                yield _Choice(dimension, value, hourly.filter(of_value), averages.filter(of_value))


def _panels(choices: list[_Choice]) -> list[Html]:
    if len(choices) == 1:
        return [_panel(choices[0], 0)]
    picked = [element("div", _panel(c, index), class_=f"choice choice-{index}") for index, c in enumerate(choices)]
    return [_picker(choices), *picked]


def _picker(choices: list[_Choice]) -> Html:
    """Buttons of which one is pressed, without a script: what it shows hangs on its number."""
    groups: dict[str, list[Html]] = {}
    for index, choice in enumerate(choices):
        button = radio_button("traffic", f"pick-{index}", pressed=index == 0)
        groups.setdefault(choice.dimension, []).append(element("label", button, element("span", choice.name)))
    rows = [
        element("div", element("span", f"by {dimension}" if dimension else "", class_="soft"), *buttons)
        for dimension, buttons in groups.items()
    ]
    return element("fieldset", element("legend", "Whose traffic", class_="soft"), *rows)


def _panel(choice: _Choice, index: int) -> Html:
    grain, _, traffic = traffic_by(choice.hourly, choice.moving_average)
    busiest = traffic.sort("page_views", descending=True, maintain_order=True).row(0, named=True)
    alt_text = (
        f"Page views and demo requests of {choice.name} in {traffic.height} {grain}s; most page views, "
        f"{count(busiest['page_views'])}, in the {grain} of {moment(busiest['start'])} UTC"
    )
    whose = f" of {choice.name}" if index else ""
    return drawing(hourly_chart(traffic, whose), "traffic" if index == 0 else f"traffic{index}", alt_text, "wide")


def _table(grain: str, traffic: pl.DataFrame) -> Html:
    heads = [f"{grain} (UTC)", "page views", "average", "demo requests", "average"]
    rows = [
        (
            f"{row['start']:%Y-%m-%d %H:%M}",
            count(row["page_views"]),
            decimal(row["page_views_mean"], 1),
            count(row["demo_requests"]),
            decimal(row["demo_requests_mean"], 1),
        )
        for row in traffic.head(_MOST_TABLE_ROWS).to_dicts()
    ]
    return number_table(heads, rows, f"Counts by {grain}")

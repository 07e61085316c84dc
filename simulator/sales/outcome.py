"""Outcome of demo requests: one record each, and the usual measures of a sales team."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from analytics.events.times import HOUR_MS
from simulator.engine.clock import MINUTE_MS
from simulator.world.accounts import UNKNOWN_COMPANY, Company

Summary = dict[str, float | None]


class SalesStage(StrEnum):
    """Last step that a request has reached."""

    REQUESTED = "requested"
    RESPONDED = "responded"
    SCHEDULED = "scheduled"
    MISSED = "missed"
    HELD = "held"
    OPPORTUNITY = "opportunity"
    WON = "won"


@dataclass
class DemoRequest:
    """One request and its progress. Times are simulated ms; None for steps that have not happened.

    Attributes:
        visitor: Anonymous identifier of the visitor.
        region: World region of the visitor.
        requested_ms: When the form was submitted.
        response_ms: Length of the response in ms, from when an SDR starts it.
        stage: Last step reached.
        responded_ms: When a sales development representative started the response.
        scheduled_ms: When the demo was booked.
        slot_ms: Start of the booked slot; it may lie ahead.
        held_ms: End of the demo.
        missed_ms: End of a slot that the buyer missed.
        opportunity_ms: When it became an opportunity.
        won_ms: When the deal was won.
        deal_value: Value of the deal in US dollars a year.
        company: Company of the visitor.
        team: Name of the team that it went to.
        account_executive: Account executive who holds the demo, such as ``europe-3``; None until it is booked.
    """

    visitor: str
    region: str
    requested_ms: int
    response_ms: int
    stage: SalesStage = SalesStage.REQUESTED
    responded_ms: int | None = None
    scheduled_ms: int | None = None
    slot_ms: int | None = None
    held_ms: int | None = None
    missed_ms: int | None = None
    opportunity_ms: int | None = None
    won_ms: int | None = None
    deal_value: float | None = None
    company: Company = UNKNOWN_COMPANY
    team: str | None = None
    account_executive: str | None = None


_TIMES = ("requested", "response", "responded", "scheduled", "slot", "held", "missed", "opportunity", "won")
"""Times of a request: milliseconds in the record, and seconds in the table."""


@dataclass(frozen=True)
class TeamHours:
    """Working time of a team up to some time, in seconds, summed over its representatives."""

    sdrs_s: float
    executives_s: float


@dataclass(frozen=True)
class SalesOutcome:
    """Results of the sales desk.

    Attributes:
        requests: One row per request, in order: ``anonymous_id``, ``account`` (null where it is not recognised),
            ``region``, ``team``, ``account_executive`` (such as ``europe-3``, null until a demo is booked), ``stage``;
            ``requested_s``, ``responded_s``, ``scheduled_s``, ``held_s``, ``missed_s``, ``opportunity_s``, ``won_s``
            (seconds since the start, null for steps that have not happened),
            ``slot_s`` (start of the booked slot, which may lie ahead), ``deal_value`` (US dollars a year, null unless
            won), ``response_minutes`` (speed-to-lead: from the request to the start of the response) and
            ``slot_wait_hours`` (from booking to the slot).
        summary: Counts ``requests``, ``responded``, ``scheduled``, ``held``, ``missed``, ``opportunities``,
            ``deals_won``, their ``deal_value``; ``held_rate`` and ``no_show_rate`` of the demos whose slot is over;
            mean and 90 % quantile of ``response_minutes`` and ``slot_wait_hours``; ``sdr_utilisation`` and
            ``executive_utilisation``: time spent on responses, and in slots held or missed, divided by working time.
            Work is finished after closing, so a utilisation can exceed 1. None where a mean or ratio is undefined.
        by_region: The same for each region with a request, with the utilisations of the teams that served it; sorted by
            region.
    """

    requests: pl.DataFrame
    summary: Summary
    by_region: pl.DataFrame


def sales_outcome(
    requests: list[DemoRequest], hours: Mapping[str, TeamHours], slot_ms: int, now_ms: int
) -> SalesOutcome:
    """Summarise the requests.

    Args:
        requests: The requests, in order.
        hours: Working time of each team until now.
        slot_ms: Length of a demo slot in ms.
        now_ms: Current simulated time in ms.
    """
    table = _table(requests)
    busy = table.select(
        "team",
        # A response that is not finished has taken until now.
        sdrs=pl.min_horizontal("response_s", now_ms / 1000 - pl.col("responded_s")),
        # A slot that is in progress counts up to now, one in the future not at all.
        executives=(now_ms / 1000 - pl.col("slot_s")).clip(0, slot_ms / 1000),
    )
    table = table.drop("response_s")

    def measures(rows: pl.DataFrame, teams: Collection[str]) -> Summary:
        work = busy.filter(pl.col("team").is_in(list(teams)))
        return {
            **request_measures(rows),
            "sdr_utilisation": _ratio(float(work["sdrs"].sum()), sum(hours[team].sdrs_s for team in teams)),
            "executive_utilisation": _ratio(
                float(work["executives"].sum()), sum(hours[team].executives_s for team in teams)
            ),
        }

    summary = measures(table, hours)
    # Of all teams that have served a region: one, if they are named after regions.
    regions = {
        str(region): measures(rows, rows["team"].unique().sort().to_list())
        for (region,), rows in table.sort("region", maintain_order=True).group_by("region", maintain_order=True)
    }
    schema = {"region": pl.String} | {name: pl.Float64 if _is_share(name) else pl.Int64 for name in summary}
    # Built from rows: an empty list still has the schema's columns.
    rows = [{"region": region, **values} for region, values in regions.items()]
    return SalesOutcome(table, summary, pl.DataFrame(rows, schema=schema))


def _table(requests: list[DemoRequest]) -> pl.DataFrame:
    words = {
        "anonymous_id": [request.visitor for request in requests],
        "account": [request.company.account for request in requests],
        "region": [request.region for request in requests],
        "team": [request.team for request in requests],
        "account_executive": [request.account_executive for request in requests],
        "stage": [str(request.stage) for request in requests],
    }
    times_ms = {f"{name}_s": [getattr(request, f"{name}_ms") for request in requests] for name in _TIMES}
    values = {"deal_value": [request.deal_value for request in requests]}
    schema = dict.fromkeys(words, pl.String()) | dict.fromkeys(times_ms, pl.Int64()) | {"deal_value": pl.Float64()}
    # All expressions read the milliseconds, whatever the columns are called.
    return pl.DataFrame({**words, **times_ms, **values}, schema=schema).with_columns(
        pl.col(*times_ms) / 1000,
        response_minutes=(pl.col("responded_s") - pl.col("requested_s")) / MINUTE_MS,
        slot_wait_hours=(pl.col("slot_s") - pl.col("scheduled_s")) / HOUR_MS,
    )


def request_measures(rows: pl.DataFrame) -> Summary:
    """Counts, rates and waits of some requests: all measures except the utilisations.

    Args:
        rows: Some rows of :attr:`SalesOutcome.requests`.
    """
    held, missed = rows["held_s"].count(), rows["missed_s"].count()
    return {
        "requests": rows.height,
        "responded": rows["responded_s"].count(),
        "scheduled": rows["scheduled_s"].count(),
        "held": held,
        "missed": missed,
        "opportunities": rows["opportunity_s"].count(),
        "deals_won": rows["won_s"].count(),
        "deal_value": float(rows["deal_value"].sum()),
        "held_rate": _ratio(held, held + missed),
        "no_show_rate": _ratio(missed, held + missed),
        **_spread(rows["response_minutes"]),
        **_spread(rows["slot_wait_hours"]),
    }


def _spread(waits: pl.Series) -> Summary:
    """Mean and 90 % quantile of the known waits; None if there are none."""
    # The mean is NumPy's: its pairwise sum is the same however the table was put together.
    quantile, found = waits.quantile(0.9, "linear"), waits.drop_nulls().to_numpy()
    return {f"{waits.name}_mean": float(found.mean()) if len(found) else None, f"{waits.name}_p90": quantile}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _is_share(name: str) -> bool:
    """Whether a measure is a real number rather than a count."""
    return name.startswith(("deal_value", "response_", "slot_")) or name.endswith(("_rate", "_utilisation"))

"""What a store on disk contains, as plain data and as the command line prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from rich.table import Table

from analytics.analysis import Analysis
from analytics.durable.recovery import read_recovered
from analytics.durable.upkeep.forgetting import Forgotten
from analytics.durable.upkeep.health import health_of
from analytics.durable.upkeep.reprocessing import Reprocessed
from analytics.durable.upkeep.rewinding import Rewound
from analytics.events.dimensions import Dimension, current_dimension, dimensions_of
from analytics.events.pages import category_and_stage
from analytics.html.frames import shown_texts
from analytics.ingestion import Ingested
from analytics.settings import AnalyticsSettings
from analytics.statistics.event_names import renamed
from analytics.store.counts import Counts
from analytics.store.event_store import EventStore
from scenarios.cli.text.runs import totals_text
from scenarios.cli.text.tables import Parts, alert, funnel_line, page, table

_MOST_ROWS: Final = 25
"""Segments that are printed, about a screen; the rest is summed in one row."""

_OF_PAGES: Final = ("page_group", "stage")
"""Dimensions that events of other sites lack, until somebody maps their pages."""


@page
def ingest_text(done: Ingested, folder: Path) -> Parts:
    """Summarise a call of ``ingest``: counts of this call and of the store, and how far each source was read.

    Args:
        done: What was read and stored.
        folder: Folder of the store.
    """
    yield f"{folder}: {done.recovery}" if done.recovery.n_records or done.recovery.n_bytes_cut else str(folder)
    yield ""
    both = zip(asdict(done.counts).items(), asdict(done.store_counts).values(), strict=True)
    yield table(((name, f"{n:,}", f"{total:,}") for (name, n), total in both), ("", "this call", "store"))
    yield from (f"  of these {n:,} {reason}" for reason, n in done.invalid_by_reason.items())
    if done.counts_again.received:
        yield f"  confirmed by others, and taken in again: {done.counts_again.received:,}"
    yield from (alert(f"  warning: {warning}") for warning in done.warnings)
    yield ""
    if done.was_stopped:
        yield "stopped on request; run the same command to resume"
    yield from (f"read {name}: {_position(offset)}" for name, offset in done.offsets.items())


@page
def reprocessed_text(done: Reprocessed, folder: Path) -> Parts:
    """Summarise a call of ``reprocess``.

    Args:
        done: What became of the events.
        folder: Folder of the store.
    """
    counts = done.counts
    yield str(folder)
    yield ""
    yield table(((name, f"{n:,}") for name, n in asdict(counts).items()), ("", "taken again"))
    yield ""
    if counts.invalid:
        yield f"{counts.invalid:,} stay dead letters"
    if done.stream_time is not None:
        late = f"; {counts.late:,} are late still, and funnelsim rewind may set it back" if counts.late else ""
        yield f"stream time is {_time(done.stream_time)}{late}"
    if done.was_stopped:
        yield "stopped on request; run the same command to resume"


@page
def forgotten_text(done: Forgotten, folder: Path, *, dry_run: bool = False) -> Parts:
    """Summarise a call of ``forget``, without naming the person again.

    Args:
        done: What was removed.
        folder: Folder of the store.
        dry_run: Whether nothing was changed.
    """
    yield f"{folder}: nothing was changed; without --dry-run it would be:" if dry_run else str(folder)
    yield ""
    rows = {
        "identifiers of the person": len(done.identifiers),
        "events removed from the window": done.n_window,
        "events removed from the archive": done.n_archive,
        "dead letters and late events removed": done.n_letters,
        "texts of others blacked out": done.n_mentions,
        "names of sources blacked out": done.n_sources,
        **({} if dry_run else {"files of events searched": done.n_tables}),
    }
    yield table((name, f"{n:,}") for name, n in rows.items())
    yield ""
    if not done.is_found:
        yield alert("nothing of this person was found; is the identifier the one that the events have?")
    elif not dry_run:
        yield "no file of the store has any of the identifiers now; the sources, copies and backups are not part of it"
    if done.has_short:
        yield "an identifier of fewer than six characters was looked for among identifiers only, not in other texts"
    if done.n_sources and not dry_run:
        yield "ingest would read the blacked-out sources from their beginnings, and bring the person back"


@page
def rewound_text(done: Rewound, folder: Path) -> Parts:
    """Summarise a call of ``rewind``.

    Args:
        done: What was changed.
        folder: Folder of the store.
    """
    yield (
        f"{folder}: stream time is {_time(done.stream_time)} now; {done.n_removed:,} later events are dead letters, "
        f"and {done.n_hours:,} hours came back from the archive. Take in late events with"
    )
    yield f"  funnelsim reprocess --store {folder} --from late"


def stats_data(
    folder: Path,
    by: Sequence[str],
    settings: AnalyticsSettings,
    *,
    now: datetime | None = None,
    max_lag: timedelta | None = None,
) -> dict[str, Any]:
    """Read a store, and return what it contains as plain data.

    Persons are found in the events of the window; what joined their identifiers before it is not known any more.

    Args:
        folder: Folder of the store.
        by: Dimensions to group page views by, if any.
        settings: The analyst's choices: names of one's own, a mapping of pages, whether persons are counted.
        now: The present, if lag matters.
        max_lag: The longest lag that is no alarm.

    Raises:
        StoreError: There is no store, or it cannot be read.
        DimensionError: A dimension is unknown or named twice.
    """
    by = [current_dimension(name) for name in by]
    store, recovery = read_recovered(folder, settings.own_names)
    window = store.window
    dimensions = [_mapped(dimension, settings) for dimension in dimensions_of(by)]
    analysis = Analysis(lambda: renamed(store.events(), settings.event_names), settings)
    return {
        **asdict(store.counts),
        "again": asdict(store.counts_again),
        "forgotten": store.n_forgotten,
        "health": health_of(store, recovery, now=now, max_lag=max_lag).to_dict(),
        "stream_time": store.stream_time,
        "window": None if window is None else {"begin": window[0], "end": window[1]},
        "lateness": asdict(store.lateness),
        "future": store.n_future,
        "ignored_times": dict(store.ignored_times),
        "by_type": dict(store.counts_by_type),
        "invalid_by_reason": {str(reason): n for reason, n in store.dead_letter_counts.items()},
        "totals": analysis.statistics.totals().to_dicts()[0],
        "funnel": analysis.statistics.funnel().to_dicts(),
        "pages": analysis.pages.to_dict(),
        "warnings": [*recovery.warnings, *_stats_warnings(store, analysis)],
        "hours": store.hourly().to_dicts(),
        **({"by": by, "views": _shown_views(store.views(dimensions), by).to_dicts()} if by else {}),
    }


def _shown_views(views: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Page views by segment as people are shown them: those of pages that differ in personal data only are summed.

    Args:
        views: As of ``EventStore.views``.
        by: Columns of the segment.
    """
    shown = views.with_columns(shown_texts(views[name]) for name in by)
    return shown.group_by(pl.exclude("page_views"), maintain_order=True).agg(pl.col("page_views").sum())


def _mapped(dimension: Dimension, settings: AnalyticsSettings) -> Dimension:
    """The dimension, by what a mapping says of pages where it is one of pages."""
    if not settings.pages or dimension.name not in _OF_PAGES:
        return dimension
    expression = category_and_stage(settings.page_rules)[_OF_PAGES.index(dimension.name)]
    return replace(dimension, expression=expression)


def _stats_warnings(store: EventStore, analysis: Analysis) -> list[str]:
    """Warnings for a reader of the totals.

    Args:
        store: The store.
        analysis: The analysis of the events of the window.
    """
    if not store.n_accepted:
        return [f"no event was accepted, of {store.counts.received:,} received, so there is nothing to count"]
    if not analysis.n_events:
        return [f"all {store.n_accepted:,} accepted events have left the window, so there is nothing to count"]
    of_coverage = analysis.coverage.warnings(stitch=analysis.settings.stitch)
    return [*analysis.name_warnings, *of_coverage, *analysis.pages.warnings]


@page
def stats_text(data: dict[str, Any]) -> Parts:
    """Summarise what a store contains.

    Args:
        data: From :func:`stats_data`.
    """
    yield table((name, f"{data[name]:,}") for name in asdict(Counts()))
    yield from (f"  of these {n:,} {reason}" for reason, n in data["invalid_by_reason"].items())
    if data["future"]:
        yield f"  {data['future']:,} claimed a time after their arrival, and count at their arrival"
    if data["ignored_times"]:
        keys = ", ".join(f"{key} {n:,}" for key, n in data["ignored_times"].items())
        yield f"  times that could not be read, and were not needed: {keys}"
    mean_s, max_s = data["lateness"]["mean_s"], data["lateness"]["max_s"]
    if max_s is not None and mean_s is not None:
        yield f"  lateness: mean {mean_s / 3600:,.1f} hours, maximum {max_s / 3600:,.1f} hours"
    if data["again"]["received"]:
        taken = ", ".join(f"{name} {n:,}" for name, n in data["again"].items() if n)
        yield f"  taken in again: {taken}"
    if data["forgotten"]:
        yield f"  forgotten {data['forgotten']:,} of the accepted, with the persons they were of"
    warnings = dict.fromkeys((*data["warnings"], *data["health"]["problems"]))
    yield from (alert(f"  warning: {warning}") for warning in warnings)
    yield ""
    if data["window"] is None:
        yield "no events yet"
        return
    yield f"stream time {_time(data['stream_time'])}"
    yield from totals_text(data["totals"])
    if data["totals"]["visitors"]:
        yield funnel_line(data["funnel"])
    yield ""
    yield _segments(data) if "views" in data else _hours(data["hours"])


def _position(offset: Mapping[str, Any]) -> str:
    """Write how far a source was read.

    Args:
        offset: Position in the source: ``lines``, ``rows`` or ``records`` of a file, or the ``offset`` of a partition.

    >>> _position({"lines": 1200, "bytes": 400_000})
    '1,200 lines'
    >>> _position({"lines": 1})
    '1 line'
    """
    units = {"lines", "rows", "records", "offset"}
    return ", ".join(
        f"{n:,} {name.removesuffix('s') if n == 1 else name}" for name, n in offset.items() if name in units
    )


def _hours(hours: list[dict[str, Any]]) -> Table:
    """Counts of each hour of the window.

    Args:
        hours: Rows of :meth:`analytics.store.event_store.EventStore.hourly`.
    """
    names = ("n_events", "n_page_views", "n_demo_requests")
    rows = (
        (f"{_time(hour['hour'])}{', in part' * hour['partial']}", *(f"{hour[name]:,}" for name in names))
        for hour in hours
    )
    return table(rows, ("hour", "events", "page views", "demo requests"))


def _segments(data: dict[str, Any]) -> Table:
    """Page views in the whole window, the largest segments first.

    Args:
        data: From :func:`stats_data`, with ``by`` and ``views``.
    """
    by, rows = data["by"], []
    if data["views"]:
        # Views are counted by hour; the window is their sum. Equal numbers are ordered by name, to be stable.
        views = pl.DataFrame(data["views"]).group_by(by).agg(pl.col("page_views").sum())
        ranked = views.sort("page_views", *by, descending=[True, *(False for _ in by)])
        rows = [(", ".join(map(str, segment)), f"{n:,}") for *segment, n in ranked.head(_MOST_ROWS).iter_rows()]
        if (left := ranked.height - _MOST_ROWS) > 0:
            rows.append((f"{left:,} more", f"{ranked['page_views'].tail(left).sum():,}"))
    return table(rows, (", ".join(by), "page views"))


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"

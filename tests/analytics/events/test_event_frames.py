"""Claims about what is no table of events: names of others are refused, and never counted as zeros."""

from collections.abc import Callable

import polars as pl
import pytest

from analytics.errors import EventFrameError
from analytics.events.enrichment import conform, enrich
from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA
from analytics.sessions.visits import assign_visits, visit_table
from analytics.statistics.funnel import FunnelStatistics

TIME = "2026-03-03T09:00:00Z"
ROW = {"type": "page", "message_id": "1", "anonymous_id": "a", "user_id": "u", "received_at": TIME}
KEYS = {column.name: column.path[-1] for column in COLUMNS}
USES = [FunnelStatistics, visit_table, assign_visits, enrich, conform]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({KEYS[name]: value for name, value in ROW.items()}, "anonymousId is called anonymous_id"),
        ({name.upper(): value for name, value in ROW.items()}, "TYPE is called type"),
        ({name: value for name, value in ROW.items() if name != "type"}, "no column type.* columns are message_id"),
        ({"colour": "red"}, "no column type.*read_events.*columns are colour"),
    ],
)
def test_other_tables_are_refused(use: Callable[[pl.DataFrame], object], row: dict[str, str], message: str):
    """A table with other names says which it has, which are meant and what to do; nowhere is it a table of zeros."""
    with pytest.raises(EventFrameError, match=message):
        use(pl.DataFrame([row]))


@pytest.mark.parametrize("use", USES[:3])
@pytest.mark.parametrize(
    ("missing", "message"), [(("anonymous_id", "user_id"), "whose its events are"), (("received_at",), "happened")]
)
def test_what_cannot_be_counted_is_refused(
    use: Callable[[pl.DataFrame], object], missing: tuple[str, ...], message: str
):
    """Events of nobody, or of no time, are in no figure: where no column says either, there are no figures."""
    with pytest.raises(EventFrameError, match=f"none of the columns .*{missing[0]}.*{message}"):
        use(pl.DataFrame([ROW]).drop(missing))


@pytest.mark.parametrize("use", USES)
def test_tables_of_events_are_taken(use: Callable[[pl.DataFrame], object]):
    """One without rows is that of no events, and columns of one's own may have any name that is not taken for ours."""
    for table in (pl.DataFrame(schema=EVENT_SCHEMA), pl.DataFrame(), pl.DataFrame([ROW | {"userId": "U", "hue": 1}])):
        use(table)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            [TIME, "yesterday", "soon"],
            "2 of 3 rows have no time there, such as 'yesterday';.*EventStore.*usable_events",
        ),
        ([1_772_528_400, 1_772_528_401, None], "2 of 3 rows .* 1772528400, which looks like epoch seconds"),
        ([1_772_528_400.0, float("nan"), None], "1 of 3 rows .* epoch seconds"),
    ],
)
def test_rows_without_a_readable_time_are_counted(times: list[object], message: str):
    """The message says how many, shows one, and names what leaves such rows out."""
    table = pl.DataFrame({"type": "page", "anonymous_id": "a", "received_at": times}, strict=False)
    with pytest.raises(EventFrameError, match=message):
        FunnelStatistics(table)


def test_gaps_among_numbers_are_no_unreadable_times():
    """Pandas has NaN where a number is missing."""
    times = pl.DataFrame({"type": "page", "received_at": [1_772_528_400_000.0, float("nan")]})
    assert conform(times)["received_at"].null_count() == 1

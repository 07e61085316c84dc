"""Which rows of a table are of use."""

from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics import usable_rows as module
from analytics.tracking import EARLIEST, LATEST, MAX_ID_LENGTH
from analytics.usable_rows import usable_rows

Maker = Callable[..., pl.DataFrame]
MS = timedelta(milliseconds=1)
IDENTIFIERS = st.sampled_from([None, "", "a", "a" * MAX_ID_LENGTH, "a" * (MAX_ID_LENGTH + 1), "ü" * MAX_ID_LENGTH])
TIMES = st.sampled_from([None, EARLIEST - MS, EARLIEST, LATEST, LATEST + MS])
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([None, "page", "alias", "Page"]),
        **dict.fromkeys(("message_id", "anonymous_id", "user_id"), IDENTIFIERS),
        **dict.fromkeys(("received_at", "sent_at"), TIMES),
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=3))
def test_the_quick_look_takes_no_row_for_fine_that_is_not(make_events: Maker, rows: list[dict[str, str | datetime]]):
    """Where the extremes of the columns say that all rows are fine, a look at every row says so too."""
    frame = make_events(*rows)
    if module._are_all_fine(frame):
        assert frame.select(module._FINE).to_series().all()


def test_the_quick_look_is_enough_for_usual_events(make_events: Maker):
    """Events as they should be are taken as they are, also where the texts of one column are all missing."""
    frame = make_events({}, {"type": "track", "message_id": "m" * MAX_ID_LENGTH})
    assert module._are_all_fine(frame)
    assert usable_rows(frame).frame is frame

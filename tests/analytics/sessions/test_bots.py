"""What gives a program away, and how that is scored."""

import polars as pl
import pytest
from flat_events import CRAWLER, make_events
from hypothesis import given, settings, strategies as st

from analytics.events.tracking_plan import EVENT_SCHEMA, EventName
from analytics.sessions.bots import BotSettings, score_bots, tag_bots
from analytics.statistics.funnel import FunnelStatistics


def views(who: str, *seconds: float, **columns: object) -> list[dict[str, object]]:
    """Page views of a visitor so many seconds after START."""
    return [
        {"anonymous_id": who, "at": at / 3600, "message_id": f"{who}{n}", **columns} for n, at in enumerate(seconds)
    ]


def rules(frame: pl.DataFrame, options: BotSettings | None = None) -> dict[str, str | None]:
    """The rule that found each visitor out."""
    tagged = tag_bots(frame, options)
    assert tagged.select("message_id").equals(frame.select("message_id"))
    return dict(tagged.select("anonymous_id", "bot_rule").unique().iter_rows())


def test_a_program_that_says_so_is_tagged_with_all_that_it_does():
    """One user agent is enough, also for what came without one."""
    frame = make_events(*views("a", 0, context_user_agent=CRAWLER), *views("a", 500), *views("b", 0))
    assert rules(frame) == {"a": "user_agent", "b": None}
    assert tag_bots(frame)["is_bot"].to_list() == [True, True, False]


def test_twenty_pages_in_a_minute_are_a_programs():
    """The twentieth page exactly a minute after the first is one too fast; a millisecond later it is not."""
    uneven = [3.1 * n + (n % 2) for n in range(19)]
    frame = make_events(*views("fast", *uneven, 60), *views("slow", *uneven, 60.001))
    assert rules(frame) == {"fast": "rate", "slow": None}
    crowd = make_events(*(row for n in range(25) for row in views(f"v{n:02}", 2 * n)))
    assert set(rules(crowd).values()) == {None}, "twenty people who each open a page in one minute are no program"


def test_even_intervals_are_a_programs_whatever_its_pace():
    """Ten pages each ten minutes apart, or nearly so, are a machine's; a person's times differ."""
    even = [600 * n for n in range(10)]
    nearly = [600 * n + 20 * (n % 2) for n in range(10)]
    person = [0, 12, 95, 100, 300, 310, 420, 800, 805, 900, 1800]
    frame = make_events(*views("even", *even), *views("nearly", *nearly), *views("person", *person))
    assert rules(frame) == {"even": "steady", "nearly": "steady", "person": None}
    assert set(rules(make_events(*views("even", *even[:9]))).values()) == {None}


def test_statistics_leave_out_what_was_found():
    """A disguised program is counted until it is tagged, and can be asked for after."""
    demo = {"type": "track", "event": EventName.DEMO_REQUESTED, "anonymous_id": "b", "message_id": "demo", "at": 1}
    frame = make_events(*views("a", *(2 * n for n in range(30))), *views("b", 0), demo)
    assert FunnelStatistics(frame).totals()["visitors"].item() == 2
    tagged = tag_bots(frame)
    assert FunnelStatistics(tagged).totals().select("visitors", "page_views", "demo_requests").row(0) == (1, 1, 1)
    assert FunnelStatistics(tagged, include_bots=True).totals()["visitors"].item() == 2


def test_tagging_twice_changes_nothing_and_events_without_a_visitor_are_left_alone():
    """The tags are a function of the events; nobody's events are nobody's program."""
    frame = make_events(*views("a", *range(30)), {"anonymous_id": None, "message_id": "nobody"})
    tagged = tag_bots(frame)
    assert tagged["bot_rule"].to_list() == ["rate"] * 30 + [None]
    assert tag_bots(tagged.drop("bot_rule"))["is_bot"].equals(tagged["is_bot"])
    assert tag_bots(EVENT_SCHEMA.to_frame()).is_empty()


@settings(max_examples=30)
@given(
    times=st.lists(st.integers(0, 900), min_size=1, max_size=30),
    n=st.integers(2, 6),
    seconds=st.integers(1, 100),
    variation=st.sampled_from([0.0, 0.1, 0.3]),
)
def test_the_rules_are_what_they_say(times: list[int], n: int, seconds: int, variation: float):
    """Recounted by hand over every run of page views, at any pace that the analyst chooses, beside another visitor."""
    options = BotSettings(rate_page_views=n, rate_seconds=seconds, steady_page_views=n + 2, steady_variation=variation)
    ordered = sorted(times)
    fast = any(later - first <= seconds for first, later in zip(ordered, ordered[n - 1 :], strict=False))
    steady = False
    for begin in range(len(ordered) - n - 1):
        gaps = pl.Series([b - a for a, b in zip(ordered[begin:], ordered[begin + 1 : begin + n + 2], strict=False)])
        # A hair's breadth of rounding is neither here nor there: such cases do not decide.
        spread = gaps.std() / gaps.mean() if gaps.mean() else float("nan")
        if abs(spread - variation) < 1e-6:
            return
        steady |= spread <= variation
    frame = make_events(*views("b", *times), *views("a", 0))
    assert rules(frame, options)["b"] == ("rate" if fast else "steady" if steady else None)


def test_scores_are_of_visitors():
    """Precision and recall count each visitor once, by kind of program and by rule."""
    frame = make_events(
        *views("crawler", 0, context_user_agent=CRAWLER),
        *views("fast", *range(30)),
        *views("sly", 0, 50, 400),
        *views("hasty", *range(20)),
        *views("person", 0, 20),
    )
    labels = pl.DataFrame(
        {
            "anonymous_id": ["crawler", "fast", "fast", "sly", "person", "unseen"],
            "label": ["crawler", "disguised_bot", "disguised_bot", "disguised_bot", "late", "crawler"],
        }
    )
    score = score_bots(tag_bots(frame), labels)
    assert (score.n_bots, score.n_tagged, score.n_found) == (3, 3, 2)
    assert (score.precision, score.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert score.by_label.rows() == [("crawler", 1, 1, 1.0), ("disguised_bot", 2, 1, 0.5)]
    assert score.by_rule.rows() == [("user_agent", 1, 1, 1.0), ("rate", 2, 1, 0.5)]


def test_where_there_is_nothing_there_is_no_score():
    """Nobody tagged has no precision, no program no recall."""
    score = score_bots(tag_bots(make_events({})), pl.DataFrame(schema={"anonymous_id": pl.String, "label": pl.String}))
    assert (score.precision, score.recall) == (None, None)

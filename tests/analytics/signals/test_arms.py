"""Claims about how experiments are read off events."""

import polars as pl
from flat_events import make_events

from analytics.io.ndjson import decode, encode
from analytics.signals.arms import arm_dimension, arm_signals
from analytics.statistics.funnel import FunnelStatistics


def arms_of(*texts: str | None) -> pl.DataFrame:
    """Page views of as many visitors, in these arms."""
    return make_events(*({"anonymous_id": f"v{n}", "context_experiments": text} for n, text in enumerate(texts)))


def texts_of(events: pl.DataFrame) -> pl.Series:
    """The arms of the visitors, as texts."""
    return events["context_experiments"].cast(pl.String).drop_nulls().unique()


def test_each_arm_but_the_first_of_an_experiment_is_a_signal():
    """The signals are named after the arms, and are seen in whatever combination of experiments the arm stands."""
    events = arms_of("e=a;f=x", "e=b;f=x", "e=b;f=y", "e=c", None)
    signals = {signal.name: signal.values for signal in arm_signals(texts_of(events))}
    assert signals == {"e=b": ("e=b;f=x", "e=b;f=y"), "e=c": ("e=c",), "f=y": ("e=b;f=y",)}


def test_events_without_experiments_have_no_such_signals():
    """Neither nulls nor texts that name no arm make a signal or an error."""
    assert arm_signals(texts_of(arms_of(None, "on", '{"e":1}'))) == ()
    assert arm_signals([]) == ()


def test_an_arm_survives_the_file():
    """The arms stand under context.experiments and come back from there."""
    events = arms_of("e=a", None)
    lines = encode(events)
    assert b'"experiments":"e=a"' in lines
    assert decode(lines).frame["context_experiments"].cast(pl.String).to_list() == ["e=a", None]


def test_arms_are_segments():
    """Visitors are counted by all their arms, and by those of one experiment; names are no patterns."""
    statistics = FunnelStatistics(arms_of("e.1=a;f=x", "e.1=b;f=x", "e.1=b;f=y", None, "ee1=z"))
    by_arm = statistics.segments("arm")
    assert dict(by_arm.select("arm", "visitors").iter_rows())["e.1=b;f=y"] == 1
    by_one = statistics.segments(arm_dimension("e.1"))
    assert dict(by_one.select("e.1", "visitors").iter_rows()) == {"a": 1, "b": 2, "(not set)": 2}

"""How well the bot rules find the simulator's bots, and what that does to the statistics."""

from __future__ import annotations

import math

import polars as pl
import pytest

from analytics.sessions.bots import BotSettings, score_bots, tag_bots
from analytics.statistics.funnel import FunnelStatistics
from scenarios.scenario import Scenario

STEADY = BotSettings().steady_page_views
TINY = 1e-6


def poisson_bound(mean: float) -> int:
    """The number that a Poisson variable of this mean exceeds with a probability below TINY."""
    assert mean < 100
    n, term = 0, math.exp(-mean)
    total = term
    while 1 - total > TINY:
        n += 1
        term *= mean / n
        total += term
    return n


def false_alarms(scenario: Scenario, tagged: pl.DataFrame) -> int:
    """Most people that the rules may take for programs.

    Ten page views of a person are nine reading times, Weibull of shape 0.8. Where their coefficient of variation is at
    most v = 0.1 none differs from the mean by more than v √8 = 28 %: all lie within a factor 1.79 of the shortest. The
    density of a Weibull variable's logarithm is at most shape / e, whatever its scale: eight of them lie so near to the
    shortest with probability at most (log 1.79 × shape / e)⁸, and nine of them may be it. Twenty page views in a minute
    are rarer: their nineteen times would have to be 3 seconds on average, with means of half a minute and more.
    """
    spread = BotSettings().steady_variation * math.sqrt(STEADY - 2)
    near = math.log((1 + spread) / (1 - spread)) * scenario.visits.dwell_shape / math.e
    per_run = (STEADY - 1) * near ** (STEADY - 2)
    people = tagged.filter((pl.col("type") == "page") & pl.col("bot_rule").is_null())
    views = people.group_by("anonymous_id").len()["len"].cast(pl.Int64)
    return poisson_bound((views - STEADY + 1).clip(0).sum() * per_run)


@pytest.mark.parametrize(
    ("changes", "seed"),
    [(["clock.hours=4"], 7), *(pytest.param([], seed, marks=pytest.mark.validation) for seed in range(5))],
)
def test_the_bots_of_a_storm_are_found_and_people_are_left_alone(changes: list[str], seed: int):
    """All crawlers, all disguised bots but those that the end of the day interrupts, and hardly a person."""
    scenario = Scenario.load("bot-storm", changes)
    run = scenario.run(seed=seed)
    tagged = tag_bots(run.analysis.events)
    score = score_bots(tagged, run.labels)
    assert score.by_label.filter(pl.col("label") == "crawler")["recall"].item() == 1
    # Only those that came so near to the end that they have not opened ten pages are missed.
    tracking, clock = scenario.tracking, scenario.clock
    at_the_end = tracking.undeclared_bots_per_day * (STEADY - 1) * tracking.bot_seconds / 86_400
    bots = score.by_label.filter(pl.col("label") == "disguised_bot").row(0, named=True)
    assert bots["bots"] > 200 * clock.hours
    assert bots["bots"] - bots["found"] <= poisson_bound(at_the_end)
    assert score.n_tagged - score.n_found <= false_alarms(scenario, tagged)
    missed = score.n_bots - score.n_found
    people = run.outcome.counts["visitors"]
    seen = FunnelStatistics(tagged).totals()["visitors"].item()
    assert people - (score.n_tagged - score.n_found) <= seen <= people + missed


def test_finding_bots_is_a_setting_of_the_analysis():
    """With `analytics.find_bots` the storm's statistics are those of people; the events are the same."""
    changes = ["clock.hours=2", "traffic.visitors_per_day=2000"]
    plain, cleaned = (
        Scenario.load("bot-storm", [*changes, f"analytics.find_bots={flag}"]).run() for flag in ("false", "true")
    )
    visitors = [run.statistics.totals()["visitors"].item() for run in (plain, cleaned)]
    assert plain.events.equals(cleaned.events)
    assert visitors[0] > 2 * visitors[1]
    assert abs(visitors[1] - plain.outcome.counts["visitors"]) <= 10

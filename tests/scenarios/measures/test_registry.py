"""Claims about measures: the value of each for a run, and the report of an invalid one."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache

import polars as pl
import pytest

from analytics.intent.coefficients import COEFFICIENT_SCHEMA
from analytics.signals.arms import arm_dimension
from analytics.statistics.funnel import FunnelStatistics
from scenarios.errors import UndefinedMeasureError
from scenarios.measures.expressions import ExpressionError
from scenarios.measures.registry import Measure, all_measures
from scenarios.run.run import Run
from scenarios.scenario import Scenario
from simulator.tracking.labels import Label

CHANGES = {
    "clock.hours": 60,
    "traffic.visitors_per_day": 2500,
    "intent.target_conversion": 0.12,
    "tracking": {"ad_blocker_rate": 0.2, "duplicate_rate": 0.02, "late_rate": 0.02, "bots_per_day": 5},
    "probes.inbox": {"use": "queue_length"},
    "experiments": {"e": {"arms": {"a": {"share": 0.5}, "b": {"share": 0.5, "log_odds": 0.7}}}},
}
"""Two and a half days with something of everything, from a Tuesday."""


@cache
def run() -> Run:
    """A run that most claims here are about."""
    return Scenario.load("baseline", CHANGES).run()


@cache
def quiet_run() -> Run:
    """A run in which hardly anything happens."""
    changes = {"clock.hours": 2, "traffic.visitors_per_day": 20, "intent.target_conversion": 1e-9}
    return Scenario.load("baseline", changes).run()


def value(text: str) -> float:
    """A measure of the run; it must exist."""
    return run().measure(text)


def why_not(text: str, of: Run) -> str:
    """The reason why a measure does not exist in a run."""
    with pytest.raises(UndefinedMeasureError) as caught:
        of.measure(text)
    return str(caught.value)


def statistics() -> FunnelStatistics:
    """The statistics of the run."""
    return run().statistics


@pytest.mark.parametrize("group", ["counts", "store", "sales"])
def test_plain_words_are_what_the_run_says(group: str) -> None:
    """Every count of the simulation, counter of the store and measure of the sales desk has its word, and no other."""
    said = {"counts": run().outcome.counts, "store": asdict(run().store.counts), "sales": run().sales.summary}[group]
    words = {name.removeprefix(f"{group}."): name for name in all_measures() if name.startswith(f"{group}.")}
    assert words.keys() == said.keys()
    assert {key: value(word) for key, word in words.items()} == said


def test_labels_are_counted_and_none_is_0() -> None:
    """Each kind of label has its word."""
    counted = dict(run().labels["label"].cast(pl.String).value_counts().iter_rows())
    assert {label.value: value(f"labels.{label.value}") for label in Label} == {
        label.value: counted.get(label.value, 0) for label in Label
    }
    assert counted["blocked"] > 0
    assert "conflict" not in counted


def test_measures_of_the_sales_desk_by_region() -> None:
    """A call with a region reads the region's row; a region without requests has counts of 0 and no rates."""
    row = run().sales.by_region.filter(pl.col("region") == "europe").row(0, named=True)
    for key in run().sales.summary:
        assert value(f'sales.{key}(region="europe")') == row[key]
        assert value(f'sales.{key}("europe")') == row[key]
    assert quiet_run().measure('sales.requests(region="europe")') == 0
    reason = why_not('sales.held_rate(region="europe")', quiet_run())
    assert reason == "sales.held_rate(region='europe'): no request to compute it from"


@pytest.mark.parametrize(
    "name",
    [
        *("visitors", "visits", "page_views", "demo_requests", "converted"),
        *("conversion", "conversion_low", "conversion_high"),
    ],
)
def test_segments_are_those_of_the_statistics(name: str) -> None:
    """Of all, of one dimension and of two, in either order: the number is the statistics' own."""
    assert value(f"{name}()") == statistics().totals()[name][0]
    by_region = dict(statistics().segments("region").select("region", name).iter_rows())
    assert value(f'{name}(region="europe")') == by_region["europe"]
    both = statistics().segments(["region", "page_group"]).filter(region="europe", page_group="security")[name][0]
    assert value(f'{name}(region="europe", page_group="security")') == both
    assert value(f'{name}(page_group="security", region="europe")') == both
    assert (
        value(f'{name}(utm_campaign="(not set)")')
        == statistics().segments("utm_campaign").filter(utm_campaign="(not set)")[name].item()
    )


def test_an_arm_is_told_by_its_experiment() -> None:
    """`arm="e=b"` is the arm b of e, and can be combined with a dimension."""
    rows = statistics().segments(arm_dimension("e")).filter(e="b")
    assert value('visitors(arm="e=b")') == rows["visitors"].item()
    assert value('conversion(arm="e=b")') > value('conversion(arm="e=a")')
    assert value('visitors(arm="e=b", region="europe")') < value('visitors(arm="e=b")')


def test_nobody_is_0_visitors_and_has_no_conversion() -> None:
    """Counts of a segment in which nobody was seen are 0; its conversion does not exist, nor what is made of such."""
    assert value('visitors(account="nobody.example.com")') == 0
    reason = why_not('conversion(account="nobody.example.com")', run())
    assert reason == "conversion(account='nobody.example.com'): no visitors there"
    assert why_not("1 + sales.held_rate * 0", quiet_run())
    assert why_not("1 / counts.demo_requests", quiet_run()) == "division by zero"
    rate = run().outcome.counts["demo_requests"] / run().outcome.counts["visitors"]
    assert value("100 * counts.demo_requests / counts.visitors") == pytest.approx(100 * rate)


@pytest.mark.parametrize("series", ["page_views", "visitors", "visits", "demo_requests"])
def test_hours_are_counted_from_the_start(series: str) -> None:
    """Aggregates are those of the hourly table, over all hours or a window without its end, of all or a segment."""
    hours = statistics().hourly()[series]
    europe = statistics().hourly("region").filter(region="europe").sort("hour")[series]
    for aggregate in ("sum", "mean", "median", "min", "max"):
        assert value(f'hourly("{series}", "{aggregate}")') == pytest.approx(getattr(hours, aggregate)())
        window = getattr(hours[9:17], aggregate)()
        assert value(f'hourly("{series}", "{aggregate}", start=9, end=17)') == pytest.approx(window)
        late = getattr(hours[50:], aggregate)()
        assert value(f'hourly(series="{series}", aggregate="{aggregate}", start=50)') == pytest.approx(late)
        there = getattr(europe, aggregate)()
        assert value(f'hourly("{series}", "{aggregate}", region="europe")') == pytest.approx(there)
    assert value(f'hourly("{series}", "max", account="nobody.example.com")') == 0


@pytest.mark.parametrize("series", ["page_views", "visits", "demo_requests"])
def test_days_are_whole_days_from_the_start(series: str) -> None:
    """Two days and a half are two days, a Tuesday and a Wednesday; the half is left out."""
    hours = statistics().hourly()[series]
    tuesday, wednesday = hours[:24].sum(), hours[24:48].sum()
    assert value(f'daily("{series}", "sum")') == tuesday + wednesday
    assert value(f'daily("{series}", "max", end=1)') == tuesday
    assert value(f'daily("{series}", "min", start=1, end=2)') == wednesday
    assert value(f'daily("{series}", "mean", weekday="wednesday")') == wednesday
    assert "the run has no such hours" in why_not(f'daily("{series}", "mean", weekday="sunday")', run())


def test_the_funnel_is_that_of_the_statistics() -> None:
    """Visitors, share and step rate of each stage; the first stage has no step before it."""
    columns = {"stage_visitors": "visitors", "stage_share": "share", "step_rate": "step_rate"}
    for row in statistics().funnel().iter_rows(named=True):
        for word, column in columns.items():
            text = f'{word}("{row["stage"]}")'
            if row[column] is None:
                assert "no visitors at the stage before" in why_not(text, run())
            else:
                assert value(text) == row[column]
    assert why_not('step_rate("top")', run())


def test_estimates_are_those_of_the_model() -> None:
    """Every number of the table of coefficients, and of the fit, has its word; terms may have `:` and `=` in them."""
    table, wordless = run().intent.coefficients, {"signal", "true_coefficient"}
    for row in table.iter_rows(named=True):
        for column in COEFFICIENT_SCHEMA.names():
            if column not in wordless and row[column] is not None:
                assert value(f'{column}("{row["signal"]}")') == row[column]
    assert {"region_europe:security_page_view", "e=b"} <= set(table["signal"])
    words = [name for name in all_measures() if name.startswith("model.")]
    assert len(words) == 7
    assert [value(word) for word in words] == [getattr(run().intent, word.removeprefix("model.")) for word in words]
    assert "has no value for this term" in why_not('average_marginal_effect("intercept")', run())


def test_the_truth_is_known_without_a_fit() -> None:
    """Effects, decoys, the intercept and contrasts of arms, also where no model can be fitted."""
    for term, effect in run().truth.terms.items():
        assert value(f'true_coefficient("{term}")') == effect
    assert quiet_run().measure('true_coefficient("security_page_view")') == 0.9


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("truth", "true_coefficient", '{}("security_page_view")'),
        ("covered", "ci_covers_truth", '{}("security_page_view")'),
        ("naive_standard_error", "nonrobust_standard_error", '{}("security_page_view")'),
        ("content", "page_group", 'visitors({}="security")'),
    ],
)
def test_old_names_are_accepted_with_a_warning(old: str, new: str, text: str) -> None:
    """A measure or dimension has the same value under its old name as under its new one, which the warning gives."""
    with pytest.warns(FutureWarning, match=f"'{old}' is now called '{new}'"):
        assert value(text.format(old)) == value(text.format(new))


@pytest.mark.parametrize("text", ['coefficient("security_page_view")', "model.n_visits"])
def test_a_model_that_cannot_be_fitted_says_why(text: str) -> None:
    """Without requests there are no estimates, and the reason is the model's own."""
    assert why_not(text, quiet_run()).startswith("the intent model is not fitted: ")


def test_every_word_is_documented_as_it_is_used() -> None:
    """The usage of each word parses, and each has a meaning."""
    parts = {name: getattr(run().scenario, name) for name in type(run().scenario).model_fields}
    for word in all_measures().values():
        assert word.meaning
        for text in word.usage.replace("), ", ")\n").replace(f"{word.name}, ", f"{word.name}\n").split("\n"):
            scenario_parts = {key: part for key, part in parts.items() if key != "clock"}
            Measure.parse(text, scenario_parts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("counts.visitor", "unknown measure 'counts.visitor'; did you mean 'counts.visitors'?"),
        ("count.visitors", "did you mean 'counts.visitors'?"),
        ("labels.zzz", "unknown measure 'labels.zzz'; labels has blocked, no_consent"),
        ("qqq(1)", "unknown measure 'qqq'; known: counts.…, store.…"),
        ("counts.visitors()", "counts.visitors has no arguments: write it without parentheses"),
        ("conversion", "conversion has arguments: write conversion()"),
        ("coefficient", "coefficient has arguments: write coefficient(<term>)"),
        ("coefficient()", "the argument 'term' is missing"),
        ('coefficient("device_mobile", term="x")', "the argument 'term' is given twice"),
        ('coefficient("device_mobil")', "there is no term 'device_mobil'; did you mean 'device_mobile'?"),
        ('coefficient("e=a")', "e=a is the reference arm"),
        ('true_coefficient("nothing")', "there is no term 'nothing'"),
        ('visitors("europe")', "too many arguments without a name"),
        ('visitors(regoin="europe")', "unknown argument 'regoin'; did you mean 'region'?"),
        ('visitors(region="europ")', "there is no region 'europ'; did you mean 'europe'?"),
        ("visitors(region=3)", "region must be a string in quotes (got 3)"),
        ('visitors(page_group="securty")', "there is no page_group 'securty'; did you mean 'security'?"),
        ('visitors(page="/pricng")', "there is no page '/pricng'; did you mean '/pricing'?"),
        ('visitors(stage="botom")', "did you mean 'bottom'?"),
        ('visitors(device="watch")', "there is no device 'watch'; known: desktop, mobile, tablet"),
        ('visitors(country="ZZ")', "there is no country 'ZZ'"),
        ('visitors(channel="paid_serach")', "did you mean 'paid_search'?"),
        ('visitors(arm="e=c")', "there is no arm 'e=c'; did you mean 'e=b'?"),
        ('visitors(arm="(not set)")', "there is no arm '(not set)'"),
        ('visitors(region="europe", device="mobile", stage="top")', "at most 2 dimensions can be combined"),
        ('sales.held(region="eu")', "there is no region 'eu'; known: north_america"),
        ("sales.held()", "the argument 'region' is missing"),
        ('hourly("page_view", "max")', "there is no series 'page_view'; did you mean 'page_views'?"),
        ('hourly("page_views", "maxi")', "there is no aggregate 'maxi'; did you mean 'max'?"),
        ('hourly("page_views")', "the argument 'aggregate' is missing"),
        ('hourly("page_views", "max", start=5, end=5)', "end must come after start"),
        ('hourly("page_views", "max", start=60)', "end must come after start"),
        ('hourly("page_views", "max", end=61)', "the window ends after the simulation (60)"),
        ('hourly("page_views", "max", start=-1)', "start must be a whole number, 0 or above"),
        ('hourly("page_views", "max", start=1.5)', "start must be a whole number, 0 or above"),
        ('hourly("page_views", "max", region="europ")', "there is no region 'europ'"),
        ('daily("visitors", "max")', "there is no series 'visitors'"),
        ('daily("visits", "max", weekday="sun")', "there is no weekday 'sun'; did you mean 'sunday'?"),
        ('daily("visits", "max", end=3)', "the window ends after the simulation (2)"),
        ('stage_share("demo")', "there is no stage 'demo'"),
    ],
)
def test_a_wrong_measure_is_told_with_what_may_have_been_meant(text: str, message: str) -> None:
    """Whatever no run of the scenario could answer is refused before it is asked."""
    with pytest.raises(ExpressionError) as caught:
        run().measure(text)
    assert message in str(caught.value)


def test_without_a_scenario_what_depends_on_it_goes_unchecked() -> None:
    """A measure can be read before there is a scenario: pages, arms and terms are taken on trust, words are not.

    Of a scenario without experiments no arm is known.
    """
    for text in (
        'visitors(page="/mine")',
        'visitors(arm="x=y")',
        'coefficient("x=y")',
        'hourly("visits", "max", end=99)',
    ):
        assert Measure.parse(text).text == text
    with pytest.raises(ExpressionError, match="did you mean 'europe'"):
        Measure.parse('visitors(region="europ")')
    with pytest.raises(ExpressionError, match="there is no arm 'e=b'; the scenario has none"):
        quiet_run().measure('visitors(arm="e=b")')


def test_the_channels_are_those_that_events_tell_of() -> None:
    """Every channel that the statistics see is a value that a measure may name."""
    seen = dict(statistics().segments("channel").select("channel", "visitors").iter_rows())
    assert len(seen) > 5
    for channel, n in seen.items():
        assert value(f'visitors(channel="{channel}")') == n


def test_visitors_and_conversion_are_estimated_by_each_method():
    """Where nobody is lost they are what was seen; an unknown method is refused before any run."""
    counts = run().measurement.counts
    for method in ("weights", "capture-recapture"):
        known = counts.filter(quantity="visitors", method=method)["estimated"].item()
        assert value(f'estimated_visitors(method="{method}")') == known
    assert quiet_run().measure('estimated_visitors(method="weights")') == quiet_run().measure("visitors()")
    # Without a request nobody can tell how many were lost.
    with pytest.raises(UndefinedMeasureError, match="the events do not allow it"):
        quiet_run().measure('estimated_visitors(method="capture-recapture")')
    with pytest.raises(ExpressionError, match="there is no method 'weight'"):
        Measure.parse('estimated_conversion(method="weight")', {})


def test_a_term_has_estimates_by_every_estimator():
    """The measures are columns of the estimates; those that an estimator has not are refused."""
    firth = run().analysis.estimates_by("firth").filter(signal="security_page_view").row(0, named=True)
    for name in ("coefficient", "standard_error", "p_value", "ci_low", "ci_high", "ci_covers_truth"):
        assert value(f'{name}("security_page_view", estimator="firth")') == firth[name]
    with pytest.raises(ExpressionError, match="an estimator has coefficient"):
        Measure.parse('odds_ratio("security_page_view", estimator="firth")', {})
    with pytest.raises(ExpressionError, match="there is no estimator 'lasso'"):
        Measure.parse('coefficient("security_page_view", estimator="lasso")', {})
    with pytest.raises(UndefinedMeasureError, match=r"too few|no visit"):
        quiet_run().measure('coefficient("security_page_view", estimator="firth")')


def test_effects_of_experiments_are_those_of_the_analysis():
    """The reference arm has a conversion and no difference; unknown arms and numbers are refused before any run."""
    effects = run().analysis.experiments.effects
    row = effects.filter(arm="b").row(0, named=True)
    for name in ("difference", "difference_low", "ratio", "p_adjusted", "cuped_difference", "true_log_odds"):
        assert value(f'experiment_effect("e=b", "{name}")') == row[name]
    assert value('experiment_effect("e=a", number="conversion")') == effects["conversion"][0]
    with pytest.raises(UndefinedMeasureError, match="the events do not show it"):
        value('experiment_effect("e=a", "difference")')
    parts = {"experiments": run().scenario.experiments}
    with pytest.raises(ExpressionError, match="there is no arm 'e=c'"):
        Measure.parse('experiment_effect("e=c", "difference")', parts)
    with pytest.raises(ExpressionError, match="there is no number 'lift'"):
        Measure.parse('experiment_effect("e=b", "lift")', parts)

"""Results of power analyses and of the search for a warm-up period, as the command line prints them."""

from __future__ import annotations

from typing import Final

from analytics.html.numbers import decimal, percent
from scenarios.cli.text.tables import Parts, page, table
from scenarios.power import ExperimentPower, SampleSize
from scenarios.warm_up import WarmUp

_DAY_HOURS: Final = 24


@page
def power_text(found: SampleSize) -> Parts:
    """Summarise how much traffic reaches the target power, with the power curve.

    Args:
        found: The sample size, its interval and the curve.
    """
    high = "no upper bound" if found.high is None else f"{found.high:,.0f}"
    answer = f"{found.needed:,.0f} {found.unit}, 95 % interval [{found.low:,.0f}, {high}]"
    yield f"{found.signal}: power {found.power:g} at significance level {found.alpha:g} needs {answer}"
    yield ""
    rows = [
        (
            f"{row['size']:,.0f}",
            f"{row['n']:,}",
            f"{row['found']:,}",
            f"{row['power']:.3f}",
            f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}]",
            f"{row['fitted']:.3f}",
        )
        for row in found.curve.iter_rows(named=True)
    ]
    yield table(rows, (found.unit, "replications", "significant", "power", "95 % interval", "fitted"))
    yield ""
    yield "fitted: probit regression of significance on the square root of the size; interval by Fieller's theorem"


@page
def experiment_power_text(found: ExperimentPower) -> Parts:
    """Say what an experiment shows with its traffic, and how much it needs, arm by arm.

    Args:
        found: What was found in the runs.
    """
    target = f"power {found.power:g} at significance level {found.alpha:g}"
    days = f"{found.days:g} day{'' if found.days == 1 else 's'}"
    for row in found.arms.iter_rows(named=True):
        yield (
            f"{found.experiment}, {row['arm']} against {found.reference}, in {days}: {row['visitors']:,.0f} visitors "
            f"against {row['reference_visitors']:,.0f}, conversion {percent(row['conversion'])} against "
            f"{percent(row['reference_conversion'])} (means of {found.replications:,} runs)"
        )
        if row["detectable_difference"] is not None:
            size = f"{decimal(100 * row['detectable_difference'])} points, a lift of {row['detectable_lift']:.1%}"
            yield f"  detected in {days}: {size} ({target})"
        if row["visitors_needed"] is None:
            yield "  the arm changes nothing, so that no traffic shows a lift; --lift assumes one"
        else:
            other = row["visitors_needed"] * row["reference_visitors"] / row["visitors"]
            needed = f"{row['visitors_needed']:,.0f} visitors against {other:,.0f}, {row['days_needed']:,.1f} days"
            yield f"  needed for a lift of {row['lift']:.1%}: {needed} ({target})"
        interval = f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
        simulated = f"{row['simulated_power']:.3f} {interval} of the runs"
        yield f"  power in {days}: {row['power']:.3f} by the closed form, {simulated}"
        yield ""
    yield "closed form: test of two proportions, as many visitors a day and the same conversion in longer experiments"


@page
def warm_up_text(found: WarmUp, name: str) -> Parts:
    """Summarise the warm-up period, with the daily averages of the series.

    Args:
        found: The warm-up period.
        name: Name of the scenario.
    """
    series = found.series.replace("_", " ")
    if found.hours is None:
        yield (
            f"{series} of {name}: no steady state within the first half of the clock; simulate more hours, "
            "or the scenario grows without end"
        )
    else:
        yield f"{series} of {name}: the warm-up lasts {found.hours} hours (MSER-5): warm_up_hours: {found.hours}"
    yield ""
    # At noon of each day, where the moving average over a day covers that day.
    averages = found.table.gather_every(_DAY_HOURS, offset=_DAY_HOURS // 2)
    rows = [(f"{row['hour'] // _DAY_HOURS + 1}", f"{row['moving_average']:,.1f}") for row in averages.to_dicts()]
    yield table(rows, ("day", f"{series} per hour"))
    yield ""
    yield f"means of {found.replications:,} replications without the weekly cycle; moving average over a day (Welch)"

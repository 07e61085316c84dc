"""The command of the command line that says how long a world takes to fill."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.cli_output import Output, as_json
from scenarios.completion import complete_scenario

if TYPE_CHECKING:
    from scenarios.warm_up import WarmUp

__all__ = ["SeriesChoice", "warm_up"]

_DAY_HOURS = 24


class SeriesChoice(StrEnum):
    """What is counted by hour."""

    PAGE_VIEWS = "page_views"
    VISITORS = "visitors"
    VISITS = "visits"
    DEMO_REQUESTS = "demo_requests"


def warm_up(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO", help="Name of a library scenario, or a YAML file.", autocompletion=complete_scenario
        ),
    ],
    *,
    series: Annotated[SeriesChoice, typer.Option(help="What is counted by hour.")] = SeriesChoice.PAGE_VIEWS,
    replications: Annotated[int, typer.Option(min=2, help="Runs to average.")] = 10,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Draw Welch's plot as SVG.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs at a time; as many as there are cores.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> Output:
    """Say how many hours at the beginning of a scenario say nothing of its ordinary state."""
    from scenarios.errors import OutputError  # noqa: PLC0415
    from scenarios.run.progress import progress_bar  # noqa: PLC0415
    from scenarios.scenario import Scenario  # noqa: PLC0415
    from scenarios.warm_up import find_warm_up  # noqa: PLC0415

    world = Scenario.load(scenario, set_ or ())
    with progress_bar(f"Watching {world.name} fill") as bar:

        def tell(done: int, total: int) -> None:
            if bar.share is not None:
                bar.share(done / total)

        found = find_warm_up(world, series.value, replications=replications, jobs=jobs, progress=tell)
    if out is not None:
        try:
            found.chart().save(str(out), format="svg")
        except OSError as error:
            raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from None
    return Output(as_json(found.to_dict()) if json else _text(found, world.name))


def _text(found: WarmUp, name: str) -> str:
    """The hours to leave out, and how the series settles, day by day."""
    from scenarios.text_table import aligned  # noqa: PLC0415

    what = found.series.replace("_", " ")
    answer = (
        f"{what} of {name} settle nowhere in the first half of the clock: give it more hours, or it grows for ever"
        if found.hours is None
        else f"{what} of {name}: leave out the first {found.hours} hours (MSER-5): warm_up_hours: {found.hours}"
    )
    averages = found.table.gather_every(_DAY_HOURS, offset=_DAY_HOURS // 2)
    rows = [(f"{row['hour'] // _DAY_HOURS + 1}", f"{row['moving_average']:,.1f}") for row in averages.to_dicts()]
    return "\n".join(
        [
            answer,
            "",
            *aligned([("day", f"{what} an hour"), *rows], header=True),
            "",
            f"means of {found.replications:,} replications, without their weekly cycle, averaged over a day (Welch)",
        ]
    )

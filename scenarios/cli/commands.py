"""The table of commands: their help in one line, examples, and old spellings of their options.

The table stands apart from the functions so that ``funnelsim --help`` imports none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Command:
    """A command that is imported when it is called.

    Args:
        summary: The first line of the docstring of its function.
        examples: Calls of the command.
        function: Name of its function in :mod:`scenarios.cli`; that of the command if empty.
    """

    summary: str
    examples: tuple[str, ...]
    function: str = ""


# In the order of the help: simulate and analyse, look things up, experiment, stores, pipelines, first steps.
COMMANDS: Final[dict[str, Command]] = {
    "run": Command(
        "Simulate a scenario and write a run folder with a report.",
        (
            "funnelsim run baseline",
            "funnelsim run my.yaml --seed 8 --set traffic.visitors_per_day=50000 --out runs/busy",
            "funnelsim run baseline --events ndjson --json",
            "funnelsim run month --jobs 4 --no-analysis",
        ),
    ),
    "analyze": Command(
        "Analyse events from any source.",
        (
            "funnelsim analyze runs/baseline-seed7/events.parquet",
            "funnelsim analyze pages.ndjson tracks.gz --out results",
            "zcat events.gz | funnelsim analyze - --json",
            'funnelsim analyze events.ndjson --rename-event "Demo Booked=Demo Requested"',
            "funnelsim analyze events.ndjson --pages mapping.yaml",
        ),
    ),
    "map": Command(
        "Propose a mapping of the pages and events of your site.",
        (
            "funnelsim map events.ndjson --output mapping.yaml",
            "funnelsim map segment-archive/ > mapping.yaml",
        ),
        function="map_pages",
    ),
    "model": Command(
        "Fit the logit to a table of your own.",
        (
            "funnelsim model trials.parquet --outcome bought",
            "funnelsim model trials.csv --outcome bought --signals seats,trial,seats:trial --account firm",
            "funnelsim model customers.ndjson --outcome renewed --weights n --category plan=free --json",
        ),
    ),
    "scenarios": Command("List the scenarios of the library.", ("funnelsim scenarios",), function="list_scenarios"),
    "show": Command(
        "Print every setting of a scenario as YAML.",
        ("funnelsim show enterprise", "funnelsim show my.yaml --set clock.hours=48"),
    ),
    "validate": Command("Check a scenario or study file, and locate every error.", ("funnelsim validate my.yaml",)),
    "schema": Command(
        "Print the JSON Schema of scenario or study files.",
        ("funnelsim schema scenario > scenario.schema.json",),
    ),
    "study": Command(
        "Run a designed experiment of many runs, or resume it.",
        (
            "funnelsim study coverage --jobs 4",
            "funnelsim study my-study.yaml --executor dask:tcp://scheduler:8786 --out studies/mine",
            "funnelsim study coverage --rerun 0:17",
        ),
    ),
    "power": Command(
        "Estimate the traffic that is needed for a target power.",
        (
            "funnelsim power baseline --signal security_page_view",
            "funnelsim power my.yaml --signal webinar_registration --power 0.9 --vary hours",
        ),
    ),
    "compare": Command(
        "Compare two scenarios with common random numbers.",
        (
            "funnelsim compare baseline ad-blocker-heavy",
            "funnelsim compare baseline my.yaml --response 'conversion()' --replications 50",
        ),
    ),
    "warm-up": Command(
        "Estimate the warm-up period of a scenario.",
        (
            "funnelsim warm-up baseline --set traffic.visitors_per_day=2000",
            "funnelsim warm-up my.yaml --series demo_requests --out plot.svg",
        ),
        function="warm_up",
    ),
    "check-component": Command(
        "Check that the components of a scenario keep the rules.",
        (
            "funnelsim check-component my.yaml --plugin my_components.py",
            "funnelsim check-component my.yaml --seed 8 --set traffic.visitors_per_day=2000",
        ),
        function="check_component",
    ),
    "ingest": Command(
        "Add events to a store on disk, or resume that.",
        (
            "funnelsim ingest events.ndjson --store store",
            "funnelsim ingest kafka://localhost:9092/events --store store --follow",
        ),
    ),
    "stats": Command(
        "Print what a store contains, also while it grows.",
        ("funnelsim stats --store store", "funnelsim stats --store store --by region --watch"),
    ),
    "reprocess": Command(
        "Take dead letters or late events of a store in again.",
        ("funnelsim reprocess --store store --from dead-letters", "funnelsim reprocess --store store --from late"),
    ),
    "forget": Command(
        "Remove a person from a store, and prove it.",
        ("funnelsim forget --store store --person jane@acme.io",),
    ),
    "rewind": Command(
        "Set stream time back after a wrong clock has moved it.",
        ("funnelsim rewind --store store --to 2026-03-03T10:00Z",),
    ),
    "replay": Command(
        "Send the events of a run to a pipeline, at a chosen pace.",
        (
            "funnelsim replay runs/baseline-seed7 --to stdout --speed max | head",
            "funnelsim replay runs/baseline-seed7 --to http://localhost:8080 --speed 600 --resume sent.json",
            "funnelsim replay runs/baseline-seed7 --to kafka:localhost:9092/events --from 2026-03-03T09:00:00Z",
        ),
    ),
    "export": Command(
        "Write the events of a run as Segment warehouse tables.",
        (
            "funnelsim export runs/baseline-seed7 --to seeds/segment",
            "funnelsim export runs/baseline-seed7 --to tables --format parquet",
        ),
    ),
    "verify": Command(
        "Check that a folder is what was written.",
        (
            "funnelsim verify runs/baseline-seed7",
            "funnelsim verify runs/study-coverage --json",
            "funnelsim verify sent.json --quiet || echo damaged",
        ),
    ),
    "recover": Command(
        "Salvage what can be of a damaged folder.",
        ("funnelsim recover runs/study-coverage",),
    ),
    "new": Command(
        "Write a commented scenario or study file to start from.",
        (
            "funnelsim new my.yaml",
            "funnelsim new launch.yaml --extends launch-spike",
            "funnelsim new blockers.yaml --study",
        ),
    ),
    "doctor": Command("Check the installation, and report what is missing.", ("funnelsim doctor",)),
}

EXAMPLES: Final = (
    "funnelsim run baseline",
    "funnelsim new my.yaml",
    "funnelsim study coverage",
    "funnelsim COMMAND --help",
)
"""Calls to begin with."""

PLUGGABLE: Final = frozenset(
    {"run", "analyze", "show", "validate", "study", "power", "compare", "warm-up", "check-component", "stats"}
)
"""Commands that read scenarios or studies, and so may import the components that these name."""

RENAMED_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "analyze": {"--settings": "--config", "--map": "--rename-event", "--demo-per": "--conversion-unit"},
    "study": {"--replay": "--rerun"},
}
"""Old spellings of options and new ones, by command; the old ones are accepted for one version, with a warning."""

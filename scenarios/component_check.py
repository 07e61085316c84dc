"""The oracle of components: a world with everybody on the clock must equal the one with only whom somebody touches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

from analytics import html
from analytics.sessions.visits import visit_table
from scenarios.errors import InputError
from scenarios.files.digest import EventsDigest
from scenarios.scenario import Scenario
from simulator.model import ActiveAgents, Model
from simulator.tracking.delivery import CollectingSink

_ACTS_UNSEEN: Final = (
    "a component does to somebody what touches() does not announce, or what it does depends on who else is on the "
    "clock: on numbers that are not from self.rng() or plan.uniforms(), on the order of a set, on counters of visitors"
)
_UNTOLD: Final = (
    "what happened and what the events say differ: a component keeps visitors for more than 30 minutes without an "
    "event, changes a visitor other than by view(), submit(), track(), leave() and come_back(), or changes the past"
)


@dataclass(frozen=True)
class Finding:
    """One thing that must hold.

    Attributes:
        claim: What must hold.
        difference: What differs; empty where it holds.
        reason: What the usual reason of such a difference is.
    """

    claim: str
    difference: str
    reason: str = _ACTS_UNSEEN

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not self.difference


@dataclass(frozen=True, repr=False)
class ComponentCheck:
    """Result of checking the components of a scenario; made by :func:`check_component`.

    Attributes:
        scenario: Name of the scenario.
        findings: What must hold, and whether it does.
        n_visitors: Number of visitors.
        n_awake: How many of them were touched, and lived on the clock.
    """

    scenario: str
    findings: tuple[Finding, ...]
    n_visitors: int
    n_awake: int

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return all(finding.holds for finding in self.findings)

    @property
    def reasons(self) -> list[str]:
        """What the usual reasons of the differences are, each once; none if everything holds."""
        return list(dict.fromkeys(finding.reason for finding in self.findings if not finding.holds))

    @property
    def table(self) -> pl.DataFrame:
        """One row for each finding: ``claim``, ``holds``, ``difference``."""
        schema = {"claim": pl.String, "holds": pl.Boolean, "difference": pl.String}
        return pl.DataFrame([(each.claim, each.holds, each.difference) for each in self.findings], schema, orient="row")

    def __repr__(self) -> str:
        n_held = sum(finding.holds for finding in self.findings)
        return f"<Check of {self.scenario}: {n_held} of {len(self.findings)} hold, {self.n_awake:,} visitors touched>"

    def _repr_html_(self) -> str:
        return html.notebook_html(name=repr(self)[1:-1], frames=[self.table])


def check_component(scenario: Scenario, *, seed: int | None = None) -> ComponentCheck:
    """Check the components of a scenario against the world in which everybody is on the clock.

    The world is run twice, with ``active_agents: all`` and ``interacting``: events, counts, true visits, people and
    probes must be equal, or the components depend on who is asked. Once more it is run without tracking faults and
    second devices: there the visits must come back from the events, or the components do what no event shows.

    Args:
        scenario: A scenario with components, a decision model, a routing policy or probes; some thousand visitors are
            enough.
        seed: Seed of the runs; the scenario's own unless given.

    Raises:
        InputError: The scenario has neither.
        ComponentError: A component does what the world cannot represent.

    >>> chat = {"components.chat.use": "live_chat", "clock.hours": 3, "traffic.visitors_per_day": 2000}
    >>> check_component(Scenario.load("baseline", chat)).passed
    True
    """
    if not scenario.classes:
        raise InputError(f"{scenario.name}: names no component, decision model, routing policy or probe to check")
    everybody, touched = _World(scenario, seed, "all"), _World(scenario, seed, "interacting")
    findings = [*_same_world(everybody, touched), _rebuilt(scenario, seed)]
    return ComponentCheck(scenario.name, tuple(findings), touched.outcome.counts["visitors"], touched.n_awake)


class _World:
    """A run to its end.

    Attributes:
        digest: Sha256 of the events.
        events: The events in the order of arrival.
        outcome: What happened.
        n_awake: Number of visitors on the clock.
    """

    def __init__(self, scenario: Scenario, seed: int | None, active_agents: ActiveAgents) -> None:
        digest, kept = EventsDigest(scenario.clock.start), CollectingSink()
        seed = scenario.seed if seed is None else seed
        model = Model(scenario.world, seed=seed, active_agents=active_agents, sinks=[digest, kept]).run()
        self.digest, self.events, self.outcome = digest.hexdigest(), kept.events, model.outcome
        self.n_awake = len(model.visitors)


def _same_world(a: _World, b: _World) -> Iterator[Finding]:
    """What must be equal with everybody on the clock, and with only those who are touched."""
    yield Finding("the events are the same", "" if a.digest == b.digest else _first_difference(a.events, b.events))
    yield Finding("the truth is the same", "" if a.outcome.truth == b.outcome.truth else "the true parameters differ")
    counts = {name: (n, b.outcome.counts[name]) for name, n in a.outcome.counts.items() if n != b.outcome.counts[name]}
    yield Finding("the counts are the same", ", ".join(f"{name}: {x:,} and {y:,}" for name, (x, y) in counts.items()))
    yield Finding("the true visits are the same", _difference(a.outcome.visits, b.outcome.visits))
    yield Finding("the people are the same", _difference(a.outcome.people, b.outcome.people))
    for name, frame in a.outcome.probes.items():
        yield Finding(f"the probe {name!r} is the same", _difference(frame, b.outcome.probes[name]))


def _rebuilt(scenario: Scenario, seed: int | None) -> Finding:
    """Whether the true visits come back from the events, where no event is lost and nobody has two devices."""
    rates = [name for name in type(scenario.tracking).model_fields if name.endswith(("_rate", "_per_day"))]
    lossless = {f"tracking.{name}": 0.0 for name in rates} | {"population.second_device_rate": 0.0}
    world = _World(scenario.replace(lossless), seed, "interacting")
    end = scenario.clock.start + timedelta(hours=scenario.clock.hours)
    found = visit_table(world.events, observed_until=end, conversion_unit=scenario.intent.conversion_unit)
    # The last digit of a logarithm depends on the library that takes it.
    rough = pl.col("log_session_minutes").round(9)
    difference = _difference(world.outcome.visits.with_columns(rough), found.with_columns(rough))
    return Finding("without faults, the events tell the true visits", difference, _UNTOLD)


def _difference(a: pl.DataFrame, b: pl.DataFrame) -> str:
    """Where two tables differ; empty if they are equal."""
    if a.equals(b):
        return ""
    if a.height != b.height:
        return f"{a.height:,} and {b.height:,} rows"
    columns = [name for name in a.columns if not a[name].equals(b[name])]
    n = int(pl.select(pl.any_horizontal(a[name].ne_missing(b[name]) for name in columns)).to_series().sum())
    return f"{n:,} of {a.height:,} rows differ in {', '.join(columns)}"


def _first_difference(a: pl.DataFrame, b: pl.DataFrame) -> str:
    """The earliest event that only one of two runs has."""
    key = ["message_id", "original_timestamp", "event", "anonymous_id"]
    only = pl.concat(
        [
            x.join(y, on=key, how="anti", nulls_equal=True).select(*key, "type", only=pl.lit(name))
            for name, x, y in (("all", a, b), ("interacting", b, a))
        ]
    ).sort("original_timestamp", "message_id", nulls_last=True)
    if only.is_empty():
        return "the same events arrive in another order or with other properties"
    row = only.row(0, named=True)
    what = row["event"] or row["type"]
    return (
        f"{only.height:,} events are in one of the runs only, first {what!r} of visitor "
        f"{str(row['anonymous_id'])[:8]} at {row['original_timestamp']:%Y-%m-%d %H:%M:%S} (only with {row['only']!r})"
    )

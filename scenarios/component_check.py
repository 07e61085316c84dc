"""The oracle of components: a world with everybody on the clock must equal the one with only whom somebody touches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl
import polars.selectors as cs

from analytics import html
from analytics.sessions.visits import visit_table
from scenarios.errors import InputError
from scenarios.files.digest import EventsDigest
from scenarios.scenario import Scenario
from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.model import Model
from simulator.settings.world import ActiveAgents
from simulator.tracking.delivery import CollectingSink

_ACTS_UNSEEN: Final = (
    "a component does to somebody what touches() does not announce, or what it does depends on who else is on the "
    "clock: on numbers that are not from self.rng() or plan.uniforms(), on the order of a set, on counters of visitors"
)
_UNTOLD: Final = (
    "what happened and what the events say differ: a component keeps visitors for more than 30 minutes without an "
    "event, changes a visitor other than by view(), submit(), track(), leave() and come_back(), or changes the past"
)
_NOT_AS_NAMED: Final = (
    "terms() names another effect than effect() has, a signal that is true for other visitors than those with the "
    "effect, or touches() leaves some of them out"
)
_TOUCHES_NOBODY: Final = (
    "touches() is true for nobody in this world, so nothing is proved of the component; choose settings, or more "
    "visitors, with which it acts"
)
_ROUNDING: Final = 1e-9
_DECISION: Final = {"anonymous_id": pl.String, "visit": pl.UInt32}
"""What identifies a decision in the visit table: the visitor, and the number of the visit at whose end it is made."""


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
        n_visitors: Number of visitors; in one of the runs, all of them are on the clock.
        n_awake: How many of them are on the clock in the other run.
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
        return f"<Check of {self.scenario}: {n_held} of {len(self.findings)} hold, {self.n_awake:,} on the clock>"

    def _repr_html_(self) -> str:
        return html.notebook_html(name=repr(self)[1:-1], frames=[self.table])


def check_component(scenario: Scenario, *, seed: int | None = None) -> ComponentCheck:
    """Check the components of a scenario against the world in which everybody is on the clock.

    The world is run twice, with ``active_agents: all`` and ``interacting``: events, counts, true visits, people and
    probes must be equal, or the components depend on who is asked. Once more it is run without tracking faults and
    second devices: there the visits must come back from the events, or the components do what no event shows, and the
    effect of each component at each decision must be that of its terms.

    Args:
        scenario: A scenario with components, probes or strategies (decision model, routing policy, traffic sources,
            navigation model); some thousand visitors are enough.
        seed: Seed of the runs; the scenario's own unless given.

    Raises:
        InputError: The scenario has neither.
        ComponentError: A component does what the world cannot represent.

    >>> chat = {"components.chat.use": "live_chat", "clock.hours": 3, "traffic.visitors_per_day": 2000}
    >>> check_component(Scenario.load("baseline", chat)).passed
    True
    """
    if not scenario.classes:
        raise InputError(f"{scenario.name}: names no component, strategy or probe to check")
    everybody, touched = _World(scenario, seed, "all"), _World(scenario, seed, "interacting")
    findings = [*_same_world(everybody, touched), *_shown(scenario, seed)]
    # Those whom a component refuses are not counted as visitors; without components, nobody is an object.
    n_visitors = max(everybody.n_awake, everybody.outcome.counts["visitors"])
    return ComponentCheck(scenario.name, tuple(findings), n_visitors, touched.n_awake)


class _World:
    """A run to its end.

    Attributes:
        digest: Sha256 of the events.
        events: The events in the order of arrival.
        outcome: What happened.
        n_awake: Number of visitors on the clock.
        notes: What each component of the scenario was asked, by its name.
    """

    def __init__(
        self, scenario: Scenario, seed: int | None, active_agents: ActiveAgents, visitor: type[Visitor] = Visitor
    ) -> None:
        digest, kept = EventsDigest(scenario.clock.start), CollectingSink()
        model = Model(
            scenario.world,
            seed=scenario.seed if seed is None else seed,
            active_agents=active_agents,
            visitor=visitor,
            sinks=[digest, kept],
        )
        self.notes = {name: _Notes(part) for name, part in model.components.items()}
        self.outcome = model.run().outcome
        self.digest, self.events, self.n_awake = digest.hexdigest(), kept.events, len(model.visitors)


class _Notes:
    """Notes of what a component is asked from now on.

    Attributes:
        component: The component.
        n_touched: Number of visitors that it touches.
    """

    def __init__(self, component: Component) -> None:
        self.component, self.n_touched = component, 0
        self._effects: list[tuple[str, int, float]] = []
        touches, effect = component.touches, component.effect

        def noted_touches(plan: Plan) -> Bools:
            mask = touches(plan)
            # What is no mask is refused by the model, with a message of its own.
            self.n_touched += int(getattr(mask, "sum", int)())
            return mask

        def noted_effect(visitor: Visitor) -> float:
            found = effect(visitor)
            self._effects.append((visitor.id, len(visitor.visits), found))
            return found

        component.touches, component.effect = noted_touches, noted_effect  # type: ignore[method-assign]

    @property
    def effects(self) -> pl.DataFrame:
        """The decision and the effect that it ``had``, of each time that the component was asked."""
        return pl.DataFrame(self._effects, schema={**_DECISION, "had": pl.Float64}, orient="row")


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


def _shown(scenario: Scenario, seed: int | None) -> Iterator[Finding]:
    """What the events must show where no event is lost and nobody has two devices."""
    rates = [name for name in type(scenario.tracking).model_fields if name.endswith(("_rate", "_per_day"))]
    lossless = {f"tracking.{name}": 0.0 for name in rates} | {"population.second_device_rate": 0.0}
    decisions: list[tuple[str, int]] = []

    class AskedAlways(Visitor):
        """Asks components for their effects even where these cannot change the decision."""

        def decide(self) -> bool:
            self._hooks.asks_always = True
            decisions.append((self.id, len(self.visits)))
            return super().decide()

    world = _World(scenario.replace(lossless), seed, "all", AskedAlways)
    end = scenario.clock.start + timedelta(hours=scenario.clock.hours)
    terms = {term for notes in world.notes.values() for term in notes.component.terms()}
    shown = [signal.signal(name) for name, signal in scenario.analysis.signals.items() if name in terms]
    found = visit_table(
        world.events,
        observed_until=end,
        signals=(*scenario.decision_signals, *shown),
        conversion_unit=scenario.intent.conversion_unit,
    )
    # The last digit of a logarithm depends on the library that takes it.
    rough, true = cs.float().round(9), world.outcome.visits
    difference = _difference(true.with_columns(rough), found.select(true.columns).with_columns(rough))
    yield Finding("without faults, the events tell the true visits", difference, _UNTOLD)
    decided = pl.DataFrame(decisions, schema=_DECISION, orient="row")
    for name, notes in world.notes.items():
        if notes.component.terms():
            yield _as_named(name, notes, found.join(decided, on=list(_DECISION), maintain_order="left"))
    idle = [name for name, notes in world.notes.items() if notes.component.acts and not notes.n_touched]
    difference = f"{', '.join(map(repr, idle))}: nobody" if idle else ""
    yield Finding("each component touches somebody", difference, _TOUCHES_NOBODY)


def _as_named(name: str, notes: _Notes, visits: pl.DataFrame) -> Finding:
    """Whether the effect of a component at each decision is the sum of those of its terms.

    Args:
        name: Name of the component.
        notes: What it was asked.
        visits: Visit table of the visits with a decision, with the signals of its terms.
    """
    terms = notes.component.terms().items()
    named = pl.sum_horizontal(pl.col(term).cast(pl.Float64) * effect.log_odds for term, effect in terms)
    table = (
        visits.filter(pl.col("at_risk") & ~pl.col("censored"))
        # Visitors whom it does not touch were not asked.
        .join(notes.effects, on=list(_DECISION), how="left", maintain_order="left")
        .with_columns(pl.col("had").fill_null(0.0), named=named)
    )
    off = table.filter((pl.col("had") - pl.col("named")).abs() > _ROUNDING)
    difference = ""
    if not off.is_empty():
        first = off.row(0, named=True)
        difference = (
            f"{off.height:,} of {table.height:,} decisions differ, first that of visitor "
            f"{first['anonymous_id'][:8]} after visit {first['visit']}: effect {first['had']:g}, "
            f"terms {first['named']:g}"
        )
    return Finding(f"the effect of {name!r} is that of its terms", difference, _NOT_AS_NAMED)


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

"""Running a scenario in memory: in this process, or on workers that share the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from analytics.store.history import EventHistory
from scenarios.config.settings import ScenarioSettings
from scenarios.files.digest import EventsDigest
from scenarios.files.event_files import EventRecord
from scenarios.run.pools import Pool
from scenarios.run.run import Run, Timings
from scenarios.run.sharing import RunSinks, fan_out
from scenarios.run.sinks import StoreSink
from simulator.agents.visitor import Visitor
from simulator.model import Model
from simulator.replication.outcome import Outcome
from simulator.replication.planned_people import PlannedPeople
from simulator.tracking.delivery import CollectingSink, Sink
from simulator.tracking.labels import KeptLabels, LabelKeeper


def simulate(
    scenario: ScenarioSettings,
    *,
    seed: int | None = None,
    replication: int = 0,
    record: EventRecord | None = None,
    labels: LabelKeeper | None = None,
    people: PlannedPeople | None = None,
    sinks: Sequence[Sink] = (),
    progress: Callable[[float], None] | None = None,
    pool: Pool | None = None,
    accepted: EventHistory | None = None,
    visitor: type[Visitor] = Visitor,
) -> Run:
    """Run a scenario.

    Args:
        scenario: What to run; it is not changed.
        seed: Seed of this run; the scenario's own if not given. 0 is a seed.
        replication: Which of the independent repetitions with this seed.
        record: Keeps the events; in memory if not given.
        labels: Keeps what happened to which event; in memory if not given.
        people: Keeps the people as they are drawn; drawn again, if somebody asks for them, if not given.
        sinks: Further sinks of each batch of events, such as a file.
        progress: Called now and then with the share of the clock that has passed, from 0 to 1.
        pool: Workers to share the run. Not used where all visitors are processes on one clock.
        accepted: Receives and judges the events; keeps them in memory if not given.
        visitor: Class of the agents.

    >>> from scenarios import Scenario
    >>> simulate(Scenario.load("baseline", {"clock.hours": 1}), seed=0).seed
    0
    """
    accepted = EventHistory() if accepted is None else accepted
    # An empty record or keeper of labels may count as false.
    record = CollectingSink() if record is None else record
    labels = KeptLabels() if labels is None else labels
    outputs = RunSinks(StoreSink(accepted.store), EventsDigest(scenario.clock.start), record, labels, sinks)
    model = Model(
        scenario,
        seed=seed,
        replication=replication,
        visitor=visitor,
        sinks=[outputs.together],
        labels=outputs.labels,
        people=people,
    )
    outcome, timings = _timed(model, pool, outputs, progress)
    return Run(
        scenario,
        seed=model.seed,
        replication=replication,
        active_agents=model.active_agents,
        outcome=outcome,
        record=outputs.record,
        accepted=accepted,
        digest=outputs.digest.hexdigest(),
        timings=timings,
        classes=model.classes,
    )


def _timed(
    model: Model, pool: Pool | None, outputs: RunSinks, progress: Callable[[float], None] | None
) -> tuple[Outcome, Timings]:
    """Run a model to its end, in this process or on workers."""
    started_at, clock = datetime.now(UTC), time.perf_counter()
    # With all visitors on one clock there is one sequence of moments, which cannot be divided.
    if pool is None or model.active_agents == "all":
        outcome = model.run(progress=progress).outcome
    else:
        outcome = fan_out(model, pool, outputs, progress)
    return outcome, Timings(started_at, time.perf_counter() - clock)
